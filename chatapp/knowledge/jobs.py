"""What reading and removing files have in common: the states of a file's row, and patience with a busy database."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.database import Database
from chatapp.errors import ChatAppError, DatabaseBusy

LEASE = timedelta(seconds=60)
BATCH_CHUNKS = 48  # 30 to 50 ms of SQLite's write lock
PATIENCE_SECONDS = 60  # with a database that others keep busy
IN_WORK = ("parsing", "indexing")
VISIBLE = ("embedding", "ready")
DELETING = "deleting"

T = TypeVar("T")


def write_patiently(database: Database, fn: Callable[[Session], T]) -> T:
    """Write, and wait for a database that others keep busy: a file must not fail for it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return database.write(fn)
        except DatabaseBusy:
            if time.monotonic() > deadline:
                raise


def error_json(error: ChatAppError) -> dict[str, object]:
    """Return an error as it is stored: its words are made when it is read."""
    return {"code": error.code, "key": error.key, "params": dict(error.params), "retryable": error.retryable}


def lock_content(t: Session, sha256: str) -> None:
    """Keep others from adding or removing a file with these bytes until the transaction ends; on SQLite it is alone anyway."""
    if t.get_bind().dialect.name == "postgresql":
        t.execute(text("SELECT pg_advisory_xact_lock(hashtext(:sha256))"), {"sha256": sha256})
