"""Connections to the database: how many a process may have, and how they are made.

A pool opens them as they are needed. On PostgreSQL a web worker has two: one for requests and a
small one for what must not wait for requests (`Database.reserved`).
"""

import logging
import os
import socket
import time
from pathlib import Path
from threading import Condition
from typing import Any

from gevent.monkey import get_original, is_module_patched
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool
from sqlalchemy.util.queue import Queue

from chatapp.storage.checkpoints import CHECKPOINT_BYTES, checkpoint_bytes
from chatapp.storage.disk import PAGE_BYTES

# SQLAlchemy names the logger of `_Pool` after this module, and reports each "Pool disposed".
logging.getLogger(f"{__name__}._Pool").setLevel(logging.WARNING)

BUSY_SECONDS = 5
# Without these, connecting to a host that drops packets takes two minutes, and a query that was
# sent to it a quarter of an hour. Parameters of libpq; those in `DATABASE_URL` take precedence.
NETWORK_LIMITS: dict[str, int] = {
    "connect_timeout": 10,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
# PostgreSQL keeps the locks of a host that was cut off until it notices, else after two hours.
NETWORK_LIMITS_OF_SERVER = (
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2;"
    " SET tcp_user_timeout = 20000"
)
READERS = 4  # native threads that read SQLite
RESERVED_CONNECTIONS = 3  # of each web worker's, for running answers
OTHER_CONNECTIONS = 5  # of the document worker, and of a command
POOL_SECONDS = 15  # for a request to wait for a connection to PostgreSQL
PING_SECONDS = 1  # a connection that was idle for longer is checked before it is used


_OTHERS = text(
    "SELECT coalesce(host(client_addr), 'local') FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend'"
    " AND application_name <> current_setting('application_name')"
)


def in_gevent_worker() -> bool:
    """Return whether this process is a web worker."""
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


def engine_options(url: str, connections: int = OTHER_CONNECTIONS) -> dict[str, Any]:
    """Return the options that `create_engine` needs for this URL.

    `connections` is the limit on PostgreSQL; SQLite has one for each thread.
    """
    if not url.startswith("sqlite"):
        return {
            "pool_size": connections,
            "max_overflow": 0,
            "pool_timeout": POOL_SECONDS,
            "pool_use_lifo": True,  # after a burst, the others stay idle
            "hide_parameters": True,
            "connect_args": {
                name: value
                for name, value in {
                    "application_name": _application_name(),
                    **NETWORK_LIMITS,
                }.items()
                if name not in url
            },
        }
    return {
        "hide_parameters": True,  # keeps questions out of logged exceptions
        "poolclass": _Pool,
        "pool_size": READERS + 1,
        "max_overflow": 2,
        "connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False},
    }


def _application_name() -> str:
    """Return what PostgreSQL's list of connections calls this process."""
    return f"chatapp {os.getpid()} {socket.gethostname()}"  # it keeps 63 bytes


def make_engine(url: str, connections: int = OTHER_CONNECTIONS) -> Engine:
    """Make an engine without Flask."""
    engine = create_engine(url, **engine_options(url, connections))
    prepare_engine(engine)
    return engine


def prepare_engine(engine: Engine) -> None:
    """Set SQLite's pragmas, or watch PostgreSQL's connections; `Database` alone begins."""
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    else:
        _limit_silence(engine)
        _check_idle(engine)


def other_connections(t: Session) -> list[str]:
    """Return the addresses of other processes that are connected to this PostgreSQL database."""
    if t.get_bind().dialect.name == "sqlite":
        return []
    return list(t.scalars(_OTHERS))


def _limit_silence(engine: Engine) -> None:
    """Let the server detect a lost client within half a minute."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.execute(NETWORK_LIMITS_OF_SERVER)
        connection.commit()


def _check_idle(engine: Engine) -> None:
    """Replace connections that broke while they were idle.

    `pool_pre_ping` asks before each transaction, which is a quarter of the CPU of a short one.
    """

    @event.listens_for(engine, "checkin")
    def _used(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) < PING_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as fault:
            raise InvalidatePoolError from fault


def _prepare_sqlite(engine: Engine) -> None:
    file = engine.url.database
    due_bytes = checkpoint_bytes(Path(file).resolve()) if file else CHECKPOINT_BYTES

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite must not begin by itself
        # The number of pages; in a gevent worker, `Checkpoints` does it.
        pages = 0 if in_gevent_worker() else min(1000, due_bytes // PAGE_BYTES)
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
