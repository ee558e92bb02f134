"""The only place where a transaction begins.

`read(fn)` and `write(fn)` begin, run `fn(session)` and end a transaction; `fn` returns plain
values. In a gevent worker SQLite's calls run in native threads: one that waits for a lock would
block the hub, and with it every stream of the worker (measured: 3 s through a session in a view,
6 ms this way). PostgreSQL's driver yields by itself.

Writes BEGIN IMMEDIATE: a deferred transaction that reads and then writes fails at once when another
connection wrote in between, whatever the busy time-out. A process has one writer thread, so it
never waits for itself inside SQLite. `write_batched` joins bursts of questions into few
transactions.

The writer's commits do not checkpoint the WAL in a gevent worker (checkpoints.py). On a full disk
only `write_deletion` writes (disk.py).
"""

import functools
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition
from typing import Any, TypeAlias, TypeVar

import gevent
from gevent.event import AsyncResult
from gevent.monkey import get_original, is_module_patched
from gevent.threadpool import ThreadPool
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, configure_mappers
from sqlalchemy.pool import QueuePool
from sqlalchemy.util.queue import Queue

from chatapp.errors import DatabaseBusy, DiskFull
from chatapp.storage import threads
from chatapp.storage.checkpoints import CHECKPOINT_BYTES, Checkpoints, checkpoint_bytes
from chatapp.storage.deadlocks import REPEATS, give_way, is_deadlock
from chatapp.storage.disk import PAGE_BYTES, Space, touch
from chatapp.storage.threads import Outcome, outcome

# SQLAlchemy names the logger of `_Pool` after this module, and reports each "Pool disposed".
logging.getLogger(f"{__name__}._Pool").setLevel(logging.WARNING)

BUSY_SECONDS = 5
CONNECT_SECONDS = 10  # without it, connecting to a host that drops packets takes two minutes
READERS = 4
POSTGRES_DISK_FULL = "53100"
MOST_BATCHED = 32  # writes in one transaction: everything else waits for the lock meanwhile

T = TypeVar("T")
Write: TypeAlias = Callable[[Session], Any]


