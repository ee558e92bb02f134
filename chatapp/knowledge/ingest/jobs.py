"""A file as a job: its states, its lease, and writes that retry while the database is busy. Used by
parsing, embedding and deletion.

Every write names the lease's owner, so a worker that has lost its lease (the file was deleted, or
another worker took over) changes nothing.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, case, exists, or_, select, text, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from chatapp.errors import ChatAppError, DatabaseBusy
from chatapp.storage.clock import database_time
from chatapp.storage.database import Database
from chatapp.storage.models import File

LEASE_SECONDS = 60
BATCH_CHUNKS = 48  # chunks in one transaction; holds SQLite's write lock for 30 to 50 ms
BUSY_RETRY_SECONDS = 60  # of retries while the database is busy
MISSING_SECONDS = 60  # between two looks for an original that is not there
FETCHING = "fetching"  # a web page's first state (web_pages/fetching.py)
UNREAD = (FETCHING, "queued", "parsing", "indexing")
RECOGNISING, EMBEDDING = "recognising", "embedding"
IN_PROGRESS = ("parsing", "indexing", RECOGNISING, EMBEDDING)
LEASED = (FETCHING, *IN_PROGRESS)
SEARCHABLE = (RECOGNISING, EMBEDDING, "ready")
DELETING = "deleting"
HIDDEN = (*UNREAD, "failed", DELETING)  # all others; their chunks may be in the index

NO_LEASE: Mapping[str, object] = {"lease_owner": None, "lease_until": None}

T = TypeVar("T")


class LeaseLost(Exception):
    """The file was deleted, or another worker holds its lease."""


class Stopping(Exception):
    """This process was asked to end."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed file and the step to be done: parsing, recognising or embedding.

    `size` is that of its original; `splitting` is its base's choice; `page` is set for a web page.
    """

    file_id: str
    base: int
    name: str
    sha256: str
    size: int
    owner: str
    step: str
    attempts: int
    splitting: str
    page: "PageJob | None" = None

    @property
    def is_read(self) -> bool:
        """Whether the file has been parsed."""
        return self.step in (RECOGNISING, EMBEDDING)

    @property
    def waiting(self) -> str:
        """The status of the file while it waits for this step."""
        return self.step if self.is_read else "queued"


@dataclass(frozen=True, slots=True)
class PageJob:
    """A web page's address, the name and charset that its server gave, and the file whose content
    it will replace."""

    url: str
    sent_name: str
    charset: str
    replaces: str | None


def is_claimable() -> ColumnElement[bool]:
    """Return the SQL condition for claimable files: queued or in progress, without a lease, and
    not postponed."""
    free = or_(File.lease_until.is_(None), File.lease_until < database_time())
    return and_(File.status.in_(("queued", *IN_PROGRESS)), free)


def are_queued(t: Session) -> bool:
    """Return whether files can be parsed now."""
    return bool(t.scalar(select(exists().where(File.status == "queued", is_claimable()))))


def is_leased(job: Job) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions for a file whose lease is still a job's."""
    return (File.lease_owner == job.owner, File.status.in_(LEASED))


def update_leased(
    database: Database,
    job: Job,
    values: Mapping[str, object],
    more: Callable[[Session], None] | None = None,
) -> None:
    """Update a file's row and run `more` in one transaction; raise LeaseLost without its lease."""

    def change(t: Session) -> None:
        ours = (File.id == job.file_id, *is_leased(job))
        changed = update(File).where(*ours).values(**values).returning(File.id)
        if t.scalars(changed.execution_options(synchronize_session=False)).first() is None:
            raise LeaseLost
        if more is not None:
            more(t)

    write_with_retry(database, change)


def release(
    database: Database, job: Job, attempts: ColumnElement[int] | InstrumentedAttribute[int] | int
) -> str:
    """Release the lease, so that any worker can continue; return the file's status."""
    status = job.waiting
    values: dict[str, object] = {"status": status, "attempts": attempts, **NO_LEASE}
    if not job.is_read:
        values["error"] = None  # that of an earlier wait
    try:
        update_leased(database, job, values)
    except LeaseLost:
        return "lost"
    return status


def postpone(
    database: Database,
    job: Job,
    error: ChatAppError,
    seconds: float,
    attempts: ColumnElement[int] | InstrumentedAttribute[int] | int = File.attempts,
) -> str:
    """Release the lease and leave the file alone for so long; it shows the error meanwhile. Return
    its status."""
    status = job.waiting
    until = database_time(seconds)
    waits: dict[str, object] = {"error": error_json(error), "attempts": attempts}
    waits |= {"lease_owner": None, "lease_until": until}
    try:
        update_leased(database, job, {"status": status, **waits})
    except LeaseLost:
        return "lost"
    return status


def queue_again(file: File, splitting: str) -> None:
    """Queue a file that failed, has unread pages or is split otherwise than its base says, and end
    the wait of one for its original, memory or embedder; leave others unchanged. A web page that
    failed or waits is fetched anew."""
    waits = file.error and file.lease_owner is None
    unread = file.status != RECOGNISING and file.recognised < file.scanned
    if file.url and (file.status == "failed" or (file.status in (FETCHING, "queued") and waits)):
        _queue(file, FETCHING)
        file.fetch = {**(file.fetch or {}), "tries": 0}
    elif file.status == "failed" or (
        file.status in SEARCHABLE and (unread or file.split != splitting)
    ):
        _queue(file, "queued")
    elif file.status in ("queued", RECOGNISING, EMBEDDING) and waits:
        file.error, file.attempts, file.lease_until = None, 0, None


def _queue(file: File, status: str) -> None:
    file.status, file.error, file.attempts, file.progress = status, None, 0, 0.0
    file.lease_owner, file.lease_until = None, None


def lease_renewal(progress: float | None = None) -> dict[str, object]:
    """Return the values that renew a lease, and optionally report progress (0..1).

    The progress of an earlier attempt stays until it is exceeded. Then earlier attempts no longer
    count, since the next one has come further.
    """
    renewed: dict[str, object] = {"lease_until": database_time(LEASE_SECONDS)}
    if progress is not None:
        is_further = File.progress < progress
        renewed["progress"] = case((is_further, progress), else_=File.progress)
        renewed["attempts"] = case((is_further, 1), else_=File.attempts)
    return renewed


def write_with_retry(database: Database, fn: Callable[[Session], T]) -> T:
    """Write, retrying while the database is busy, so that a file does not fail for that."""
    return _retry(database.write, fn)


def delete_with_retry(database: Database, fn: Callable[[Session], T]) -> T:
    """Write a deletion, which also works on a full disk, in the same way."""
    return _retry(database.write_deletion, fn)


def _retry(write: Callable[[Callable[[Session], T]], T], fn: Callable[[Session], T]) -> T:
    deadline = time.monotonic() + BUSY_RETRY_SECONDS
    while True:
        try:
            return write(fn)
        except DatabaseBusy:
            if time.monotonic() > deadline:
                raise


def error_json(error: ChatAppError) -> dict[str, object]:
    """Return an error in its stored form; it is translated when it is read."""
    return {
        "code": error.code,
        "key": error.key,
        "params": dict(error.params),
        "retryable": error.retryable,
    }


def lock_content(t: Session, sha256: str) -> None:
    """Block concurrent adding and removing of a file with these bytes until the transaction ends.

    SQLite needs no lock: it has one writer at a time.
    """
    if t.get_bind().dialect.name == "postgresql":
        t.execute(text("SELECT pg_advisory_xact_lock(hashtext(:sha256))"), {"sha256": sha256})
