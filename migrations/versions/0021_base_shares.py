"""base_shares: who may use a knowledge base besides its owner"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("base_shares"):
        return
    op.create_table(
        "base_shares",
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=True),
        sa.Column("may_write", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["base"],
            ["knowledge_bases.number"],
            name="fk_base_shares_base",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_base_shares_user_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("base", "name", name="pk_base_shares"),
    )
    op.create_index("ix_base_shares_user_id", "base_shares", ["user_id"])


def downgrade() -> None:
    """Keep the table: older versions do not read it."""
