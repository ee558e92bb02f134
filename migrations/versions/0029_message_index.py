"""the index of the words of messages, and indexes for what read whole tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0029"
down_revision = "0028"

FTS = "message_index"
INDEXES = {
    "ix_sessions_kind_updated": ("sessions", ["kind", "updated_at"]),
    "ix_tokens_kind": ("tokens", ["kind"]),
    "ix_files_sha256": ("files", ["sha256"]),
    "ix_files_listed": ("files", ["knowledge_base_id", "created_at", "id"]),
}


def upgrade() -> None:
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    for name, (table, columns) in INDEXES.items():
        if name not in {index["name"] for index in inspector.get_indexes(table)}:
            op.create_index(name, table, columns)
    if inspector.has_table("unindexed_messages"):
        return
    _create_tables()
    if connection.dialect.name == "sqlite":
        op.execute(
            f"CREATE VIRTUAL TABLE {FTS}"
            " USING fts5(words, detail=none, columnsize=0, tokenize=ascii)"
        )
        op.execute(
            "CREATE TRIGGER messages_deleted AFTER DELETE ON messages"
            f" BEGIN DELETE FROM {FTS} WHERE rowid = old.number; END"
        )
    # The document worker indexes what is there.
    op.execute(
        "INSERT INTO unindexed_messages (below) SELECT max(number) + 1 FROM messages"
        " HAVING count(*) > 0"
    )


def _create_tables() -> None:
    op.create_table(
        "message_words",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["number"],
            ["messages.number"],
            name="fk_message_words_number",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "part", name="pk_message_words"),
    )
    op.create_index("ix_message_words_words", "message_words", ["words"], postgresql_using="gin")
    op.create_table(
        "unindexed_messages",
        sa.Column("below", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("below", name="pk_unindexed_messages"),
    )


def downgrade() -> None:
    """Drop the index of words: older versions do not add to it. Keep the other indexes."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER messages_deleted")
        op.execute(f"DROP TABLE {FTS}")
    op.drop_table("unindexed_messages")
    op.drop_table("message_words")
