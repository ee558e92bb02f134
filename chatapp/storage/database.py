"""The only place where a transaction begins.

`read(fn)` and `write(fn)` begin, run `fn(session)` and end a transaction; `fn` returns plain
values. In a gevent worker SQLite's calls run in native threads: one that waits for a lock would
block the hub, and with it every stream of the worker (measured: 3 s through a session in a view,
6 ms this way). PostgreSQL's driver yields by itself.

Writes BEGIN IMMEDIATE: a deferred transaction that reads and then writes fails at once when another
connection wrote in between, whatever the busy time-out. A process has one writer thread, so it
never waits for itself inside SQLite. `write_batched` joins bursts of questions into few
transactions.

The writer's commits do not checkpoint the WAL in a gevent worker, since each checkpoint syncs to
disk three times; a thread and connection of their own do (`_Checkpoints`).
"""

import functools
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Condition
from time import monotonic
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

from chatapp.errors import DatabaseBusy
from chatapp.settings import MB
from chatapp.storage.threads import Outcome, outcome

log = logging.getLogger("chatapp.storage")
# SQLAlchemy names the logger of `_Pool` after this module, and reports each "Pool disposed".
logging.getLogger(f"{__name__}._Pool").setLevel(logging.WARNING)

BUSY_SECONDS = 5
CONNECT_SECONDS = 10  # without it, connecting to a host that drops packets takes two minutes
READERS = 4
MOST_BATCHED = 32  # writes in one transaction: everything else waits for the lock meanwhile
# The first commit after a completed checkpoint syncs the WAL's new header, in the writer's thread.
# So checkpoints are rare; four times SQLite's own threshold costs readers nothing measurable.
CHECKPOINT_BYTES = 16 * MB
MOST_WAL_BYTES = 64 * MB  # beyond, a checkpoint holds writers back until the WAL is empty
CHECKPOINT_PAUSE_SECONDS = 1
CHECKPOINT_LOCK_SECONDS = 0.1

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
        self._checkpoints = _Checkpoints(engine) if pooled else None
        self._batch: list[tuple[Write, AsyncResult[Any]]] = []
        self._batching = False
        self._connected = not pooled

    def read(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction that is rolled back; raise DatabaseBusy if it stays locked."""
        if self._readers is None:
            return self._read(fn)
        self._connect_once()
        return self._readers.apply(outcome, (functools.partial(self._read, fn),)).get()  # type: ignore[no-any-return]

    def write(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction that is committed; raise DatabaseBusy if it stays locked."""
        if self._writer is None:
            return self._write(fn)
        self._connect_once()
        ended = self._writer.apply(outcome, (functools.partial(self._write, fn),))
        self._checkpoint_if_large()
        return ended.get()  # type: ignore[no-any-return]

    def write_in_background(self, fn: Write) -> None:
        """Run `fn` as `write` does, do not wait, and drop it if the database stays locked."""
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
        self._connect_once()
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

    def close(self) -> None:
        """Close all connections and end the threads."""
        for pool in (self._readers, self._writer):
            if pool is not None:
                pool.kill()
        if self._checkpoints is not None:
            self._checkpoints.close()
        self.engine.dispose()

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
                values = self._write(lambda session: [fn(session) for fn in fns])
                return [Outcome(value) for value in values]
            except DatabaseBusy as fault:
                return [Outcome(fault=fault) for _ in fns]
            except Exception:  # noqa: S110 - running each alone finds the one that fails
                pass
        return [outcome(functools.partial(self._write, fn)) for fn in fns]

    def _write_or_drop(self, fn: Write) -> None:
        with suppress(DatabaseBusy):
            self.write(fn)

    def _connect_once(self) -> None:
        """Connect before the threads do: the first connection is guarded by a gevent lock."""
        if not self._connected:
            self._read(lambda _: None)
            self._connected = True

    def _checkpoint_if_large(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.start_if_large()

    def _read(self, fn: Callable[[Session], T]) -> T:
        with self._transaction(writes=False) as session:
            return fn(session)

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
        except OperationalError as fault:
            # Another process holds SQLite's lock, or PostgreSQL is unreachable: maybe not for long.
            if not self.sqlite or "locked" in str(fault.orig):
                raise DatabaseBusy from fault
            raise


class _Checkpoints:
    """Copies a large WAL into the database file outside of the writer's commits.

    A checkpoint syncs the WAL and the database file. SQLite runs it inside the commit that passes
    1,000 pages, and on a disk whose sync takes 1 s that commit took 3 s (docs/decisions.md).
    `journal_size_limit=0` makes the file's size say how much there is to copy.
    """

    def __init__(self, engine: Engine) -> None:
        self._threads = ThreadPool(1)
        self._file = str(engine.url.database)
        self._wal = Path(f"{self._file}-wal")
        self._running = False
        self._pause_until = 0.0

    def start_if_large(self) -> None:
        """Begin a checkpoint if one is due; do not wait for it."""
        if self._running or monotonic() < self._pause_until or self._size() < CHECKPOINT_BYTES:
            return
        self._running = True
        self._threads.spawn(self._run)

    def close(self) -> None:
        """End the thread. SQLite itself checkpoints when the last connection closes."""
        self._threads.kill()

    def _size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def _run(self) -> None:
        try:
            with closing(
                sqlite3.connect(self._file, timeout=CHECKPOINT_LOCK_SECONDS, isolation_level=None)
            ) as connection:
                # This does not block writers. If none wrote meanwhile, the next write restarts the
                # WAL; otherwise the next checkpoint has little to copy.
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                if self._size() > MOST_WAL_BYTES:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            log.warning("checkpoint failed", exc_info=True)
        finally:
            self._pause_until = monotonic() + CHECKPOINT_PAUSE_SECONDS
            self._running = False


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

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite must not begin by itself
        pragmas = [
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "journal_size_limit=0",  # the WAL shrinks when it restarts, see `_Checkpoints`
        ]
        if _in_gevent_worker():
            pragmas.append("wal_autocheckpoint=0")
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
