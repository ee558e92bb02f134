"""messages.tool_calls: calls of tools, of answers to programs"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("messages")}
    if "tool_calls" not in columns:
        op.add_column("messages", sa.Column("tool_calls", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Keep the column: older versions do not read it."""
