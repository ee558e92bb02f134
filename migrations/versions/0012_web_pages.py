"""files: the address of a web page, when and how it was fetched, and the file that it replaces"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

COLUMNS = (
    sa.Column("url", sa.Text(), nullable=True),
    sa.Column("fetched_at", sa.DateTime(), nullable=True),
    sa.Column("fetch", sa.JSON(), nullable=True),
    sa.Column("replaces", sa.String(36), nullable=True),
)
INDEX = "ix_files_replaces"


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    present = {column["name"] for column in inspector.get_columns("files")}
    for column in COLUMNS:
        if column.name not in present:
            op.add_column("files", column)
    if INDEX not in {index["name"] for index in inspector.get_indexes("files")}:
        op.create_index(INDEX, "files", ["replaces"])


def downgrade() -> None:
    """Keep the columns: older versions do not read them."""
