"""files.skipped: how many parts of a file could not be read"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("files")}
    if "skipped" not in columns:
        op.add_column(
            "files", sa.Column("skipped", sa.Integer(), nullable=False, server_default="0")
        )


def downgrade() -> None:
    """Keep the column: older versions do not read it."""
