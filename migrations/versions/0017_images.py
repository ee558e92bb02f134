"""images, the messages that use them, and what messages show of them"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    tables = set(inspector.get_table_names())
    if "images" not in tables:
        op.create_table(
            "images",
            sa.Column("id", sa.String(36), primary_key=True),
            sa.Column(
                "user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
            ),
            sa.Column("name", sa.String(300), nullable=False),
            sa.Column("media_type", sa.String(40), nullable=False),
            sa.Column("width", sa.Integer(), nullable=False),
            sa.Column("height", sa.Integer(), nullable=False),
            sa.Column("size", sa.Integer(), nullable=False),
            sa.Column("used", sa.Boolean(), nullable=False),
            sa.Column("created_at", sa.DateTime(), nullable=False),
        )
        op.create_index("ix_images_user_id", "images", ["user_id"])
    if "image_uses" not in tables:
        op.create_table(
            "image_uses",
            sa.Column(
                "message_id",
                sa.String(36),
                sa.ForeignKey("messages.id", ondelete="CASCADE"),
                primary_key=True,
            ),
            sa.Column(
                "image_id",
                sa.String(36),
                sa.ForeignKey("images.id", ondelete="CASCADE"),
                primary_key=True,
            ),
        )
        op.create_index("ix_image_uses_image_id", "image_uses", ["image_id"])
    if "images" not in {column["name"] for column in inspector.get_columns("messages")}:
        op.add_column("messages", sa.Column("images", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Keep tables and column: older versions do not read them."""
