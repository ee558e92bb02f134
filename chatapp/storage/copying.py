"""Copying all rows of a database into another, of the same or the other kind, and comparing them.

`move-database` copies SQLite to PostgreSQL (moving.py). The other direction works too: for a backup
of PostgreSQL in an SQLite file, where `pg_dump` cannot be used, and for restoring it. The target
has the schema of the source (`migrate`) and no rows:

    parts = database_parts()  # of knowledge/search/lexical_copy.py: all tables and the index
    source.read(lambda t: copy_all(parts, t, target))
    found = source.read(lambda t: target.read(lambda other: [*compare_all(parts, t, other)]))
    differs = any(found)

A part is what is copied as one: the rows of a table, or of the lexical index, which the two kinds
of databases store differently. Rows are read in the order of their keys and in small batches, each
written in one transaction, so memory does not depend on the size of the database, and a copy that
was killed continues behind the rows that it has. The caller keeps their number (`Store`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

from sqlalchemy import (
    JSON,
    URL,
    Column,
    ColumnElement,
    Connection,
    Executable,
    String,
    Table,
    Text,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Session

from chatapp.storage import (  # noqa: F401  their tables are copied
    audit_models,
    chat_models,
    image_models,
    lexical_models,
    sharing_models,
    sign_in_models,
    text_models,
    usage_models,
)
from chatapp.storage.database import Database
from chatapp.storage.message_index import index_later
from chatapp.storage.models import Base
from chatapp.storage.pools import engine_options

BATCH_ROWS, BATCH_BYTES = 500, 8 * 1024 * 1024
FETCHED_ROWS = 50  # at once: a text may have some MB
KEYS_KEPT = 3  # of rows that differ
# `terms` are copied by the lexical index; that of messages is made anew.
OF_AN_INDEX = ("terms", "message_words", "unindexed_messages")
# Columns that are set: whether Chroma has a base's vectors must be checked again.
FIXED: Mapping[str, Mapping[str, Any]] = {"knowledge_bases": {"indexed": -1}}

Row: TypeAlias = tuple[Any, ...]
Store: TypeAlias = Callable[[Session, str, int, int], None]


class Part(Protocol):
    """What is copied as one. `key_columns`: how many of a row's first values are its key."""

    @property
    def name(self) -> str:
        """Its name, that of the table."""

    @property
    def key_columns(self) -> int:
        """How many of a row's first values are its key."""

    def count(self, t: Session) -> int:
        """Return the number of rows."""

    def rows(self, t: Session, skip: int = 0) -> Iterator[Row]:
        """Yield the rows, in the order of their keys; the same from both kinds of databases."""

    def add(self, t: Session, rows: Sequence[Row]) -> None:
        """Insert rows."""

    def finish(self, source: Session, target: Session) -> None:
        """Do what remains once all rows are there; repeatable."""


@dataclass(slots=True)
class Difference:
    """Rows of a part that are not the same in both databases, with the keys of the first ones.

    It is false if all are the same; `rows` is how many were compared.
    """

    part: str
    rows: int = 0
    missing: int = 0  # in the target
    added: int = 0  # only in the target
    changed: int = 0
    keys: list[Row] = field(default_factory=list)

    def add(self, key: Row, keys: Sequence[Row | None]) -> None:
        """Count the row with this key; `keys` are those of the next row in each database."""
        self.missing += key != keys[1]
        self.added += key != keys[0]
        self.changed += keys[0] == keys[1]
        if len(self.keys) < KEYS_KEPT:
            self.keys.append(key)

    def __bool__(self) -> bool:
        return bool(self.missing or self.added or self.changed)


class TablePart:
    """A table of the models."""

    def __init__(self, table: Table, fixed: Mapping[str, Any] | None = None) -> None:
        keys = list(table.primary_key.columns)
        self.name = table.name
        self.key_columns = len(keys)
        self._table = table
        self._fixed = fixed or {}
        self._columns = [*keys, *(column for column in table.columns if column not in keys)]

    def count(self, t: Session) -> int:
        """Return the number of rows."""
        return t.scalar(select(func.count()).select_from(self._table)) or 0

    def rows(self, t: Session, skip: int = 0) -> Iterator[Row]:
        """Yield the rows in the order of the primary key; JSON is the text that is stored."""
        order = [_in_bytes(column, t) for column in self._columns[: self.key_columns]]
        query = select(*map(self._read, self._columns)).order_by(*order).offset(skip or None)
        return streamed(t, query)

    def add(self, t: Session, rows: Sequence[Row]) -> None:
        """Insert rows."""
        values = {column.name: _bound(f"c{n}", column, t) for n, column in enumerate(self._columns)}
        named = [{f"c{n}": value for n, value in enumerate(row)} for row in rows]
        t.execute(insert(self._table).values(values), named)

    def finish(self, source: Session, target: Session) -> None:
        """Give no number again that the source has given."""
        column = self._table.autoincrement_column
        if column is not None:
            _set_last_number(target, column, _last_number(source, column))

    def _read(self, column: Column[Any]) -> ColumnElement[Any]:
        if column.name in self._fixed:
            return literal(self._fixed[column.name], column.type)
        return cast(column, Text) if isinstance(column.type, JSON) else column


