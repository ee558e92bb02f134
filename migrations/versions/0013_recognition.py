"""recognised_pages: what text recognition read on each page; files.scanned, files.recognised"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    columns = {column["name"] for column in inspector.get_columns("files")}
    for name in ("scanned", "recognised"):
        if name not in columns:
            op.add_column(
                "files", sa.Column(name, sa.Integer(), nullable=False, server_default="0")
            )
    if not inspector.has_table("recognised_pages"):
        op.create_table(
            "recognised_pages",
            sa.Column("file_id", sa.String(36), nullable=False),
            sa.Column("page", sa.Integer(), nullable=False),
            sa.Column("state", sa.String(16), nullable=False),
            sa.Column("attempts", sa.Integer(), nullable=False),
            sa.Column("turned", sa.Integer(), nullable=False),
            sa.Column("text", sa.Text(), nullable=False),
            sa.Column("lines", sa.JSON(), nullable=False),
            sa.ForeignKeyConstraint(
                ["file_id"],
                ["files.id"],
                name="fk_recognised_pages_file_id",
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint("file_id", "page", name="pk_recognised_pages"),
        )


def downgrade() -> None:
    """Keep the table and the columns: older versions do not read them."""
