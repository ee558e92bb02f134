"""users.seen_at; tokens: address of a login, scopes of a token"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

COLUMNS = (
    ("users", sa.Column("seen_at", sa.DateTime(), nullable=True)),
    ("tokens", sa.Column("address", sa.String(64), nullable=False, server_default="")),
    ("tokens", sa.Column("scopes", sa.JSON(), nullable=True)),
)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    for table, column in COLUMNS:
        if column.name not in {each["name"] for each in inspector.get_columns(table)}:
            op.add_column(table, column)


def downgrade() -> None:
    """Keep the columns: older versions do not read them."""
