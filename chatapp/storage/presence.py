"""Whether the SQLite file of a home is there: a lost one must not be replaced by an empty one."""

import contextlib
import sqlite3
from pathlib import Path

from chatapp.settings import Settings


def is_lost(settings: Settings) -> bool:
    """Return whether the database of a home that has been in use is missing or empty.

    The first start writes the file `token` after the tables; uploads are kept in `originals`.
    """
    file = settings.sqlite_file
    return file is not None and _is_empty(file) and _has_been_used(settings)


def _is_empty(file: Path) -> bool:
    """Return whether a database is missing, has no bytes, or no tables; False if it is damaged."""
    if not file.exists() or (file.is_file() and file.stat().st_size == 0):
        return True
    with contextlib.suppress(sqlite3.Error):
        address = f"{file.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            return database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    return False


def _has_been_used(settings: Settings) -> bool:
    originals = settings.files_folder / "originals"
    kept = originals.glob("[0-9a-f][0-9a-f]/*") if originals.is_dir() else iter(())
    return (settings.home / "token").exists() or next(kept, None) is not None
