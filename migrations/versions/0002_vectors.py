"""vectors: what is to make a base's anew, where Chroma keeps them, how far Chroma has followed; chunk ids are never reused"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("knowledge_bases", sa.Column("target", sa.JSON(), nullable=True))
    op.add_column("knowledge_bases", sa.Column("collection", sa.String(length=80), nullable=True))
    op.add_column("knowledge_bases", sa.Column("changed", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("knowledge_bases", sa.Column("indexed", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("files", sa.Column("embedded", sa.String(length=64), nullable=True))
    if op.get_bind().dialect.name == "sqlite":  # elsewhere a sequence never goes back
        with op.batch_alter_table("chunks", recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass


def downgrade() -> None:
    op.drop_column("files", "embedded")
    with op.batch_alter_table("knowledge_bases", schema=None) as batch_op:
        for name in ("indexed", "changed", "collection", "target"):
            batch_op.drop_column(name)
