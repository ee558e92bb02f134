"""knowledge_bases: numbers are never reused"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

TABLE = "knowledge_bases"


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":  # elsewhere a sequence never goes back
        return
    made = bind.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = :table"), {"table": TABLE})
    if "AUTOINCREMENT" in made.scalar_one().upper():
        return
    # The table is dropped, which would empty the tables that refer to it.
    if bind.execute(sa.text("PRAGMA foreign_keys")).scalar_one():
        raise RuntimeError("Foreign keys have to be off while a table is made anew.")
    with op.batch_alter_table(TABLE, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
        pass


def downgrade() -> None:
    """Keep the table: older versions can use it."""
