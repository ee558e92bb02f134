"""The only place where a transaction begins.

`read(fn)` and `write(fn)` begin, run `fn(session)` and end a transaction; `fn` returns plain values. In a gevent worker
SQLite's calls happen in threads of our own, since one that waits for a lock would hold every stream of the worker: a
locked database froze the hub for 3 s through a session in a view, 6 ms this way. PostgreSQL's driver yields by itself.

Writes BEGIN IMMEDIATE: a deferred transaction that reads and then writes fails at once when another writer was in between,
whatever the busy time-out. They queue in one thread, so that one process never waits for itself inside SQLite. What comes
in bursts, the questions, is written by `write_together`: those that wait share a transaction.
"""

from collections.abc import Callable
from contextlib import suppress
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

from chatapp.errors import DatabaseBusy

BUSY_SECONDS = 5
CONNECT_SECONDS = (
    10  # a host that swallows packets would be waited for by the system for two minutes
)
READERS = 4
MOST_TOGETHER = 32  # functions in one transaction: others wait for the lock meanwhile

T = TypeVar("T")
Write: TypeAlias = Callable[[Session], Any]


class Database:
    """An engine and the two ways to use it."""

    def __init__(self, engine: Engine) -> None:
        configure_mappers()  # under a lock of its own, so not in the first threads that ask (see `_Pool`)
        self.engine = engine
        self.sqlite = engine.dialect.name == "sqlite"
        pooled = self.sqlite and is_module_patched("socket")
        self._readers = ThreadPool(READERS) if pooled else None
        self._writer = ThreadPool(1) if pooled else None
        self._waiting: list[tuple[Write, AsyncResult[Any]]] = []
        self._writing = False
        self._met = not pooled

    def read(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction that is rolled back; raise DatabaseBusy where the database stays locked."""
        return self._within(self._readers, fn, False)

    def write(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction that is committed; raise DatabaseBusy where the database stays locked."""
        return self._within(self._writer, fn, True)

    def write_later(self, fn: Write) -> None:
        """Run `fn` as `write` does, but let nobody wait for it: a note that may be lost where the database stays locked."""
        if self._writer is None:
            self._note(fn)
        else:
            gevent.spawn(self._note, fn)

    def write_together(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` as `write` does, in one transaction with others that wait: a burst is a few transactions.

        `fn` speaks of tables, not of objects, and may run twice: where one fails, all are undone and each runs alone.
        """
        if self._writer is None:
            return self.write(fn)
        self._meet()
        result: AsyncResult[T] = AsyncResult()
        self._waiting.append((fn, result))
        if not self._writing:
            self._writing = True
            gevent.spawn(self._write_waiting, self._writer)
        return result.get()  # type: ignore[no-any-return]

    def _write_waiting(self, writer: ThreadPool) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                try:
                    ends = writer.apply(self._run_together, ([fn for fn, _ in batch],))
                except BaseException as broken:  # the threads are gone; nobody is to wait for them
                    ends = [(None, broken)] * len(batch)
                for (_, result), (value, fault) in zip(batch, ends, strict=True):
                    result.set(value) if fault is None else result.set_exception(fault)
        finally:
            self._writing = False

    def _run_together(self, fns: list[Write]) -> list[tuple[Any, BaseException | None]]:
        """Return what each function returned or raised."""
        if len(fns) > 1:
            try:
                return [
                    (value, None)
                    for value in self._run(lambda session: [fn(session) for fn in fns], True)
                ]
            except DatabaseBusy as fault:
                return [(None, fault) for _ in fns]
            except Exception:  # noqa: S110 - whose it was shows when each runs alone
                pass
        return [self._caught(fn, True) for fn in fns]

    def _note(self, fn: Write) -> None:
        with suppress(DatabaseBusy):
            self.write(fn)

    def _within(self, pool: ThreadPool | None, fn: Callable[[Session], T], writes: bool) -> T:
        if pool is None:
            return self._run(fn, writes)
        self._meet()
        value, fault = pool.apply(self._caught, (fn, writes))
        if fault is not None:
            raise fault
        return value  # type: ignore[no-any-return]

    def _meet(self) -> None:
        """Connect once before the threads do: SQLAlchemy guards the first connection by a lock of gevent's (see `_Pool`)."""
        if not self._met:
            self._run(lambda _: None, False)
            self._met = True

    def _caught(self, fn: Write, writes: bool) -> tuple[Any, Exception | None]:
        """Return what `fn` returned or raised: gevent prints what a thread raises, though somebody waits to catch it."""
        try:
            return self._run(fn, writes), None
        except Exception as fault:
            return None, fault

    def _run(self, fn: Callable[[Session], T], writes: bool) -> T:
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                session.connection(execution_options={"chatapp_writes": writes})
                result = fn(session)
                if writes:
                    session.commit()
                return result
        except OperationalError as fault:
            # SQLite held by another process, or a PostgreSQL that is away: both may be back in a moment.
            if not self.sqlite or "locked" in str(fault.orig):
                raise DatabaseBusy from fault
            raise

    def alone(self, session: Session, name: str) -> None:
        """Let no other write under this name run beside the transaction; on SQLite there never is one."""
        if not self.sqlite:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})

    def close(self) -> None:
        """Give back all connections and threads."""
        for pool in (self._readers, self._writer):
            if pool is not None:
                pool.kill()
        self.engine.dispose()


class _Queue(Queue[Any]):
    """A pool's queue whose lock is the system's."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self.mutex = get_original("_thread", "RLock")()
        self.not_empty, self.not_full = Condition(self.mutex), Condition(self.mutex)


class _Pool(QueuePool):
    """Connections for threads of our own: their locks must not be gevent's, whose waiting thread may never be woken by another.

    Nothing waits or switches while it holds one of these, so the hub cannot be held by them either.
    """

    _queue_class = _Queue

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._overflow_lock = get_original("_thread", "allocate_lock")()


def engine_options(url: str) -> dict[str, Any]:
    """Return the options that `create_engine` needs for this URL."""
    if not url.startswith("sqlite"):
        patience = {} if "connect_timeout" in url else {"connect_timeout": CONNECT_SECONDS}
        return {
            "pool_pre_ping": True,
            "pool_size": 20,
            "max_overflow": 20,
            "hide_parameters": True,
            "connect_args": patience,
        }
    return {
        "hide_parameters": True,  # an exception must not carry a question into the log
        "poolclass": _Pool,
        "pool_size": READERS + 1,
        "max_overflow": 2,
        "connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False},
    }


def prepare_engine(engine: Engine) -> None:
    """Make SQLite behave: WAL, busy time-out, foreign keys, and transactions that begin when we say so."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite must not begin by itself
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("chatapp_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def open_database(url: str) -> Database:
    """Open a database on its own, for the processes that serve no pages."""
    engine = create_engine(url, **engine_options(url))
    prepare_engine(engine)
    return Database(engine)
