"""Holding a home while its service does not run."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from chatapp.backups.faults import BackupFault
from chatapp.home import try_lock
from chatapp.settings import Settings


@contextmanager
def stopped(settings: Settings) -> Iterator[None]:
    """Hold the lock of the home, so that no service starts; raise BackupFault while one runs."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = try_lock(settings.home / "lock", os.getpid())
    if lock is None:
        raise BackupFault("service_runs", home=settings.home)
    with lock:
        _require_closed(settings)
        yield


def _require_closed(settings: Settings) -> None:
    """Raise BackupFault if another process has the SQLite file open.

    A web server without helpers does not hold the lock. SQLite ends the mode of the WAL only while
    nobody else is connected; the next start begins it again.
    """
    file = settings.sqlite_file
    if file is None or not file.is_file():
        return
    with closing(sqlite3.connect(file, timeout=1)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as fault:
            if "locked" not in str(fault):
                raise
            raise BackupFault("service_runs", home=settings.home) from fault
        except sqlite3.DatabaseError:  # a damaged file, which may be what is to be replaced
            return
