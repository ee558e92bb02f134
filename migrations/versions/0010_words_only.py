"""files.words_only: how many passages of a file have no vector"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("files")}
    if "words_only" not in columns:
        op.add_column(
            "files", sa.Column("words_only", sa.Integer(), nullable=False, server_default="0")
        )


def downgrade() -> None:
    """Keep the column: older versions do not read it."""
