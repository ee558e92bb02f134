"""A database as one file: taken while the service writes to it, and put back.

Of SQLite it is a database file without a WAL, of PostgreSQL the output of pg_dump.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatapp.backups.archive import DATABASES
from chatapp.backups.contents import Contents, contents
from chatapp.backups.faults import BackupFault, full_disk
from chatapp.knowledge.search.dense import NEEDS_REBUILD
from chatapp.settings import Settings
from chatapp.storage import dumps
from chatapp.storage.database import open_database
from chatapp.storage.migrate import migrate
from chatapp.storage.models import KnowledgeBase


def kind(settings: Settings) -> str:
    """Return the kind of database that the settings name."""
    return "sqlite" if settings.sqlite_file else "postgresql"


def take(settings: Settings, folder: Path) -> tuple[Path, Contents]:
    """Write the database into a folder; return the file and what it refers to.

    The database's own check must find it intact.
    """
    target = folder / DATABASES[kind(settings)]
    target.unlink(missing_ok=True)
    if settings.sqlite_file is None:
        return target, _take_postgres(settings, target)
    if not settings.sqlite_file.exists():
        raise BackupFault("no_database", file=settings.sqlite_file)
    try:
        with full_disk(folder):
            _copy_sqlite(settings.sqlite_file, target)
            copy = open_database(f"sqlite:///{target}")
            found = copy.read(contents)
            copy.close()
            _finish_sqlite(target)
    except (sqlite3.DatabaseError, SQLAlchemyError) as fault:
        raise BackupFault("database_damaged", file=settings.sqlite_file) from fault
    return target, found


def require_empty(settings: Settings) -> None:
    """Raise BackupFault if there is something in the PostgreSQL database of the settings."""
    database = open_database(settings.sql_url)
    used = database.read(lambda t: inspect(t.connection()).has_table("alembic_version"))
    database.close()
    if used:
        raise BackupFault("database_used")


def put_back(settings: Settings, source: Path) -> None:
    """Load a PostgreSQL database from its file, or prepare an SQLite file for its place."""
    if settings.sqlite_file is not None:
        opened = open_database(f"sqlite:///{source}")
    else:
        opened = open_database(settings.sql_url)
        try:
            dumps.load(settings.sql_url, opened.read(dumps.server_version), source)
        except dumps.DumpFault as fault:
            raise BackupFault(fault.key, **fault.params) from fault
    opened.write(lambda t: t.execute(_FORGET_INDEX))
    opened.close()
    if settings.sqlite_file is not None:
        _finish_sqlite(source)


def upgrade(settings: Settings) -> None:
    """Bring a database that was put back up to this version of the program."""
    migrate(settings)


# Chroma's index is not in a backup: it is built from the vectors in the database.
_FORGET_INDEX = update(KnowledgeBase).values(indexed=NEEDS_REBUILD)


def _copy_sqlite(file: Path, target: Path) -> None:
    """Copy in one step: one reader of the WAL does not hold up those who write."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def _finish_sqlite(file: Path) -> None:
    """Leave one file without a WAL, checked."""
    with closing(sqlite3.connect(file)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")
        if copy.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("integrity_check")


def _take_postgres(settings: Settings, target: Path) -> Contents:
    """Run pg_dump on the snapshot of the transaction that lists the files."""
    url = settings.sql_url

    def dump(t: Session) -> Contents:
        dumps.begin(t)
        found = contents(t)
        dumps.dump(url, t, target)
        return found

    database = open_database(url)
    try:
        return database.read(dump)
    except dumps.DumpFault as fault:
        raise BackupFault(fault.key, **fault.params) from fault
    except SQLAlchemyError as fault:
        raise BackupFault("no_database", file="DATABASE_URL") from fault
    finally:
        database.close()
