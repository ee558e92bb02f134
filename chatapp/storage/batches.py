"""Group commit: writes that wait at the same moment share a transaction.

A group holds the named locks of all its members. One whose lock is taken by another process goes to
a later group; if a group fails, its members run alone, each in a transaction of its own.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import gevent
from gevent.event import AsyncResult
from sqlalchemy.orm import Session

from chatapp.errors import DatabaseBusy
from chatapp.storage.named_locks import LOCK_SECONDS, LockTaken, pause_seconds
from chatapp.storage.threads import Outcome, outcome

MOST_BATCHED = 32  # writes in one transaction: everything else waits for the lock meanwhile

T = TypeVar("T")
Write: TypeAlias = Callable[[Session], Any]


@dataclass(eq=False, slots=True)
class Waiting:
    """A write that waits, and the lock under which it runs."""

    fn: Write
    lock: str
    until: float = field(default_factory=lambda: time.monotonic() + LOCK_SECONDS)
    result: "AsyncResult[Any]" = field(default_factory=AsyncResult)

    def end(self, end: Outcome) -> None:
        """Give the caller what the write returned or raised."""
        if end.fault is None:
            self.result.set(end.value)
        else:
            self.result.set_exception(end.fault)


class GroupFailed(Exception):
    """A group was rolled back; its members may still succeed alone."""


class Batches:
    """The writes that wait in this process."""

    def __init__(
        self,
        write_group: Callable[[Sequence[Waiting]], Sequence[Outcome]],
        write_alone: Callable[[Waiting], Any],
        gap_seconds: float,
    ) -> None:
        """`write_group` returns how each ended, LockTaken among the faults, or raises.

        `gap_seconds` lie between two groups that have a lock in common.
        """
        self._gap_seconds = gap_seconds
        self._write_group = write_group
        self._write_alone = write_alone
        self._waiting: list[Waiting] = []
        self._runs = False

    def write(self, fn: Callable[[Session], T], lock: str) -> T:
        """Wait until `fn` has run in a group, and return what it returned."""
        waiting = Waiting(fn, lock)
        self._waiting.append(waiting)
        if not self._runs:
            self._runs = True
            gevent.spawn(self._write_all)
        return waiting.result.get()  # type: ignore[no-any-return]

    def _write_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST_BATCHED], self._waiting[MOST_BATCHED:]
                later = self._write(group)
                self._waiting += later
                if len(later) == len(group):
                    gevent.sleep(pause_seconds())
                elif self._gap_seconds and _locks(group) & _locks(self._waiting):
                    gevent.sleep(self._gap_seconds)
        finally:
            self._runs = False

    def _write(self, group: Sequence[Waiting]) -> list[Waiting]:
        """Run a group; return those that have to wait for their lock."""
        try:
            ends = self._write_group(group)
        except GroupFailed:
            for each in group:
                gevent.spawn(self._run_alone, each)
            return []
        except BaseException as broken:  # the threads have ended: release all callers
            ends = [Outcome(fault=broken)] * len(group)
        later = []
        for each, end in zip(group, ends, strict=True):
            if not isinstance(end.fault, LockTaken):
                each.end(end)
            elif time.monotonic() < each.until:
                later.append(each)
            else:
                each.end(Outcome(fault=DatabaseBusy()))
        return later

    def _run_alone(self, waiting: Waiting) -> None:
        waiting.end(outcome(lambda: self._write_alone(waiting)))


def _locks(writes: Sequence[Waiting]) -> set[str]:
    return {each.lock for each in writes}
