"""Text recognition as a step of a file: its unread pages, one at a time.

    recognising → embedding | ready | failed

The table of recognised pages is the list of what is to be done and the record of what was done, so
a killed worker's job continues at its page. Each page's text is inserted into the file's text, and
its chunks into the index, in one transaction; chunks behind it move. A page that ends the process,
or fails, is marked and left out. Between two pages the file's lease is released: whatever else
waits goes first.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import case, delete, exists, insert, select, update
from sqlalchemy.orm import Session

from chatapp.errors import OriginalMissing, UnreadableFile
from chatapp.knowledge.formats.document import GARBLED, MAX_CHARACTERS, SCANNED, Document
from chatapp.knowledge.ingest.chunking import Row, chunk_rows
from chatapp.knowledge.ingest.jobs import (
    MISSING_SECONDS,
    NO_LEASE,
    RECOGNISING,
    Job,
    LeaseLost,
    Stopping,
    error_json,
    is_claimable,
    lease_renewal,
    postpone,
    queue_again,
    release,
    update_leased,
)
from chatapp.knowledge.ingest.originals import Originals
from chatapp.knowledge.ingest.splitting import Splitter
from chatapp.knowledge.recognition.machine import Machine
from chatapp.knowledge.recognition.sandboxed import RecogniserEnded
from chatapp.knowledge.retokenise import lock_tokenizer
from chatapp.knowledge.search.bm25 import LexicalIndex
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File
from chatapp.storage.text_models import FileText, RecognisedPage

log = logging.getLogger("chatapp.knowledge")

HEARTBEAT_SECONDS = 10
MAX_ATTEMPTS = 3  # of a page whose process ends for whatever reason
MAX_CRASHES = 2
MEMORY_SECONDS = 60  # between two looks for free memory
WAITING, READ, DONE, FAILED = "waiting", "read", "done", "failed"

_PAGE = RecognisedPage
DAMAGED = "damaged"
# How a page's process ended: why the page is left out. All else is the reason itself.
_REASONS = {"limit": "limits", "crash": DAMAGED, "outside": "ended"}


class _NoMemory(Exception):
    """Too little memory is free now."""


class Recognising:
    """Moves files from recognising to embedding, or to ready without an embedder."""

    def __init__(
        self,
        database: Database,
        index: LexicalIndex,
        originals: Originals,
        splitter: Splitter,
        machine: Machine,
        should_stop: Callable[[], bool],
        following: str,
    ) -> None:
        self._database = database
        self._index = index
        self._originals = originals
        self._splitter = splitter
        self._machine = machine
        self._should_stop = should_stop
        self._following = following  # the status after the last page
        self._heartbeat_at = 0.0

    def may_begin(self) -> bool:
        """Return whether no other process of this machine recognises text."""
        return self._machine.enter()

    def pause(self) -> None:
        """End the process, and let another worker begin."""
        self._machine.leave()

    def run(self, job: Job) -> str:
        """Recognise the next page of a claimed file, or move the file on after the last one;
        return its status. Raises OSError where no process can be started."""
        try:
            page = self._database.read(lambda t: _next_page(t, job.file_id))
            if page is None or (why := self._machine.why_not()) is not None:
                self.pause()
                return self._finish(job, None if page is None else why)
            if page.state == READ:
                self._store(job, page.page, page.text, page.lines, page.turned)
            else:
                self._read(job, page)
        except LeaseLost:
            return "lost"
        except Stopping:
            return release(self._database, job, 0)
        except OriginalMissing as error:
            log.warning("file %s waits: its original is missing or incomplete", job.file_id)
            return postpone(self._database, job, error, MISSING_SECONDS, 0)
        except _NoMemory:
            self.pause()
            waits = UnreadableFile("recognition_waits")
            return postpone(self._database, job, waits, MEMORY_SECONDS, 0)
        except OSError:
            release(self._database, job, 0)
            raise
        return release(self._database, job, 0)

    def _read(self, job: Job, page: Any) -> None:
        if page.attempts >= MAX_ATTEMPTS:  # the last ones ended this process too
            self._give_up(job, page.page, "outside")
            return
        self._originals.require(job.sha256, job.size)
        if not self._machine.has_memory():
            raise _NoMemory
        self._count(job, page.page, 1)
        try:
            read = self._machine.reader.read(
                self._originals.path(job.sha256), page.page, lambda: self._heartbeat(job)
            )
        except Stopping:
            self._count(job, page.page, -1)
            raise
        except RecogniserEnded as ended:
            if self._should_stop():  # it may have ended with the service
                self._count(job, page.page, -1)
                raise Stopping from ended
            most = {"limit": 1, "crash": MAX_CRASHES}.get(ended.by, MAX_ATTEMPTS)
            if page.attempts + 1 >= most:
                self._give_up(job, page.page, ended.by)
            return
        if why := read.get("unreadable"):
            self._give_up(job, page.page, why)
        else:
            self._store(job, page.page, read["text"], read["lines"], read["turned"])

    def _count(self, job: Job, page: int, by: int) -> None:
        """Count an attempt at a page before it begins: it may end this process too."""
        counted = _of(job, page).values(attempts=_PAGE.attempts + by)
        update_leased(self._database, job, lease_renewal(), lambda t: _execute(t, counted))

    def _give_up(self, job: Job, page: int, why: str) -> None:
        log.warning("file %s: page %d is left out: %s", job.file_id, page, why)
        failed = _of(job, page).values(state=FAILED, text=_REASONS.get(why, why))
        values = {**_one_more(), "skipped": File.skipped + 1}
        update_leased(self._database, job, values, lambda t: _execute(t, failed))

    def _store(self, job: Job, page: int, text: str, lines: list[Any], turned: int) -> None:
        """Add a page to the file's text and to the index."""
        document = Document("", text, pages=(0,))
        split = self._splitter.split(document, job.splitting, lambda _: self._heartbeat(job))
        rows = list(chunk_rows(document, split.spans, job.file_id, job.name))
        expected = self._database.read(lambda t: lock_tokenizer(t, job.base))
        made = [row.tokens(expected) for row in rows]

        def add(t: Session) -> None:
            done = _of(job, page).values(state=DONE, text=text, lines=lines, turned=turned)
            _execute(t, done)
            moved = _insert_text(t, job.file_id, page, text) if text else None
            values = _make_room(t, job.file_id, page, moved, rows) if moved else []
            if not values:
                return
            counted = update(File).where(File.id == job.file_id)
            _execute(t, counted.values(chunks=File.chunks + len(rows)))
            version = lock_tokenizer(t, job.base)
            tokens = made if version == expected else [row.tokens(version) for row in rows]
            added = insert(Chunk).returning(Chunk.id, sort_by_parameter_order=True)
            ids = t.scalars(added, values).all()
            self._index.add(t, job.base, list(zip(ids, tokens, strict=True)), version)

        values = _one_more()
        if split.reason is not None:
            values |= {"split": split.by, "split_reason": split.reason}
        update_leased(self._database, job, values, add)

    def _finish(self, job: Job, why: str | None) -> str:
        """Move a file on; fail it where it has no text at all."""
        is_empty = self._database.read(lambda t: not t.scalar(_has_chunks(job.file_id)))
        following = self._following
        values: dict[str, object] = {"status": following, "error": None, "attempts": 0, **NO_LEASE}
        values["progress"] = 1.0 if following == "ready" else 0.0
        if is_empty:
            why = why or self._database.read(lambda t: _first_reason(t, job.file_id)) or "no_text"
            error = error_json(UnreadableFile(None if why == DAMAGED else why))
            values |= {"status": "failed", "error": error}
        update_leased(self._database, job, values)
        return str(values["status"])

    def _heartbeat(self, job: Job) -> None:
        if self._should_stop():
            raise Stopping
        if time.monotonic() - self._heartbeat_at > HEARTBEAT_SECONDS:
            update_leased(self._database, job, lease_renewal())
            self._heartbeat_at = time.monotonic()


