"""The document worker's side of web pages: claims those that wait, fetches a few at once.

Each fetch has a thread of its own in the worker, so that a server that hangs holds up neither the
reading of files nor the end of the worker: a thread that still waits ends with the process, and the
next worker begins again. A temporary failure is tried again, TRIES times in all.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.errors import ChatAppError, PageUnavailable, StorageUnavailable, UnreadableFile
from chatapp.knowledge.ingest.jobs import (
    FETCHING,
    LEASE_SECONDS,
    NO_LEASE,
    LeaseLost,
    Stopping,
    delete_with_retry,
    error_json,
    lock_content,
    write_with_retry,
)
from chatapp.knowledge.ingest.originals import Incoming, Originals, Stored
from chatapp.knowledge.ingest.remove import Remover
from chatapp.knowledge.web_pages.download import Downloads, Fetched
from chatapp.knowledge.web_pages.names import name_of_address, sent_name
from chatapp.knowledge.web_pages.rows import UNCHANGED, end_again, same_content, settle
from chatapp.storage.clock import database_time
from chatapp.storage.database import Database
from chatapp.storage.models import File, now

AT_ONCE = 4
TRIES = 3
PAUSES = (10, 60)  # seconds before the second and the third try, unless the server says otherwise
BEAT_SECONDS = 5  # between two renewals of the lease
POLL_SECONDS = 0.25

log = logging.getLogger("chatapp.knowledge")


@dataclass(frozen=True, slots=True)
class Fetch:
    """A claimed page. `known`: the etag and date of the content that it would replace."""

    file_id: str
    url: str
    owner: str
    tries: int
    known: dict[str, str]


class _BeingDeleted(Exception):
    """A file of the base with these bytes is still being deleted."""


class Fetching:
    """Fetches the pages that wait. `should_stop` returns whether this process must end."""

    def __init__(
        self,
        database: Database,
        originals: Originals,
        remover: Remover,
        downloads: Downloads,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._originals = originals
        self._remover = remover
        self._downloads = downloads
        self._should_stop = should_stop
        self._running = 0
        self._lock = threading.Lock()
        self.busy = True  # whether a page is being fetched or waits

    def start(self, owner: Callable[[], str]) -> None:
        """Fetch pages in the background until this process must end; each has an own `owner`."""
        threading.Thread(target=self._run, args=(owner,), name="fetching", daemon=True).start()

    def _run(self, owner: Callable[[], str]) -> None:
        while not self._should_stop():
            try:
                self.busy = self._step(owner) or self._running > 0
            except StorageUnavailable:
                self.busy = True
            time.sleep(POLL_SECONDS)

    def _step(self, owner: Callable[[], str]) -> bool:
        """Start fetching a page if one is due; return whether any waits."""
        if self._database.read(_has_failed):
            write_with_retry(self._database, settle)
        if self._running >= AT_ONCE:
            return True
        if self._database.read(_has_due) and (fetch := self.claim(owner())) is not None:
            with self._lock:
                self._running += 1
            threading.Thread(target=self._work, args=(fetch,), name="fetch", daemon=True).start()
            return True
        return self._database.read(_has_any)

    def _work(self, fetch: Fetch) -> None:
        try:
            log.info("page %s %s", fetch.file_id, self.fetch(fetch))
        except StorageUnavailable as fault:
            log.warning("page %s is fetched again later: %s", fetch.file_id, fault)
            with suppress(StorageUnavailable, LeaseLost):
                self._postpone(fetch, PAUSES[0], {})
        finally:
            with self._lock:
                self._running -= 1

    def claim(self, owner: str) -> Fetch | None:
        """Lease the page that waits longest; None where none is due."""
        return write_with_retry(self._database, lambda t: _lease(t, owner))

    def fetch(self, fetch: Fetch) -> str:
        """Fetch a claimed page and queue it for reading; return what became of it."""
        incoming = self._originals.incoming()
        try:
            fetched = self._downloads.fetch(fetch.url, incoming, self._beat(fetch), fetch.known)
            stored = None if fetched.unchanged else _finish(incoming)
            return self._store(fetch, fetched, incoming, stored)
        except LeaseLost:
            return "lost"
        except Stopping:
            with suppress(LeaseLost):
                self._update(fetch, dict(NO_LEASE))
            return "put back"
        except StorageUnavailable:
            raise
        except ChatAppError as error:
            with suppress(LeaseLost):
                return self._failed(fetch, error)
            return "lost"
        finally:
            incoming.discard()

    def _beat(self, fetch: Fetch) -> Callable[[], None]:
        """Return a function that renews the lease from time to time.

        It raises LeaseLost where the page was deleted, and Stopping.
        """
        renewed_at = 0.0

        def beat() -> None:
            nonlocal renewed_at
            if self._should_stop():
                raise Stopping
            if time.monotonic() - renewed_at > BEAT_SECONDS:
                self._update(fetch, {"lease_until": database_time(LEASE_SECONDS)})
                renewed_at = time.monotonic()

        return beat

    def _store(
        self, fetch: Fetch, fetched: Fetched, incoming: Incoming, stored: Stored | None
    ) -> str:
        outcome, old = self._noted(fetch, fetched, incoming, stored)
        if old:
            delete_with_retry(self._database, lambda t: self._remove_unused(t, old))
        return outcome

    def _noted(
        self, fetch: Fetch, fetched: Fetched, incoming: Incoming, stored: Stored | None
    ) -> tuple[str, str]:
        while True:
            try:
                return write_with_retry(
                    self._database, lambda t: self._note(t, fetch, fetched, incoming, stored)
                )
            except _BeingDeleted as deletion:
                self._remover.remove_file(str(deletion))
            except IntegrityError:  # PostgreSQL: a concurrent upload of the same bytes
                continue

    def _note(
        self,
        t: Session,
        fetch: Fetch,
        fetched: Fetched,
        incoming: Incoming,
        stored: Stored | None,
    ) -> tuple[str, str]:
        """Store a page's bytes; return what became of it, and the hash of the bytes it had."""
        file = _leased(t, fetch)
        replaced = t.get(File, file.replaces) if file.replaces else None
        if stored is None or (replaced is not None and replaced.sha256 == stored.sha256):
            end_again(t, file, UNCHANGED)
            return UNCHANGED, ""
        lock_content(t, stored.sha256)
        if (other := same_content(t, file, stored.sha256)) is not None:
            if other.status == "deleting":
                raise _BeingDeleted(other.id)
            raise PageUnavailable("same", name=other.name)
        old, name = file.sha256, sent_name(fetched.address, fetched.media_type)
        file.sha256, file.md5, file.size = stored.sha256, stored.md5, stored.size
        file.status, file.error, file.attempts = "queued", None, 0
        file.lease_owner, file.lease_until = None, None
        file.fetched_at = now()
        file.fetch = {
            "name": name,
            "charset": fetched.charset,
            "etag": fetched.etag,
            "last_modified": fetched.last_modified,
        }
        if file.replaces is None:
            file.name = name_of_address(fetch.url)
        t.flush()
        self._originals.store(incoming, stored.sha256)
        return "queued", old if old != stored.sha256 else ""

    def _remove_unused(self, t: Session, sha256: str) -> None:
        lock_content(t, sha256)
        if not t.scalar(select(exists().where(File.sha256 == sha256))):
            self._originals.remove(sha256)

    def _failed(self, fetch: Fetch, error: ChatAppError) -> str:
        """Try a page again later where that may help, else keep the reason."""
        tries = fetch.tries + 1
        passing = isinstance(error, PageUnavailable) and error.passing
        if passing and tries < TRIES:
            pause = error.retry_after or PAUSES[tries - 1]
            self._postpone(fetch, pause, {"error": error_json(error)}, tries)
            return f"is fetched again in {pause} s: {error.key}"
        self._update(fetch, {"status": "failed", "error": error_json(error), **NO_LEASE}, tries)
        return f"cannot be fetched: {error.key}"

    def _postpone(
        self, fetch: Fetch, seconds: int, values: dict[str, object], tries: int | None = None
    ) -> None:
        until = database_time(seconds)
        self._update(fetch, {**values, "lease_owner": None, "lease_until": until}, tries)

    def _update(self, fetch: Fetch, values: dict[str, object], tries: int | None = None) -> None:
        def change(t: Session) -> None:
            file = _leased(t, fetch)
            for name, value in values.items():
                setattr(file, name, value)
            if tries is not None:
                file.fetch = {**(file.fetch or {}), "tries": tries}

        write_with_retry(self._database, change)


