"""The only place where a transaction begins.

`read(fn)` and `write(fn)` begin, run `fn(session)` and end a transaction; `fn` returns plain
values. In a gevent worker SQLite's calls run in native threads: one that waits for a lock would
block the hub, and with it every stream of the worker (measured: 3 s through a session in a view,
6 ms this way). PostgreSQL's driver yields by itself.

Writes BEGIN IMMEDIATE: a deferred transaction that reads and then writes fails at once when another
connection wrote in between, whatever the busy time-out. A process has one writer thread, so it
never waits for itself inside SQLite. `write_batched` joins bursts of questions into few
transactions (batches.py). `reserved` has connections to PostgreSQL that requests cannot use up.

The writer's commits do not checkpoint the WAL in a gevent worker (checkpoints.py). On a full disk
only `write_deletion` writes (disk.py).
"""

import functools
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import gevent
from gevent.threadpool import ThreadPool
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session, configure_mappers

from chatapp.errors import ChatAppError, DatabaseBusy, DiskFull, StorageUnavailable
from chatapp.storage import named_locks, threads, waits
from chatapp.storage.batches import Batches, GroupFailed, Waiting, Write
from chatapp.storage.checkpoints import Checkpoints
from chatapp.storage.deadlocks import REPEATS, give_way, is_contention, is_deadlock
from chatapp.storage.disk import Space, touch
from chatapp.storage.faults import Faults
from chatapp.storage.named_locks import GAP_SECONDS, LOCK_SECONDS, LockTaken, Turns, pause_seconds
from chatapp.storage.pools import READERS, RESERVED_CONNECTIONS, in_gevent_worker, make_engine
from chatapp.storage.threads import Outcome, outcome

log = logging.getLogger("chatapp.database")

QUIET_SECONDS = 60  # between two lines about a lack of connections

T = TypeVar("T")


