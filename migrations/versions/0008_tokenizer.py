"""knowledge_bases.tokenizer: by which version of the tokenizer a base's texts are indexed"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("knowledge_bases")}
    if "tokenizer" not in columns:
        op.add_column(
            "knowledge_bases",
            sa.Column("tokenizer", sa.Integer(), nullable=False, server_default="1"),
        )


def downgrade() -> None:
    """Keep the column: older versions do not read it."""
