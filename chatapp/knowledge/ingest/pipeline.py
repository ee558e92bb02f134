"""Parses and indexes files. A file's row is its job: it is claimed with a lease, parsed in a child
process and written in small transactions; every step can be repeated.

    queued → parsing → indexing → recognising → embedding → ready | failed

Chunks are written in batches, so that SQLite's write lock is held briefly. From `embedding` on,
keyword search finds the whole file, but for pages that recognising.py adds; embedding.py adds its
vectors when no other file waits to be parsed. A repeated step first deletes what an earlier attempt
left.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, case, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from chatapp.child import is_running
from chatapp.errors import ChatAppError, OriginalMissing, StorageUnavailable, UnreadableFile
from chatapp.knowledge.embedders import Embedder
from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.ingest.chunking import Row, chunk_rows
from chatapp.knowledge.ingest.jobs import (
    BATCH_CHUNKS,
    EMBEDDING,
    LEASE_SECONDS,
    LEASED,
    MISSING_SECONDS,
    NO_LEASE,
    RECOGNISING,
    Job,
    LeaseLost,
    PageJob,
    Stopping,
    error_json,
    is_claimable,
    is_leased,
    lease_renewal,
    postpone,
    release,
    update_leased,
    write_with_retry,
)
from chatapp.knowledge.ingest.originals import Originals
from chatapp.knowledge.ingest.recognising import before_recognition, plan_pages
from chatapp.knowledge.ingest.remove import Remover
from chatapp.knowledge.ingest.sandbox import ParserEnded
from chatapp.knowledge.ingest.splitting import BY_MEANING, Splitter
from chatapp.knowledge.retokenise import lock_tokenizer
from chatapp.knowledge.search.bm25 import LexicalIndex
from chatapp.knowledge.web_pages.reading import (
    Parse,
    named_by_content,
    parsed_page,
    replace_page,
)
from chatapp.storage.clock import database_time
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, KnowledgeBase
from chatapp.storage.text_models import FileText

HEARTBEAT_SECONDS = 10
MAX_ATTEMPTS = 3
PARSED_PROGRESS = 0.1  # of the progress bar, when parsing is done
SPLIT_PROGRESS = 0.8  # when a document is split by meaning

log = logging.getLogger("chatapp.knowledge")


class Ingest:
    """Moves files from queued to embedding, or to ready without an embedder.

    `should_stop` returns whether this process must end, `why_not` why no text can be recognised,
    None where it can.
    """

    def __init__(
        self,
        database: Database,
        index: LexicalIndex,
        originals: Originals,
        parse: Parse,
        should_stop: Callable[[], bool] = lambda: False,
        embedder: Embedder | None = None,
        why_not: Callable[[], str | None] = lambda: "recognition_off",
    ) -> None:
        self._database = database
        self._index = index
        self._originals = originals
        self._parse = parse
        self._should_stop = should_stop
        self.following = "ready" if embedder is None else EMBEDDING  # the status after indexing
        self._why_not = why_not
        self._splitter = Splitter(embedder)
        self._remover = Remover(database, index, originals)
        self._heartbeat_at = 0.0

    def claim(self, owner: str, recognises: bool = False) -> Job | None:
        """Lease the next file: files to parse before files to embed, oldest first; or, where none
        waits and this process `recognises` text, a file with pages for that.

        Includes files whose worker has died. Returns None where nothing waits.
        """
        steps = _STEPS if recognises else _STEPS[:2]
        return write_with_retry(self._database, lambda t: _lease(t, owner, steps))

    def read(self, job: Job) -> str:
        """Parse and index a claimed file; return its status. Raises OSError where no parser can be
        started."""
        original = self._originals.path(job.sha256)
        try:
            self._originals.require(job.sha256, job.size)
            document = self._readable(self._parsed(job, original))
            job = named_by_content(job, document)
            self._remover.remove_chunks(job.file_id, only=is_leased(job))
            chunks = self._index_document(job, document)
            recognises = bool(document.unread_pages) and self._why_not() is None
            status = RECOGNISING if recognises else self.following
            progress = 1.0 if status == "ready" else 0.0
            update_leased(
                self._database,
                job,
                {
                    "status": status,
                    "progress": progress,
                    "chunks": chunks,
                    "attempts": 0,
                    "error": None,
                    **NO_LEASE,
                },
                lambda t: replace_page(t, job),
            )
        except LeaseLost:
            return "lost"
        except Stopping:
            return release(self._database, job, File.attempts - 1)
        except ParserEnded:
            return release(self._database, job, File.attempts)
        except OriginalMissing as error:  # says nothing about the file
            log.warning("file %s waits: its original is missing or incomplete", job.file_id)
            uncounted = File.attempts - 1
            return postpone(self._database, job, error, MISSING_SECONDS, uncounted)
        except OSError:  # no parser can be started
            release(self._database, job, File.attempts - 1)
            raise
        except StorageUnavailable:
            raise
        except ChatAppError as error:
            return self._fail(job, error)
        return status

    def _parsed(self, job: Job, original: Path) -> Document:
        def beat() -> None:
            self._heartbeat(job)

        if job.page is None:
            return self._parse(original, job.name, beat)
        return parsed_page(self._parse, original, job, beat)

    def _readable(self, document: Document) -> Document:
        """Return a document as it is before recognition; raise UnreadableFile for one that has no
        text and gets none."""
        why = self._why_not()
        if why is None:
            return before_recognition(document)
        if not document.text:
            raise UnreadableFile(why)
        return document

    def _index_document(self, job: Job, document: Document) -> int:
        def keep_text(t: Session) -> None:
            values = plan_pages(t, job.file_id, document.unread_pages)
            t.execute(update(File).where(File.id == job.file_id).values(**values))
            t.execute(delete(FileText).where(FileText.file_id == job.file_id))
            t.execute(
                insert(FileText).values(
                    file_id=job.file_id, text=document.text, pages=list(document.pages)
                )
            )

        pages = len(document.pages) or None
        read: dict[str, object] = {"status": "indexing", "embedded": None}
        read |= lease_renewal(PARSED_PROGRESS)
        read |= {
            "name": job.name,
            "media_type": document.media_type,
            "pages": pages,
            "skipped": document.skipped,
            "left_out": [[one.name, one.reason] for one in document.left_out] or None,
        }
        update_leased(self._database, job, read, keep_text)
        begun = SPLIT_PROGRESS if job.splitting == BY_MEANING else PARSED_PROGRESS
        split = self._splitter.split(
            document, job.splitting, lambda share: self._report_split(job, share)
        )
        how = {"split": split.by, "split_reason": split.reason}
        update_leased(self._database, job, {**lease_renewal(begun), **how})
        rows = chunk_rows(document, split.spans, job.file_id, job.name)
        written = 0
        while batch := list(islice(rows, BATCH_CHUNKS)):
            if self._should_stop():
                raise Stopping
            written += len(batch)
            self._add(job, batch, begun + (1 - begun) * written / len(split.spans))
        return written

    def _report_split(self, job: Job, share: float) -> None:
        if self._should_stop():
            raise Stopping
        progress = PARSED_PROGRESS + (SPLIT_PROGRESS - PARSED_PROGRESS) * share
        update_leased(self._database, job, lease_renewal(progress))

    def _add(self, job: Job, batch: Sequence[Row], progress: float) -> None:
        expected = self._database.read(lambda t: lock_tokenizer(t, job.base))
        made = [row.tokens(expected) for row in batch]

        def add(t: Session) -> None:
            version = lock_tokenizer(t, job.base)
            tokens = made if version == expected else [row.tokens(version) for row in batch]
            rows = insert(Chunk).returning(Chunk.id, sort_by_parameter_order=True)
            ids = t.scalars(rows, [row.values for row in batch]).all()
            self._index.add(t, job.base, list(zip(ids, tokens, strict=True)), version)

        update_leased(self._database, job, lease_renewal(progress), add)

    def _heartbeat(self, job: Job) -> None:
        if self._should_stop():
            raise Stopping
        if time.monotonic() - self._heartbeat_at > HEARTBEAT_SECONDS:
            update_leased(self._database, job, lease_renewal())
            self._heartbeat_at = time.monotonic()

    def _fail(self, job: Job, error: ChatAppError) -> str:
        self._remover.remove_chunks(job.file_id, only=is_leased(job))
        try:
            update_leased(
                self._database, job, {"status": "failed", "error": error_json(error), **NO_LEASE}
            )
        except LeaseLost:
            return "lost"
        log.info("file %s cannot be read: %s", job.file_id, error.key)
        return "failed"


_IS_READ = File.status.in_((RECOGNISING, EMBEDDING))


# In the order in which they are done.
_STEPS = (~_IS_READ, File.status == EMBEDDING, File.status == RECOGNISING)


def has_pending(t: Session) -> bool:
    """Return whether any file waits for a worker."""
    return bool(t.scalar(select(exists().where(is_claimable()))))


def release_dead_leases(t: Session, host: str) -> None:
    """Release the leases of workers on this machine that no longer run."""
    for owner in t.scalars(
        select(File.lease_owner).where(File.status.in_(LEASED), File.lease_owner.like(f"{host}:%"))
    ).all():
        pid = (owner or "").split(":")[1]
        if pid.isdigit() and not is_running(int(pid)):
            free = (
                update(File)
                .where(File.lease_owner == owner)
                .values(lease_owner=None, lease_until=None)
            )
            t.execute(free.execution_options(synchronize_session=False))


def _lease(t: Session, owner: str, steps: Sequence[ColumnElement[bool]]) -> Job | None:
    _fail_exhausted(t)
    may_be_tried = or_(_IS_READ, File.attempts < MAX_ATTEMPTS)
    rank = case(*((step, number) for number, step in enumerate(steps)))
    waiting = (
        select(File.id)
        .where(is_claimable(), may_be_tried, or_(*steps))
        .order_by(rank, File.created_at, File.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    taken = t.execute(
        update(File)
        .where(File.id == waiting.scalar_subquery())
        .values(
            status=case((_IS_READ, File.status), else_="parsing"),
            attempts=File.attempts + 1,
            lease_owner=owner,
            lease_until=database_time(LEASE_SECONDS),
        )
        .returning(
            File.id,
            File.knowledge_base_id,
            File.name,
            File.sha256,
            File.size,
            File.status,
            File.attempts,
            File.url,
            File.fetch,
            File.replaces,
        )
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        return None
    base = t.execute(
        select(KnowledgeBase.number, KnowledgeBase.splitting).where(
            KnowledgeBase.id == taken.knowledge_base_id
        )
    ).one()
    return Job(
        file_id=taken.id,
        base=base.number,
        name=taken.name,
        sha256=taken.sha256,
        size=taken.size,
        owner=owner,
        step=taken.status,
        attempts=taken.attempts,
        splitting=base.splitting,
        page=_page_job(taken.url, taken.fetch or {}, taken.replaces) if taken.url else None,
    )


def _page_job(url: str, fetch: Mapping[str, Any], replaces: str | None) -> PageJob:
    return PageJob(url, str(fetch.get("name", "")), str(fetch.get("charset", "")), replaces)


def _fail_exhausted(t: Session) -> None:
    """Fail files whose workers or parsers were ended too often without coming further, maybe not
    because of them."""
    error = error_json(UnreadableFile("ended")) | {"retryable": True}
    t.execute(
        update(File)
        .where(is_claimable(), File.attempts >= MAX_ATTEMPTS, ~_IS_READ)
        .values(
            status="failed",
            error=error,
            lease_owner=None,
            lease_until=None,
        )
        .execution_options(synchronize_session=False)
    )
