"""Moving a database into an empty PostgreSQL database, to be continued after it was killed.

The target's table `unfinished_move` has the number of rows of each part (copying.py) that are
there; each batch of rows changes it in the same transaction. The table is made when the target was
found to be empty, and dropped when all rows were compared. Until then the service does not start
with this database (migrate.py).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    literal,
    select,
    table,
    text,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from chatapp.errors import MoveRefused
from chatapp.settings import Settings
from chatapp.storage.copying import Part, copy, finish_all, freeze
from chatapp.storage.database import Database
from chatapp.storage.migrate import UNFINISHED, migrate
from chatapp.storage.models import Base

Show: TypeAlias = Callable[[str, int, int], None]  # part, rows that are there, all rows

_progress = Table(
    UNFINISHED,
    MetaData(),
    Column("part", String(80), primary_key=True),
    Column("rows", BigInteger, nullable=False),
)
_VERSION = "alembic_version"
_OURS = {*Base.metadata.tables, "lexical", _VERSION}


def is_unfinished(target: Database) -> bool:
    """Return whether a move into this database has begun and not ended."""
    return target.read(lambda t: inspect(t.connection()).has_table(UNFINISHED))


def begin(parts: Sequence[Part], source: Database, target: Database, settings: Settings) -> None:
    """Prepare a target that is empty; `settings` are those of a service that uses it.

    Raises MoveRefused if it has rows or other tables, or if the source has another version.
    """
    has_begun = is_unfinished(target)
    if not has_begun:
        if not target.read(_is_empty):
            raise MoveRefused("not_empty")
        migrate(settings)
    _require_same_version(source, target)
    if not has_begun:
        target.write(lambda t: _begin(t, parts))


def empty(target: Database) -> None:
    """Drop all tables of a target into which a move has begun, which is to start over."""
    if is_unfinished(target):
        target.write(_drop_all)


def move(parts: Sequence[Part], source: Database, target: Database, show: Show) -> None:
    """Copy all rows that the target does not have yet.

    Raises MoveRefused if the source was written to meanwhile, or has rows that do not fit.
    """
    before = source.read(_data_version)
    source.read(lambda t: _move(parts, t, target, show))
    if source.read(_data_version) != before:
        raise MoveRefused("changed")


def end(target: Database) -> None:
    """Let the service use the target, all of whose rows were compared."""
    target.write(lambda t: _progress.drop(t.connection()))


def _is_empty(t: Session) -> bool:
    names = set(inspect(t.connection()).get_table_names())
    rows = (select(literal(1)).select_from(table(name)).limit(1) for name in names - {_VERSION})
    return names <= _OURS and not any(map(t.scalar, rows))


def _require_same_version(source: Database, target: Database) -> None:
    version = text(f"SELECT version_num FROM {_VERSION}")
    if source.read(lambda t: t.scalar(version)) != target.read(lambda t: t.scalar(version)):
        raise MoveRefused("version")


def _begin(t: Session, parts: Sequence[Part]) -> None:
    _progress.create(t.connection())
    t.execute(insert(_progress), [{"part": part.name, "rows": 0} for part in parts])


def _drop_all(t: Session) -> None:
    held = MetaData()
    held.reflect(t.connection())
    held.drop_all(t.connection())


def _data_version(t: Session) -> int:
    """Return a number that changes when another connection commits to an SQLite file."""
    return int(t.scalar(text("PRAGMA data_version")) or 0)


def _move(parts: Sequence[Part], source: Session, target: Database, show: Show) -> None:
    freeze(source)
    there: dict[str, int] = target.read(
        lambda t: {row.part: row.rows for row in t.execute(select(_progress))}
    )
    for part in parts:
        with _faults(part.name):
            rows = part.count(source)
            show(part.name, there[part.name], rows)
            for done in copy(part, source, target, there[part.name], _store):
                show(part.name, done, rows)
    target.write(lambda t: finish_all(parts, source, t))
    target.write(lambda t: t.execute(text("ANALYZE")) and None)


def _store(t: Session, part: str, before: int, done: int) -> None:
    """Store the number of rows of a part; two moves at once must not write the same ones."""
    same = _progress.c.part == part, _progress.c.rows == before
    if t.execute(update(_progress).where(*same).values(rows=done)).rowcount != 1:  # type: ignore[attr-defined]
        raise MoveRefused("twice")


@contextmanager
def _faults(part: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as fault:
        raise MoveRefused("changed") from fault
    except DataError as fault:
        raise MoveRefused("unfit", table=part) from fault
