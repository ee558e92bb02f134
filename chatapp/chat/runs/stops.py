"""Stop requests from one worker to the worker that owns the run.

On PostgreSQL a request is a column of the run. On SQLite, where all workers share a home folder, it
is an empty file: a database write could wait for a lock while the model continues. The owner polls
both.
"""

import contextlib
import os
import time
from pathlib import Path

from chatapp.chat import answers
from chatapp.storage.database import Database
from chatapp.storage.disk import disk_fault

FOLDER = "stops"
STALE_SECONDS = 60  # then an unclaimed file is deleted: its run has ended


class Stops:
    """Requested stops of runs in other workers."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._folder = home / FOLDER

    def ask(self, message_id: str) -> None:
        """Request that a run of another worker stops; idempotent."""
        if not self._database.sqlite:
            self._database.write(lambda t: answers.request_stop(t, message_id))
            return
        try:
            self._folder.mkdir(exist_ok=True)
            (self._folder / message_id).touch()
        except OSError as fault:
            if disk_fault(fault) is None:
                raise
            self._database.write_deletion(lambda t: answers.request_stop(t, message_id))

    def take(self) -> list[str]:
        """Return the runs whose stop was requested by file."""
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self._folder)
        return []

    def forget(self, message_id: str) -> None:
        """Remove a request that was carried out."""
        (self._folder / message_id).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove stale requests, of runs that ended meanwhile or whose owner was killed."""
        for name in self.take():
            path = self._folder / name
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - STALE_SECONDS:
                    path.unlink()
