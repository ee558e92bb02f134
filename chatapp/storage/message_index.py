"""The index of the words of messages: FTS5 on SQLite, tsvector with GIN on PostgreSQL.

It narrows a search to the messages that may contain a term; the caller compares their text. Every
word begins with a part of the user's id, so that a search costs what its user has written, and not
what all have. Two users may share that part: rows are joined with their messages.

The rows of a question and its answer are written with the end of the answer, in one go: that costs
as much as one row. They are deleted with their message, on SQLite by a trigger, which is gone where
a migration makes the table `messages` anew.
Messages from before the index are added in small steps, newest first (`MessageIndexer`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    TextClause,
    bindparam,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from chatapp.core.answer import State
from chatapp.core.search_words import words_in, words_of
from chatapp.storage.database import Database
from chatapp.storage.message_models import UnindexedMessages
from chatapp.storage.models import Message

INDEX = "message_index"  # FTS5's table, and the prefix of those it stores itself in
OWNER_CHARACTERS = 3  # of a user's id in front of each word: 4,096 groups of users
BATCH_MESSAGES = 50  # in one transaction; holds SQLite's write lock for about 30 ms
STEP_BATCHES = 20  # in one step of the worker, between which it reads files
# PostgreSQL takes at most 1 MB of words in a row: longer messages are stored in parts that overlap
# by more than a term is long.
PART_CHARACTERS, OVERLAP_CHARACTERS = 20_000, 500

# Positions and sizes are not needed. FTS5 keeps the words: without them it cannot delete before
# SQLite 3.43. Its ascii tokeniser takes every other character for a letter.
STATEMENTS = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {INDEX}"
    " USING fts5(words, detail=none, columnsize=0, tokenize=ascii)",
    "CREATE TRIGGER IF NOT EXISTS messages_deleted AFTER DELETE ON messages"
    f" BEGIN DELETE FROM {INDEX} WHERE rowid = old.number; END",
)


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements of one database."""

    ended: TextClause
    remove: TextClause
    add: TextClause
    add_missing: TextClause
    find: TextClause


def _ended(indexed: str) -> TextClause:
    return text(
        "WITH ended (id) AS (SELECT id FROM messages WHERE id IN :ids UNION"
        " SELECT parent_id FROM messages WHERE id IN :ids)"
        f" SELECT m.id, m.user_id, m.content, EXISTS ({indexed}) AS indexed"
        " FROM ended CROSS JOIN messages AS m JOIN sessions AS s ON s.id = m.session_id"
        " WHERE m.id = ended.id AND s.kind != 'api'"
    ).bindparams(bindparam("ids", expanding=True))


# The questions of live answers, which are indexed with their answers, may contain any term.
_LIVE = text(
    "SELECT q.session_id, q.number FROM runs AS r JOIN messages AS a ON a.id = r.message_id"
    " JOIN messages AS q ON q.id = a.parent_id WHERE r.user_id = :user"
)
_STATEMENTS = {
    "sqlite": _Statements(
        ended=_ended(f"SELECT 1 FROM {INDEX} WHERE rowid = m.number"),
        remove=text(
            f"DELETE FROM {INDEX} WHERE rowid = (SELECT number FROM messages WHERE id = :id)"
        ),
        add=text(
            f"INSERT INTO {INDEX} (rowid, words) SELECT number, :words FROM messages WHERE id = :id"
        ),
        add_missing=text(
            f"INSERT INTO {INDEX} (rowid, words) SELECT number, :words FROM messages"
            f" WHERE id = :id AND NOT EXISTS (SELECT 1 FROM {INDEX} WHERE rowid = number)"
        ),
        find=text(
            f"SELECT m.session_id, m.number FROM {INDEX} AS i CROSS JOIN messages AS m"
            f" ON m.number = i.rowid WHERE {INDEX} MATCH :match AND m.user_id = :user LIMIT :most"
        ),
    ),
    "postgresql": _Statements(
        ended=_ended("SELECT 1 FROM message_words AS w WHERE w.number = m.number"),
        remove=text(
            "DELETE FROM message_words WHERE number = (SELECT number FROM messages WHERE id = :id)"
        ),
        add=text(
            "INSERT INTO message_words (number, part, words) SELECT number, :part,"
            " array_to_tsvector(CAST(:words AS text[])) FROM messages WHERE id = :id"
        ),
        add_missing=text(
            "INSERT INTO message_words (number, part, words) SELECT number, :part,"
            " array_to_tsvector(CAST(:words AS text[])) FROM messages WHERE id = :id"
            " ON CONFLICT DO NOTHING"
        ),
        find=text(
            "SELECT DISTINCT m.session_id, m.number FROM message_words AS w JOIN messages AS m"
            " ON m.number = w.number WHERE w.words @@ CAST(:match AS tsquery)"
            " AND m.user_id = :user LIMIT :most"
        ),
    ),
}


def create_message_index(connection: Connection) -> None:
    """Create what the models do not have, where it is missing; repeatable."""
    if connection.dialect.name == "sqlite":
        for statement in STATEMENTS:
            connection.exec_driver_sql(statement)


@event.listens_for(Message.__table__, "after_create")
def _with_messages(_table: Any, connection: Connection, **_options: Any) -> None:
    create_message_index(connection)