def _finish(incoming: Incoming) -> Stored:
    try:
        return incoming.finish()
    except UnreadableFile as error:  # empty
        raise PageUnavailable("no_text") from error


def _is_due() -> Any:
    free = or_(File.lease_until.is_(None), File.lease_until < database_time())
    return (File.status == FETCHING) & free


def _has_due(t: Session) -> bool:
    return bool(t.scalar(select(exists().where(_is_due()))))


def _has_any(t: Session) -> bool:
    return bool(t.scalar(select(exists().where(File.status == FETCHING))))


def _has_failed(t: Session) -> bool:
    return bool(
        t.scalar(select(exists().where(File.replaces.is_not(None), File.status == "failed")))
    )


def _lease(t: Session, owner: str) -> Fetch | None:
    due = select(File.id).where(_is_due()).order_by(File.created_at, File.id).limit(1)
    taken = t.execute(
        update(File)
        .where(File.id == due.with_for_update(skip_locked=True).scalar_subquery())
        .values(lease_owner=owner, lease_until=database_time(LEASE_SECONDS))
        .returning(File.id, File.url, File.fetch, File.replaces)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        return None
    known: dict[str, str] = {}
    if taken.replaces and (page := t.get(File, taken.replaces)) is not None:
        held = page.fetch or {}
        known = {name: held[name] for name in ("etag", "last_modified") if held.get(name)}
    return Fetch(taken.id, taken.url, owner, (taken.fetch or {}).get("tries", 0), known)


def _leased(t: Session, fetch: Fetch) -> File:
    """Return a page's row; raise LeaseLost where it was deleted or claimed by another worker."""
    ours = (File.id == fetch.file_id, File.lease_owner == fetch.owner, File.status == FETCHING)
    file = t.scalars(select(File).where(*ours).with_for_update()).first()
    if file is None:
        raise LeaseLost
    return file
