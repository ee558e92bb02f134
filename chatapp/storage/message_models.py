"""The tables of the index of messages (message_index.py). See `models.py`."""

from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.storage.models import Model


class MessageWords(Model):
    """The words of a part of a message; for PostgreSQL, where there is no FTS5."""

    __tablename__ = "message_words"
    number: Mapped[int] = mapped_column(
        ForeignKey("messages.number", ondelete="CASCADE"), primary_key=True
    )
    part: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[Any] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"))
    __table_args__ = (Index("ix_message_words_words", "words", postgresql_using="gin"),)


class UnindexedMessages(Model):
    """While there is a row: the number below which messages have not been indexed yet."""

    __tablename__ = "unindexed_messages"
    below: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
