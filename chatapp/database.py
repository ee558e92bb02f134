"""The only place where a transaction begins.

`read(fn)` and `write(fn)` begin, run `fn(session)` and end a transaction; `fn` returns plain values. In a gevent worker
SQLite's calls happen in threads of our own, since one that waits for a lock would hold every stream of the worker: a
locked database froze the hub for 3 s through a session in a view, 6 ms this way. PostgreSQL's driver yields by itself.

Writes BEGIN IMMEDIATE: a deferred transaction that reads and then writes fails at once when another writer was in between,
whatever the busy time-out. They queue in one thread, so that one process never waits for itself inside SQLite.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from chatapp.errors import DatabaseBusy

BUSY_SECONDS = 5
READERS = 4

T = TypeVar("T")


class Database:
    """An engine and the two ways to use it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sqlite = engine.dialect.name == "sqlite"
        pooled = self.sqlite and is_module_patched("socket")
        self._readers = ThreadPool(READERS) if pooled else None
        self._writer = ThreadPool(1) if pooled else None

    def read(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction that is rolled back; raise DatabaseBusy where the database stays locked."""
        if self._readers is not None:
            return self._readers.apply(self._run, (fn, False))  # type: ignore[no-any-return]
        return self._run(fn, False)

    def write(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction that is committed; raise DatabaseBusy where the database stays locked."""
        if self._writer is not None:
            return self._writer.apply(self._run, (fn, True))  # type: ignore[no-any-return]
        return self._run(fn, True)

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


def engine_options(url: str) -> dict[str, Any]:
    """Return the options that `create_engine` needs for this URL."""
    if not url.startswith("sqlite"):
        return {"pool_pre_ping": True, "pool_size": 20, "max_overflow": 20, "hide_parameters": True}
    return {
        "hide_parameters": True,  # an exception must not carry a question into the log
        "poolclass": QueuePool,
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
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
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
