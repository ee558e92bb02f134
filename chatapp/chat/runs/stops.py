"""Word for the owner of a run that it is to stop, left by another worker.

On PostgreSQL it is a column of the run. On SQLite all workers share one home folder, and it is an empty file there: a write
to the database would wait for whatever process holds its lock, and a model must not go on for that long. The owner looks in
the same rhythm as it reads everything else.
"""

import contextlib
import os
import time
from pathlib import Path

from chatapp.chat import answers
from chatapp.storage.database import Database

FOLDER = "stops"
KEPT_SECONDS = 60  # of a file that nobody took: its run has ended by then, whatever happened


class Stops:
    """Who is to stop, as told by other workers."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._folder = home / FOLDER

    def ask(self, message_id: str) -> None:
        """Leave word for a run that another worker writes; any number of times."""
        if not self._database.sqlite:
            self._database.write(lambda t: answers.request_stop(t, message_id))
            return
        self._folder.mkdir(exist_ok=True)
        (self._folder / message_id).touch()

    def take(self) -> list[str]:
        """Return the runs that files speak of."""
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self._folder)
        return []

    def forget(self, message_id: str) -> None:
        """Take word back that has been obeyed."""
        (self._folder / message_id).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what nobody took: its run ended in the same moment, or its owner was killed."""
        for name in self.take():
            path = self._folder / name
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                    path.unlink()