class Database:
    """An engine and the two ways to use it."""

    def __init__(self, engine: Engine) -> None:
        # It takes a lock of gevent's, which the first threads must not wait for (see `_Pool`).
        configure_mappers()
        self.engine = engine
        self.sqlite = engine.dialect.name == "sqlite"
        self._in_worker = in_gevent_worker()
        pooled = self.sqlite and self._in_worker
        self._readers = ThreadPool(READERS) if pooled else None
        self._writer = ThreadPool(1) if pooled else None
        written = self.sqlite and "uri" not in engine.url.query  # see `copying.open_read_only`
        file = engine.url.database if written else None
        self._space = Space(Path(file).resolve()) if file else None
        self._faults = Faults(engine, self._space)
        self._checkpoints = Checkpoints(self._space) if pooled and self._space else None
        gap_seconds = 0 if self.sqlite else GAP_SECONDS
        self._batches = Batches(self._write_group, self._write_alone, gap_seconds)
        self._turns = Turns()
        self._reserved: Database | None = None
        self._connected = not self.sqlite
        self._quiet_until = 0.0

    @property
    def reserved(self) -> "Database":
        """The same database by connections that requests cannot use up.

        They are for saving and stopping answers, and for finding out who asks for that. SQLite, and
        processes that serve no requests, need none of their own.
        """
        if self.sqlite or not self._in_worker:
            return self
        if self._reserved is None:
            url = self.engine.url.render_as_string(hide_password=False)
            self._reserved = Database(make_engine(url, RESERVED_CONNECTIONS))
            self._reserved._reserved = self._reserved
        return self._reserved

    def connect(self) -> None:
        """Connect before the threads do: the first connection is guarded by a gevent lock.

        SQLite then creates the index of the WAL, on a full disk in the space of the reserve.
        """
        if self._connected:
            return
        try:
            self._read(lambda _: None)
        except DiskFull:
            if self._space is None:
                raise
            with self._space.released():
                self._read(lambda _: None)
        self._connected = True

    def read(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction that is rolled back; raise DatabaseBusy if it stays locked."""
        self.connect()
        if self._readers is None:
            return self._read(fn)
        return self._readers.apply(outcome, (waits.queued(self._read, fn),)).get()  # type: ignore[no-any-return]

    def write(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction that is committed.

        Raises DatabaseBusy if the database stays locked, DiskFull on a full disk.
        """
        return self._in_writer(functools.partial(self._write_unless_full, fn))

    def write_deletion(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` as `write` does, on a full disk in the space of the reserve.

        It is for deletions, and for what a user needs in order to delete. `fn` may run again.
        """
        return self._in_writer(functools.partial(self._write_on_reserve, fn))

    def write_in_background(self, fn: Write) -> None:
        """Run `fn` as `write` does, do not wait, and drop it if that fails."""
        if self._in_worker:
            gevent.spawn(self._write_or_drop, fn)
        else:
            self._write_or_drop(fn)

    def write_batched(self, fn: Callable[[Session], T], lock: str) -> T:
        """Run `fn` as `write` does, under a named lock, in one transaction with others that wait.

        `fn` uses Core statements, no ORM objects, and may run twice: if a function of a group
        fails, the transaction is rolled back and each runs in its own. A ChatAppError rolls nothing
        back: `fn` raises it before it writes anything.
        """
        if self._in_worker:
            self.connect()
            return self._batches.write(fn, lock)
        result: T = self._write_alone(Waiting(fn, lock))
        return result

    def advisory_lock(self, session: Session, name: str) -> None:
        """Serialize transactions that use this name; on SQLite there is one writer anyway.

        Call it before anything that must not be repeated: if another transaction holds the lock,
        this one is rolled back, and begins again when its turn may have come.
        """
        if not self.sqlite:
            named_locks.take(session, name)

    def check_disk(self) -> DiskFull | None:
        """Check whether SQLite's disk is writable, by allocating space; return why not."""
        if self._space is not None and self._space.disk.fault is None:
            threads.run(self._space.check)
        return self.watch_disk()

    def watch_disk(self) -> DiskFull | None:
        """Return why SQLite's disk is not writable; writes nothing if it is."""
        if self._space is None:
            return None
        if self._space.disk.fault is None:
            threads.run(self._space.glance)
        else:
            with suppress(StorageUnavailable):
                self.write(touch)
        return self._space.disk.fault

    def fill_reserve(self) -> None:
        """Allocate the space that deletions need on a full disk."""
        if self._space is not None:
            self._space.reserve.fill()

    def close(self) -> None:
        """Close all connections and end the threads."""
        for pool in (self._readers, self._writer):
            if pool is not None:
                pool.kill()
        if self._checkpoints is not None:
            self._checkpoints.close()
        if self._reserved is not None and self._reserved is not self:
            self._reserved.close()
        self.engine.dispose()

    def _in_writer(self, call: Callable[[], T]) -> T:
        """Make a call in the writer's thread, if there is one."""
        self.connect()
        if self._writer is None:
            return call()
        ended = self._writer.apply(outcome, (waits.queued(call),))
        self._checkpoint_if_large()
        return ended.get()  # type: ignore[no-any-return]

    def _write_group(self, group: Sequence[Waiting]) -> Sequence[Outcome]:
        """Run a group in one transaction; return what each function returned or raised."""

        def run(session: Session) -> list[Outcome]:
            names = {each.lock for each in group}
            mine = names if self.sqlite else named_locks.take_free(session, names)
            return [
                _expected(each.fn, session)
                if each.lock in mine
                else Outcome(fault=LockTaken(each.lock))
                for each in group
            ]

        try:
            return self._in_writer(functools.partial(self._write_unless_full, run))
        except DatabaseBusy as busy:
            if is_contention(busy):  # only one of them may wait for that row
                raise GroupFailed from busy
            raise
        except StorageUnavailable:
            raise
        except Exception as fault:
            if len(group) == 1:
                raise
            raise GroupFailed from fault

    def _write_alone(self, waiting: Waiting) -> Any:
        def run(session: Session) -> Any:
            self.advisory_lock(session, waiting.lock)
            return waiting.fn(session)

        return self.write(run)

    def _write_or_drop(self, fn: Write) -> None:
        with suppress(StorageUnavailable):
            self.write(fn)

    def _checkpoint_if_large(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.start_if_large()

    def _read(self, fn: Callable[[Session], T]) -> T:
        with self._transaction(writes=False) as session:
            return fn(session)

    def _write_unless_full(self, fn: Callable[[Session], T]) -> T:
        full = self._space.disk.fault if self._space is not None else None
        if self._space is None or full is None:
            return self._write(fn)
        if not self._space.may_have_returned():
            raise DiskFull(full.detail)
        self._write(touch)
        self._space.disk.recovered()
        return self._write(fn)

    def _write_on_reserve(self, fn: Callable[[Session], T], repeats: int = REPEATS) -> T:
        try:
            return self._write_unless_full(fn)
        except DatabaseBusy as busy:
            if not repeats or not is_deadlock(busy):
                raise
            self._write(give_way)
            return self._write_on_reserve(fn, repeats - 1)
        except DiskFull:
            if self._space is None:
                raise
            with self._space.released():
                return self._write(fn)

    def _write(self, fn: Callable[[Session], T]) -> T:
        try:
            return self._write_once(fn)
        except LockTaken as taken:
            return self._write_again(taken.name, fn)

    def _write_again(self, lock: str, fn: Callable[[Session], T]) -> T:
        """Repeat a write until it gets its lock; meanwhile it holds no connection."""
        until = time.monotonic() + LOCK_SECONDS
        with self._turns.wait(lock):
            while time.monotonic() < until:
                time.sleep(pause_seconds())
                with suppress(LockTaken):
                    return self._write_once(fn)
        raise DatabaseBusy

    def _write_once(self, fn: Callable[[Session], T]) -> T:
        with self._transaction(writes=True) as session:
            result = fn(session)
            session.commit()
            return result

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Session]:
        self._faults.require_file()
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                with waits.recorded_wait(writes=writes):
                    session.connection(execution_options={"chatapp_writes": writes})
                yield session
        except NoConnection as fault:
            self._report_lack()
            raise DatabaseBusy from fault
        except (DBAPIError, sqlite3.Error) as fault:  # the second: on connecting
            if known := self._faults.explain(fault):
                raise known from fault
            raise
        self._faults.note_file()

    def _report_lack(self) -> None:
        """Log that all connections are in use, at most once a minute."""
        if time.monotonic() > self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("all connections to the database are in use: %s", self.engine.pool.status())


def _expected(fn: Write, session: Session) -> Outcome:
    """Run `fn` and catch our own errors; others end the transaction."""
    try:
        return Outcome(fn(session))
    except StorageUnavailable:
        raise
    except ChatAppError as fault:
        return Outcome(fault=fault)


def open_database(url: str) -> Database:
    """Open a database without Flask: for the document worker and the command line."""
    return Database(make_engine(url))
