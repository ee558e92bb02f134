"""sessions: an index in the order of the list"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

INDEX = "ix_sessions_listed"
COLUMNS = ["user_id", "kind", "pinned", "updated_at", "id"]


def upgrade() -> None:
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("sessions")}
    if INDEX not in present:
        op.create_index(INDEX, "sessions", COLUMNS)


def downgrade() -> None:
    """Keep the index: older versions are only faster with it."""