def table_parts() -> list[Part]:
    """Return all tables of the models, referenced ones first."""
    return [
        TablePart(table, FIXED.get(table.name))
        for table in Base.metadata.sorted_tables
        if table.name not in OF_AN_INDEX
    ]


def open_read_only(file: Path) -> Database:
    """Open an SQLite file that is never written to, not even to set its journal mode."""
    path = f"file:{quote(str(file.absolute()))}"
    url = URL.create("sqlite", database=path, query={"mode": "ro", "uri": "true"})
    engine = create_engine(url, **engine_options("sqlite"))

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite must not begin by itself

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return Database(engine)


def copy_all(parts: Iterable[Part], source: Session, target: Database) -> None:
    """Copy all parts into an empty database."""
    parts = list(parts)
    freeze(source)
    for part in parts:
        for _ in copy(part, source, target):
            pass
    target.write(lambda t: finish_all(parts, source, t))


def freeze(t: Session) -> None:
    """Let a transaction that has read nothing yet see the database as it is now, as SQLite does."""
    if not is_sqlite(t):
        t.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def copy(
    part: Part,
    source: Session,
    target: Database,
    done: int = 0,
    store: Store = lambda *_: None,
) -> Iterator[int]:
    """Copy the rows behind the first `done`; yield how many the target has, after each batch.

    `store` is called in each batch's transaction with the number before and after it.
    """
    for rows in batches(part.rows(source, done)):

        def add(t: Session, rows: Sequence[Row] = rows, done: int = done) -> None:
            store(t, part.name, done, done + len(rows))
            part.add(t, rows)

        target.write(add)
        done += len(rows)
        yield done


def finish_all(parts: Iterable[Part], source: Session, target: Session) -> None:
    """Do what remains once all rows are there; the document worker makes the index of messages."""
    for part in parts:
        part.finish(source, target)
    index_later(target)


def compare_all(parts: Iterable[Part], source: Session, target: Session) -> Iterator[Difference]:
    """Compare all parts; yield the result of each, which is false if all rows are the same."""
    freeze(source)
    freeze(target)
    return (compare(part, source, target) for part in parts)


def compare(part: Part, source: Session, target: Session) -> Difference:
    """Compare all rows of a part, value by value."""
    found = Difference(part.name)
    ours, theirs = part.rows(source), part.rows(target)
    mine, other = next(ours, None), next(theirs, None)
    while mine is not None or other is not None:
        keys = [row[: part.key_columns] if row else None for row in (mine, other)]
        first = min(key for key in keys if key is not None)
        found.rows += 1
        if mine != other:
            found.add(first, keys)
        mine = next(ours, None) if keys[0] == first else mine
        other = next(theirs, None) if keys[1] == first else other
    return found


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield rows in lists that are small in number and size."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(batch) == BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def streamed(
    t: Session, query: Executable, values: Mapping[str, Any] | None = None
) -> Iterator[Row]:
    """Yield the rows of a query without loading all of them."""
    options = {"yield_per": FETCHED_ROWS}
    return map(tuple, t.execute(query, values or {}, execution_options=options))


def is_sqlite(t: Session) -> bool:
    """Return whether a session's database is SQLite."""
    return t.get_bind().dialect.name == "sqlite"


def _in_bytes(column: Column[Any], t: Session) -> ColumnElement[Any]:
    """Order texts by their bytes, as SQLite and Python do."""
    is_text = isinstance(column.type, String)
    return column.collate("C") if is_text and not is_sqlite(t) else column


def _bound(name: str, column: Column[Any], t: Session) -> ColumnElement[Any]:
    if not isinstance(column.type, JSON):
        return bindparam(name, type_=column.type)
    stored = bindparam(name, type_=Text())
    return stored if is_sqlite(t) else cast(stored, JSON)


def _last_number(t: Session, column: Column[Any]) -> int:
    """Return the highest number that a column had, also in rows that are deleted."""
    given = text(
        "SELECT seq FROM sqlite_sequence WHERE name = :table"
        if is_sqlite(t)
        else "SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, :column))"
    )
    names = {"table": column.table.name, "column": column.name}
    return max(t.scalar(select(func.max(column))) or 0, t.scalar(given, names) or 0)


def _set_last_number(t: Session, column: Column[Any], number: int) -> None:
    values = {"table": column.table.name, "column": column.name, "number": number}
    if not is_sqlite(t):
        sequence = "pg_get_serial_sequence(:table, :column)"
        called = text(f"SELECT setval({sequence}, greatest(:number, 1), :number > 0)")
        t.execute(called, values)
        return
    t.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), values)
    t.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)"), values)
