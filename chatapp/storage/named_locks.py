"""Locks by name in PostgreSQL, held until a transaction ends; SQLite has one writer anyway.

Nobody waits for one while holding a connection: a transaction that finds it taken is rolled back
and begins again later. So these locks cannot be part of a deadlock either, and a burst of one
person's questions does not take all connections.
"""

import random
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from sqlalchemy import text
from sqlalchemy.orm import Session

LOCK_SECONDS = 30  # of repeated tries, then the database is busy
PAUSE_SECONDS = 0.003, 0.008  # between two tries, at random
GAP_SECONDS = 0.01  # between two groups with the same lock: another host's try falls into it
GROUP_MS, SINGLE_MS = 1000, 5000  # for one row that another transaction has locked

_TAKE = text(
    "SELECT name, set_config('lock_timeout', :ms, true)"
    " FROM unnest(CAST(:names AS text[])) AS name"
    " WHERE pg_try_advisory_xact_lock(hashtext(name))"
)


class LockTaken(Exception):
    """Another transaction holds the lock."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


@dataclass(eq=False, slots=True, weakref_slot=True)
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)


class Turns:
    """Who of this process tries again: one at a time for each lock, the others wait behind."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()

    @contextmanager
    def wait(self, name: str) -> Iterator[None]:
        """Wait for the turn."""
        turn = self._turns.setdefault(name, _Turn())
        with turn.lock:
            yield


def take(session: Session, name: str) -> None:
    """Take a lock for this transaction; raise LockTaken."""
    if not _take(session, [name], SINGLE_MS):
        raise LockTaken(name)


def take_free(session: Session, names: Collection[str]) -> set[str]:
    """Take those of these locks that are free, in one statement; return their names."""
    return _take(session, sorted(set(names)), GROUP_MS)


def pause_seconds() -> float:
    """Return how long to wait before the next try."""
    return random.uniform(*PAUSE_SECONDS)


def _take(session: Session, names: list[str], row_ms: int) -> set[str]:
    taken = session.execute(_TAKE, {"names": names, "ms": str(row_ms)})
    return {row.name for row in taken}
