"""users.language goes, which nothing read; sessions.knowledge_options comes where it is missing

Revision 0001 gained that column after homes had been made with it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if "knowledge_options" not in columns("sessions"):
        options = sa.Column("knowledge_options", sa.JSON(), nullable=False, server_default="{}")
        op.add_column("sessions", options)
    # Not by batch_alter_table: it drops the old table, and with that every row that refers to it.
    if "language" in columns("users") and can_drop_columns():
        op.drop_column("users", "language")


def downgrade() -> None:
    op.add_column("users", sa.Column("language", sa.String(length=8), nullable=True))


def columns(table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}


def can_drop_columns() -> bool:
    """SQLite drops columns since 3.35; in an older one the column stays, empty and unread."""
    dialect = op.get_bind().dialect
    return dialect.name != "sqlite" or dialect.server_version_info >= (3, 35)