class Database:
    """An engine and the two ways to use it."""

    def __init__(self, engine: Engine) -> None:
        # It takes a lock of gevent's, which the first threads must not wait for (see `_Pool`).
        configure_mappers()
        self.engine = engine
        self.sqlite = engine.dialect.name == "sqlite"
        pooled = self.sqlite and _in_gevent_worker()
        self._readers = ThreadPool(READERS) if pooled else None
        self._writer = ThreadPool(1) if pooled else None
        file = engine.url.database if self.sqlite else None
        self._space = Space(Path(file).resolve()) if file else None
        self._checkpoints = Checkpoints(self._space) if pooled and self._space else None
        self._batch: list[tuple[Write, AsyncResult[Any]]] = []
        self._batching = self._connected = False

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
        return self._readers.apply(outcome, (functools.partial(self._read, fn),)).get()  # type: ignore[no-any-return]

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
        if self._writer is None:
            self._write_or_drop(fn)
        else:
            gevent.spawn(self._write_or_drop, fn)

    def write_batched(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` as `write` does, in one transaction with other callers that wait.

        `fn` uses Core statements, no ORM objects, and may run twice: if one function of a batch
        fails, the transaction is rolled back and each runs in its own.
        """
        if self._writer is None:
            return self.write(fn)
        self.connect()
        result: AsyncResult[T] = AsyncResult()
        self._batch.append((fn, result))
        if not self._batching:
            self._batching = True
            gevent.spawn(self._write_batches, self._writer)
        return result.get()  # type: ignore[no-any-return]

    def advisory_lock(self, session: Session, name: str) -> None:
        """Serialize transactions that use this name; on SQLite there is one writer anyway."""
        if not self.sqlite:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})

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
            with suppress(DatabaseBusy, DiskFull):
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
        self.engine.dispose()

    def _in_writer(self, call: Callable[[], T]) -> T:
        """Make a call in the writer's thread, if there is one."""
        self.connect()
        if self._writer is None:
            return call()
        ended = self._writer.apply(outcome, (call,))
        self._checkpoint_if_large()
        return ended.get()  # type: ignore[no-any-return]

    def _write_batches(self, writer: ThreadPool) -> None:
        try:
            while self._batch:
                batch, self._batch = self._batch[:MOST_BATCHED], self._batch[MOST_BATCHED:]
                try:
                    ends = writer.apply(self._write_batch, ([fn for fn, _ in batch],))
                except BaseException as broken:  # the threads have ended: release all callers
                    ends = [Outcome(fault=broken)] * len(batch)
                self._checkpoint_if_large()
                for (_, result), end in zip(batch, ends, strict=True):
                    if end.fault is None:
                        result.set(end.value)
                    else:
                        result.set_exception(end.fault)
        finally:
            self._batching = False

    def _write_batch(self, fns: list[Write]) -> list[Outcome]:
        """Return what each function returned or raised."""
        if len(fns) > 1:
            try:
                values = self._write_unless_full(lambda session: [fn(session) for fn in fns])
                return [Outcome(value) for value in values]
            except (DatabaseBusy, DiskFull) as fault:
                return [Outcome(fault=fault) for _ in fns]
            except Exception:  # noqa: S110 - running each alone finds the one that fails
                pass
        return [outcome(functools.partial(self._write_unless_full, fn)) for fn in fns]

    def _write_or_drop(self, fn: Write) -> None:
        with suppress(DatabaseBusy, DiskFull):
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
        with self._transaction(writes=True) as session:
            result = fn(session)
            session.commit()
            return result

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Session]:
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                session.connection(execution_options={"chatapp_writes": writes})
                yield session
        except (OperationalError, sqlite3.OperationalError) as fault:  # the second: on connecting
            original = getattr(fault, "orig", fault)
            if self._space is not None and (full := self._space.disk.note_error(original)):
                raise full from fault
            if getattr(original, "sqlstate", None) == POSTGRES_DISK_FULL:
                raise DiskFull from fault
            # Another process holds SQLite's lock, or PostgreSQL is unreachable: maybe not for long.
            if not self.sqlite or "locked" in str(original):
                raise DatabaseBusy from fault
            raise


def _in_gevent_worker() -> bool:
    return bool(is_module_patched("socket"))


class _Queue(Queue[Any]):
    """A pool's queue with a native lock."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self.mutex = get_original("_thread", "RLock")()
        self.not_empty, self.not_full = Condition(self.mutex), Condition(self.mutex)


class _Pool(QueuePool):
    """A pool for native threads, whose locks must not be gevent's.

    A thread that waits for a gevent lock may never be woken by another thread. Nothing blocks or
    switches while it holds one of these locks, so they cannot block the hub either.
    """

    _queue_class = _Queue

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._overflow_lock = get_original("_thread", "allocate_lock")()


def engine_options(url: str) -> dict[str, Any]:
    """Return the options that `create_engine` needs for this URL."""
    if not url.startswith("sqlite"):
        timeout = {} if "connect_timeout" in url else {"connect_timeout": CONNECT_SECONDS}
        return {
            "pool_pre_ping": True,
            "pool_size": 20,
            "max_overflow": 20,
            "hide_parameters": True,
            "connect_args": timeout,
        }
    return {
        "hide_parameters": True,  # keeps questions out of logged exceptions
        "poolclass": _Pool,
        "pool_size": READERS + 1,
        "max_overflow": 2,
        "connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False},
    }


def prepare_engine(engine: Engine) -> None:
    """Set SQLite's pragmas, and let `Database` alone begin transactions."""
    if engine.dialect.name != "sqlite":
        return
    file = engine.url.database
    due_bytes = checkpoint_bytes(Path(file).resolve()) if file else CHECKPOINT_BYTES

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite must not begin by itself
        # The number of pages; in a gevent worker, `Checkpoints` does it.
        pages = 0 if _in_gevent_worker() else min(1000, due_bytes // PAGE_BYTES)
        pragmas = [
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "journal_size_limit=0",  # the WAL shrinks when it restarts, see `Checkpoints`
            f"wal_autocheckpoint={pages}",
        ]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("chatapp_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def open_database(url: str) -> Database:
    """Open a database without Flask: for the document worker and the command line."""
    engine = create_engine(url, **engine_options(url))
    prepare_engine(engine)
    return Database(engine)
