"""messages: an index of the roots of each session"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

NAME = "ix_messages_roots"


def upgrade() -> None:
    indexes = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("messages")}
    if NAME not in indexes:
        roots = sa.text("parent_id IS NULL")
        columns = ["session_id", "parent_id"]
        op.create_index(NAME, "messages", columns, sqlite_where=roots, postgresql_where=roots)


def downgrade() -> None:
    op.drop_index(NAME, "messages")
