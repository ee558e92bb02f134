"""What ends the work on a backup. The terminal has a sentence for each, `cli.backup.<key>`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatapp.errors import DiskFull
from chatapp.storage.disk import disk_of


class BackupFault(Exception):
    """A backup cannot be made, read or restored; `params` are those of the sentence."""

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key)
        self.key = key
        self.params = params


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Raise BackupFault for what a full or read-only disk makes the system or SQLite raise."""
    try:
        yield
    except (OSError, sqlite3.OperationalError, DiskFull) as fault:
        full = fault if isinstance(fault, DiskFull) else disk_of(folder).note_error(fault)
        if full is None:
            raise
        raise BackupFault("read_only" if full.detail else "disk_full", folder=folder) from fault
