"""The texts of the passages that answers were given: each is stored once, by its hash.

An answer's row has its sources with empty texts; links lead to them. A text that no answer has any
more is deleted within an hour. Answers that are older than these tables have the texts in their
rows, until `chatapp compact` moves them.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Text, bindparam, cast, delete, exists, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from chatapp.core.events import Json
from chatapp.storage.database import Database
from chatapp.storage.models import Message, MessagePassage, Passage

SWEEP_SECONDS = 3600  # between two looks for texts to delete
DELETED_TOGETHER = 500
MOVED_TOGETHER = 100  # answers

_messages, _passages, _links = Message.__table__, Passage.__table__, MessagePassage.__table__
# The update changes nothing, but PostgreSQL locks the row: it is not deleted before its link is
# there.
_KEEP = text(
    "INSERT INTO passages (sha256, text) VALUES (:sha256, :text)"
    " ON CONFLICT (sha256) DO UPDATE SET text = excluded.text WHERE false"
)
_LINK = text(
    "INSERT INTO message_passages (message_number, place, passage_id)"
    " SELECT m.number, :place, p.id FROM messages AS m, passages AS p"
    " WHERE m.id = :message_id AND p.sha256 = :sha256"
    " ON CONFLICT (message_number, place) DO UPDATE SET passage_id = excluded.passage_id"
)
_IS_LINKED = exists().where(_links.c.passage_id == _passages.c.id)
_WITH_TEXTS = (
    select(_messages.c.number, _messages.c.id, _messages.c.sources)
    .where(
        _messages.c.number > bindparam("after"),
        cast(_messages.c.sources, Text) != "[]",
        ~exists().where(_links.c.message_number == _messages.c.number),
    )
    .order_by(_messages.c.number)
    .limit(MOVED_TOGETHER)
)


def without_texts(sources: Sequence[Json]) -> list[dict[str, Any]]:
    """Return sources as an answer's row has them."""
    return [{**source, "text": ""} for source in sources]


def keep_texts(t: Transaction, given: Mapping[str, Sequence[Json]]) -> None:
    """Store the texts of the sources of answers, which are in the database, by their ids."""
    texts: dict[bytes, str] = {}
    links: list[dict[str, Any]] = []
    for message_id, sources in given.items():
        for place, source in enumerate(sources):
            content = str(source.get("text") or "")
            hashed = sha256(content.encode()).digest()
            texts[hashed] = content
            links.append({"message_id": message_id, "place": place, "sha256": hashed})
    if links:
        # In one order everywhere: transactions that keep the same texts must not deadlock.
        t.execute(_KEEP, [{"sha256": key, "text": texts[key]} for key in sorted(texts)])
        t.execute(_LINK, links)


def sources_of(message: Message) -> list[Json]:
    """Return an answer's sources with their texts."""
    texts = (message.passages or {}) if message.sources else {}
    return [
        {**source, "text": texts.get(str(place), source.get("text", ""))}
        for place, source in enumerate(message.sources)
    ]


def move_texts(database: Database) -> None:
    """Move the texts that are still in the rows of answers."""
    after = 0
    while moved := database.write(lambda t, after=after: _move(t, after)):  # type: ignore[misc]
        after = moved


def _move(t: Transaction, after: int) -> int:
    """Move those of some answers; return the number of the last, 0 if there are no more."""
    rows = t.execute(_WITH_TEXTS, {"after": after}).all()
    keep_texts(t, {row.id: row.sources for row in rows})
    for row in rows:
        changed = update(_messages).where(_messages.c.number == row.number)
        t.execute(changed.values(sources=without_texts(row.sources)))
    return int(rows[-1].number) if rows else 0


class Passages:
    """Deletes the texts that no answer has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(self) -> None:
        """Delete unused texts."""
        some = select(_passages.c.id).where(~_IS_LINKED).limit(DELETED_TOGETHER)
        while ids := self._database.read(lambda t: list(t.scalars(some))):
            gone = delete(_passages).where(_passages.c.id.in_(ids), ~_IS_LINKED)
            try:
                self._database.write_deletion(lambda t, gone=gone: t.execute(gone) and None)  # type: ignore[misc]
            except IntegrityError:  # on PostgreSQL: an answer has got one of them meanwhile
                return
