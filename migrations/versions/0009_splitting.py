"""knowledge_bases.splitting: how its files are split; files.split: how one was, and why otherwise"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    def add(table: str, column: sa.Column[str]) -> None:
        there = {one["name"] for one in sa.inspect(op.get_bind()).get_columns(table)}
        if column.name not in there:
            op.add_column(table, column)

    by_size = {"nullable": False, "server_default": "size"}
    add("knowledge_bases", sa.Column("splitting", sa.String(16), **by_size))
    add("files", sa.Column("split", sa.String(16), **by_size))
    add("files", sa.Column("split_reason", sa.String(16)))


def downgrade() -> None:
    """Keep the columns: older versions do not read them."""
