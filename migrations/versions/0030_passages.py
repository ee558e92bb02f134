"""passages: the texts of the sources of answers, each once"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; texts that are in the rows of answers stay there."""
    if sa.inspect(op.get_bind()).has_table("passages"):
        return
    op.create_table(
        "passages",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_passages"),
        sa.UniqueConstraint("sha256", name="uq_passages_sha256"),
    )
    op.create_table(
        "message_passages",
        sa.Column("message_number", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("passage_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_number"],
            ["messages.number"],
            name="fk_message_passages_message_number",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["passage_id"], ["passages.id"], name="fk_message_passages_passage_id"
        ),
        sa.PrimaryKeyConstraint("message_number", "place", name="pk_message_passages"),
    )
    op.create_index(
        "ix_message_passages_passage_id", "message_passages", ["passage_id"]
    )


def downgrade() -> None:
    """Older versions look for the texts in the rows of answers: restore the copy instead."""
    raise NotImplementedError
