"""messages.search: how the passages of an answer were chosen"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("messages")}
    if "search" not in columns:
        op.add_column("messages", sa.Column("search", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Keep the column: older versions do not read it."""
