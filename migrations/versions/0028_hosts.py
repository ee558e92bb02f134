"""hosts: what all hosts of a database agree on, leases by name, and whose a token is"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table("installation"):
        op.create_table(
            "installation",
            sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("key_fingerprint", sa.String(64), nullable=True),
            sa.Column("manual_version", sa.String(40), nullable=True),
            sa.PrimaryKeyConstraint("number", name="pk_installation"),
        )
    if not inspector.has_table("leases"):
        op.create_table(
            "leases",
            sa.Column("name", sa.String(40), nullable=False),
            sa.Column("owner", sa.String(200), nullable=False),
            sa.Column("until", sa.DateTime(), nullable=False),
            sa.PrimaryKeyConstraint("name", name="pk_leases"),
        )
    if "host" not in {column["name"] for column in inspector.get_columns("tokens")}:
        op.add_column(
            "tokens", sa.Column("host", sa.String(32), nullable=False, server_default="")
        )


def downgrade() -> None:
    """Keep tables and column: older versions do not read them."""