def are_recognised(t: Session) -> bool:
    """Return whether files wait for their pages to be recognised."""
    return bool(t.scalar(select(exists().where(File.status == RECOGNISING, is_claimable()))))


def before_recognition(document: Document) -> Document:
    """Return a document without the complaint that pages wait for recognition."""
    kept = tuple(one for one in document.left_out if one.reason not in (SCANNED, GARBLED))
    skipped = document.skipped - len(document.unread_pages) if kept != document.left_out else None
    if skipped is None:
        return document
    return replace(document, left_out=kept, skipped=max(0, skipped))


def plan_pages(t: Session, file_id: str, pages: Sequence[int]) -> dict[str, object]:
    """Make a file's list of pages to recognise; return the values of its row.

    What was recognised before is kept: it only has to be inserted again.
    """
    of_file = _PAGE.file_id == file_id
    t.execute(delete(_PAGE).where(of_file, _PAGE.page.not_in(pages)))
    _execute(t, update(_PAGE).where(of_file, _PAGE.state == DONE).values(state=READ))
    known = {
        row.page: row.state for row in t.execute(select(_PAGE.page, _PAGE.state).where(of_file))
    }
    if missing := [page for page in pages if page not in known]:
        t.execute(
            insert(_PAGE),
            [{"file_id": file_id, "page": page, "state": WAITING} for page in missing],
        )
    failed = sum(state == FAILED for state in known.values())
    return {"scanned": len(pages), "recognised": failed}


