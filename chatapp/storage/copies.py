"""Copies of the database that are made before migrations change it, in the folder `backups`.

SQLite's backup API makes them, or PostgreSQL's `pg_dump`, which must not be older than the server.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from chatapp.settings import Settings
from chatapp.storage import dumps

COPIES_KEPT = 3


class NotCopied(Exception):
    """There is no copy; the text is what `pg_dump` said, empty if none is installed."""


def copies(settings: Settings) -> list[Path]:
    """Return the copies of a home's database, the newest last."""
    kind = "db" if settings.sqlite_file else "dump"
    found = _folder(settings).glob(f"*-before-*.{kind}")
    return sorted(found, key=lambda path: path.stat().st_mtime)


def copy_aside(settings: Settings, engine: Engine, revision: str) -> Path:
    """Copy the database of this revision; raise NotCopied, and OSError on a full disk."""
    folder = _folder(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    if settings.sqlite_file:
        target = folder / f"{settings.sqlite_file.stem}-before-{revision}.db"
        _copy_sqlite(settings.sqlite_file, target)
    else:
        target = folder / f"chatapp-before-{revision}.dump"
        _dump_postgres(settings.sql_url, engine, target)
    for old in copies(settings)[:-COPIES_KEPT]:
        old.unlink()
    return target


def _folder(settings: Settings) -> Path:
    return (settings.sqlite_file.parent if settings.sqlite_file else settings.home) / "backups"


def _copy_sqlite(file: Path, target: Path) -> None:
    """Copy with SQLite's backup API: copying a live WAL database as bytes corrupts it."""
    part = target.with_suffix(".part")
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _dump_postgres(url: str, engine: Engine, target: Path) -> None:
    part = target.with_suffix(".part")
    try:
        with engine.connect() as connection:
            dumps.begin(connection)
            dumps.dump(url, connection, part)
        part.rename(target)
    except dumps.DumpFault as fault:
        raise NotCopied(str(fault)) from fault
    finally:
        part.unlink(missing_ok=True)
