"""files.left_out: which files within a file could not be read, and why"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("files")}
    if "left_out" not in columns:
        op.add_column("files", sa.Column("left_out", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Keep the column: older versions do not read it."""
