"""sessions.settings: the settings of a chat; shares: read-only links; prompts: saved by users"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if "settings" not in {column["name"] for column in inspector.get_columns("sessions")}:
        op.add_column(
            "sessions", sa.Column("settings", sa.JSON(), nullable=False, server_default="{}")
        )
    if not inspector.has_table("shares"):
        _create_shares()
    if not inspector.has_table("prompts"):
        _create_prompts()


def _create_shares() -> None:
    op.create_table(
        "shares",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("leaf_id", sa.String(36), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        _cascade("shares", "user_id", "users"),
        _cascade("shares", "session_id", "sessions"),
        sa.PrimaryKeyConstraint("id", name="pk_shares"),
        sa.UniqueConstraint("hash", name="uq_shares_hash"),
    )
    for column in ("user_id", "session_id"):
        op.create_index(f"ix_shares_{column}", "shares", [column])


def _create_prompts() -> None:
    op.create_table(
        "prompts",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        _cascade("prompts", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name="pk_prompts"),
        sa.UniqueConstraint("user_id", "name", name="uq_prompts_user_id"),
    )


def _cascade(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )


def downgrade() -> None:
    """Keep the column and the tables: older versions do not read them."""
