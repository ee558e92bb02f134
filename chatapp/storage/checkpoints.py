"""Checkpoints of SQLite's write-ahead log (WAL), outside of the writer's commits.

A checkpoint syncs the WAL and the database file. SQLite runs it inside the commit that passes 1,000
pages, and on a disk whose sync takes 1 s that commit took 3 s (docs/decisions.md).
"""

import logging
import sqlite3
from pathlib import Path
from time import monotonic

from gevent.threadpool import ThreadPool

from chatapp.settings import MB
from chatapp.storage.disk import Space, checkpoint, reserved_bytes

log = logging.getLogger("chatapp.storage")

# The first commit after a completed checkpoint syncs the WAL's new header, in the writer's thread.
# So checkpoints are rare; four times SQLite's own threshold costs readers nothing measurable.
CHECKPOINT_BYTES = 16 * MB
MOST_WAL_BYTES = 64 * MB  # beyond, a checkpoint holds writers back until the WAL is empty
PAUSE_SECONDS = 1


class Checkpoints:
    """Copies a large WAL into the database file, with a thread and connection of its own.

    `journal_size_limit=0` makes the file's size say how much there is to copy.
    """

    def __init__(self, space: Space) -> None:
        self._threads = ThreadPool(1)
        self._file, self._disk = space.file, space.disk
        self._due_bytes = checkpoint_bytes(self._file)
        self._running = False
        self._pause_until = 0.0

    def start_if_large(self) -> None:
        """Begin a checkpoint if one is due; do not wait for it."""
        due = not self._running and monotonic() >= self._pause_until
        if due and _wal_bytes(self._file) >= self._due_bytes:
            self._running = True
            self._threads.spawn(self._run)

    def close(self) -> None:
        """End the thread. SQLite itself checkpoints when the last connection closes."""
        self._threads.kill()

    def _run(self) -> None:
        try:
            # This does not block writers. If none wrote meanwhile, the next write restarts the WAL;
            # otherwise the next checkpoint has little to copy.
            checkpoint(self._file, "PASSIVE")
            if _wal_bytes(self._file) > MOST_WAL_BYTES:
                checkpoint(self._file, "TRUNCATE")
        except sqlite3.Error as fault:
            if self._disk.note_error(fault) is None:
                log.warning("checkpoint failed", exc_info=True)
        finally:
            self._pause_until = monotonic() + PAUSE_SECONDS
            self._running = False


def checkpoint_bytes(database: Path) -> int:
    """Return the size of the WAL at which a checkpoint is due.

    On a full disk, the reserve has to hold what a checkpoint adds to the database file.
    """
    return min(CHECKPOINT_BYTES, reserved_bytes(database.parent) // 2)


def _wal_bytes(database: Path) -> int:
    try:
        return database.with_name(f"{database.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0