def read_again(t: Session, file: File, splitting: str) -> None:
    """Queue a file as `queue_again` does; pages that were given up are tried again too."""
    queue_again(file, splitting)
    if file.status == "queued":
        failed = update(_PAGE).where(_PAGE.file_id == file.id, _PAGE.state == FAILED)
        _execute(t, failed.values(state=WAITING, attempts=0, text=""))


def _next_page(t: Session, file_id: str) -> Any:
    query = select(_PAGE.page, _PAGE.state, _PAGE.attempts, _PAGE.text, _PAGE.lines, _PAGE.turned)
    waiting = query.where(_PAGE.file_id == file_id, _PAGE.state.in_((WAITING, READ)))
    # What was read before is inserted first.
    return t.execute(waiting.order_by(_PAGE.state == WAITING, _PAGE.page).limit(1)).first()


def _first_reason(t: Session, file_id: str) -> str | None:
    """Return why the first page was given up, where no page was read."""
    query = select(_PAGE.state, _PAGE.text).where(_PAGE.file_id == file_id).order_by(_PAGE.page)
    rows = t.execute(query).all()
    return rows[0].text if all(row.state == FAILED for row in rows) and rows else None


def _of(job: Job, page: int) -> Any:
    return update(_PAGE).where(_PAGE.file_id == job.file_id, _PAGE.page == page)


def _execute(t: Session, statement: Any) -> None:
    t.execute(statement.execution_options(synchronize_session=False))


def _one_more() -> dict[str, object]:
    """Return the values of a file's row after one more page."""
    done = File.recognised + 1
    progress = done * 1.0 / case((File.scanned > 0, File.scanned), else_=1)
    return {**lease_renewal(), "recognised": done, "progress": progress, "error": None}


def _has_chunks(file_id: str) -> Any:
    return select(exists().where(Chunk.file_id == file_id))


@dataclass(frozen=True, slots=True)
class Inserted:
    """Where a page's text begins now, where text moved from, and how far."""

    start: int
    place: int
    length: int


def _insert_text(t: Session, file_id: str, page: int, text: str) -> Inserted | None:
    """Insert a page's text into its file's; None where that would be too long."""
    kept = t.get_one(FileText, file_id, with_for_update=True)
    pages = list(kept.pages)
    place = pages[page - 1]
    before, after = kept.text[:place], kept.text[place:]
    lead = "" if not before or before.endswith("\n\n") else "\n\n"
    tail = "\n\n" if after else ""
    length = len(lead) + len(text) + len(tail)
    if len(kept.text) + length > MAX_CHARACTERS:
        return None
    kept.text = f"{before}{lead}{text}{tail}{after}"
    following = [start + length for start in pages[page:]]
    kept.pages = [*pages[: page - 1], place + len(lead), *following]
    t.flush()
    return Inserted(place + len(lead), place, length)


def _make_room(
    t: Session, file_id: str, page: int, moved: Inserted, rows: Sequence[Row]
) -> list[dict[str, Any]]:
    """Move the chunks behind an inserted page; return the columns of the page's own chunks."""
    of_file = Chunk.file_id == file_id
    before = select(Chunk.ordinal, Chunk.heading).where(of_file, Chunk.start < moved.place)
    last = t.execute(before.order_by(Chunk.ordinal.desc()).limit(1)).first()
    first = last.ordinal + 1 if last else 0
    spanning = (of_file, Chunk.start < moved.place, Chunk.end > moved.place)
    _execute(t, update(Chunk).where(*spanning).values(end=Chunk.end + moved.length))
    # In two steps: ordinals are unique at every moment.
    behind = update(Chunk).where(of_file, Chunk.ordinal >= first)
    places = {"start": Chunk.start + moved.length, "end": Chunk.end + moved.length}
    _execute(t, behind.values(ordinal=-1 - Chunk.ordinal - len(rows), **places))
    negative = update(Chunk).where(of_file, Chunk.ordinal < 0)
    _execute(t, negative.values(ordinal=-1 - Chunk.ordinal))
    return [
        row.values
        | {
            "ordinal": first + number,
            "start": int(str(row.values["start"])) + moved.start,
            "end": int(str(row.values["end"])) + moved.start,
            "page": page,
            "heading": last.heading if last else "",
        }
        for number, row in enumerate(rows)
    ]
