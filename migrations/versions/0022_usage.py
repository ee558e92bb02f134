"""usage: what each person has used a day; limits: what administrators have set for one person"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table("usage"):
        _create_usage()
    if not inspector.has_table("limits"):
        _create_limits()


def _create_usage() -> None:
    op.create_table(
        "usage",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("supplier", sa.String(80), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        _of_a_user("usage"),
        sa.PrimaryKeyConstraint("user_id", "day", "supplier", "model", name="pk_usage"),
    )
    op.create_index("ix_usage_day", "usage", ["day"])


def _create_limits() -> None:
    op.create_table(
        "limits",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("answers", sa.Integer()),
        sa.Column("daily_tokens", sa.BigInteger()),
        sa.Column("storage_mb", sa.Integer()),
        _of_a_user("limits"),
        sa.PrimaryKeyConstraint("user_id", name="pk_limits"),
    )


def _of_a_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
    )


def downgrade() -> None:
    """Keep the tables: older versions do not read them."""