@dataclass(frozen=True, slots=True)
class Text:
    """What is indexed of a message."""

    id: str
    user_id: str
    content: str


def index_ended(t: Session, answer_ids: Collection[str]) -> None:
    """Index answers that have ended, instead of what was indexed of them, and their questions.

    The search does not look into the sessions of programs.
    """
    rows = t.execute(_of(t).ended, {"ids": list(answer_ids)}).all()
    again = [{"id": row.id} for row in rows if row.indexed and row.id in answer_ids]
    if again:
        t.execute(_of(t).remove, again)
    new = (row for row in rows if not row.indexed or row.id in answer_ids)
    index_new(t, [Text(row.id, row.user_id, row.content) for row in new])


def index_new(t: Session, messages: Iterable[Text]) -> None:
    """Index messages that are stored and not indexed."""
    if values := _values(messages, _is_sqlite(t)):
        t.execute(_of(t).add, values)


def find_messages(
    t: Session, user_id: str, term: str, most: int
) -> Mapping[str, Sequence[int]] | None:
    """Return the user's messages that may contain a term: numbers by session; None if more than
    `most` do."""
    words = [(_owned(user_id, word), is_open) for word, is_open in words_in(term)]
    match = _fts_query(words) if _is_sqlite(t) else _ts_query(words)
    rows = t.execute(_of(t).find, {"match": match, "user": user_id, "most": most + 1}).all()
    if len(rows) > most:
        return None
    found: dict[str, list[int]] = {}
    for row in [*rows, *t.execute(_LIVE, {"user": user_id})]:
        found.setdefault(row.session_id, []).append(row.number)
    return found


def is_missing(connection: Connection) -> bool:
    """Return whether FTS5's table is missing; PostgreSQL's is one of the models."""
    return connection.dialect.name == "sqlite" and not inspect(connection).has_table(INDEX)


def restore_index(t: Session) -> None:
    """Create the index again, empty, and have the document worker fill it."""
    create_message_index(t.connection())
    index_later(t)


def index_later(t: Session) -> None:
    """Have the document worker index all messages that are not; until then, they are read."""
    t.execute(delete(UnindexedMessages))
    last = t.scalar(select(func.max(Message.number)))
    if last is not None:
        t.execute(insert(UnindexedMessages).values(below=last + 1))


def is_complete(t: Session) -> bool:
    """Return whether all messages are indexed."""
    return t.scalar(select(func.count()).select_from(UnindexedMessages)) == 0


class MessageIndexer:
    """Indexes the messages from before the index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run_step(self) -> bool:
        """Index some messages; return whether there were any."""
        for _ in range(STEP_BATCHES):
            below = self._database.read(lambda t: t.scalar(select(UnindexedMessages.below)))
            if below is None:
                return False
            self._index_batch(below)
        return True

    def _index_batch(self, below: int) -> None:
        newest = (
            select(Message.number, Message.id, Message.user_id, Message.content, Message.status)
            .where(Message.number < below)
            .order_by(Message.number.desc())
            .limit(BATCH_MESSAGES)
        )
        rows = self._database.read(lambda t: t.execute(newest).all())
        # The words of a live answer are indexed with its end.
        ended = [
            Text(row.id, row.user_id, row.content)
            for row in rows
            if row.status not in (State.QUEUED.value, State.RUNNING.value)
        ]
        values = _values(ended, self._database.sqlite)

        def add(t: Session) -> None:
            if values:
                t.execute(_of(t).add_missing, values)
            reached = UnindexedMessages.below <= below
            if rows:
                t.execute(update(UnindexedMessages).where(reached).values(below=rows[-1].number))
            else:
                t.execute(delete(UnindexedMessages).where(reached))

        self._database.write(add)


def _values(messages: Iterable[Text], is_sqlite: bool) -> list[dict[str, Any]]:
    """Return the rows of messages; one without words has none."""
    rows: list[dict[str, Any]] = []
    for message in messages:
        if is_sqlite:
            words = _words(message.user_id, message.content)
            rows.append({"id": message.id, "words": " ".join(words)})
            continue
        for part, cut in enumerate(_parts(message.content)):
            words = _words(message.user_id, cut)
            rows.append({"id": message.id, "part": part, "words": words})
    return [row for row in rows if row["words"]]


def _parts(content: str) -> list[str]:
    last = max(len(content) - OVERLAP_CHARACTERS, 1)
    starts = range(0, last, PART_CHARACTERS - OVERLAP_CHARACTERS)
    return [content[start : start + PART_CHARACTERS] for start in starts]


def _words(user_id: str, content: str) -> list[str]:
    return [_owned(user_id, word) for word in words_of(content)]


def _owned(user_id: str, word: str) -> str:
    return user_id[:OWNER_CHARACTERS] + word


def _fts_query(words: Iterable[tuple[str, bool]]) -> str:
    return " AND ".join(f'"{word}"{"*" if is_open else ""}' for word, is_open in words)


def _ts_query(words: Iterable[tuple[str, bool]]) -> str:
    return " & ".join(f"'{word}'{':*' if is_open else ''}" for word, is_open in words)


def _of(t: Session) -> _Statements:
    return _STATEMENTS[t.get_bind().dialect.name]


def _is_sqlite(t: Session) -> bool:
    return t.get_bind().dialect.name == "sqlite"
