"""Deletes files and bases with all their data, in short transactions.

A file is marked first, which hides it from all lists and searches; then its chunks, vectors,
lexical rows, text, row and original are deleted. A base is marked by removing its owner. Deletion
may be interrupted anywhere; the worker resumes it, in pieces between which it reads files. In
Chroma, chroma_sync.py deletes the vectors of
a deleted file; the worker deletes the collections of a deleted base from here.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TypeAlias

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from chatapp.knowledge.ingest.chroma_sync import ChromaSync
from chatapp.knowledge.ingest.jobs import (
    BATCH_CHUNKS,
    DELETING,
    LEASE_SECONDS,
    NO_LEASE,
    delete_with_retry,
    lock_content,
)
from chatapp.knowledge.ingest.originals import Originals
from chatapp.knowledge.json_client import Unreachable
from chatapp.knowledge.search.bm25 import LexicalIndex
from chatapp.storage.clock import database_time
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, KnowledgeBase

FOREGROUND_SECONDS = 2  # of a deletion spent in the request; the worker does the rest
STEP_BATCHES = 20  # of one file's chunks in one step of the worker

Conditions: TypeAlias = Sequence[ColumnElement[bool]]
Enough: TypeAlias = Callable[[], bool]  # asked before each batch


class Remover:
    """Deletes marked files and bases; without `sync`, only bases without a collection."""

    def __init__(
        self,
        database: Database,
        index: LexicalIndex,
        originals: Originals,
        sync: ChromaSync | None = None,
    ) -> None:
        self._database = database
        self._index = index
        self._originals = originals
        self._sync = sync

    def has_work(self) -> bool:
        """Return whether an unfinished deletion remains."""
        return self._database.read(
            lambda t: _next_deleted_file(t) is not None or bool(_deleted_bases(t))
        )

    def run_step(self) -> bool:
        """Delete one file of the unfinished deletions, or a piece of it; return whether there was
        any. The worker reads a file between two steps."""
        file_id = self._database.read(_next_deleted_file)
        if file_id is not None:
            self.remove_file(file_id, _after(STEP_BATCHES))
            return True
        bases = self._database.read(_deleted_bases)
        return any(self._remove_next(one, _after(STEP_BATCHES)) for one in bases) or (
            self._clear_failed(_after(STEP_BATCHES))
        )

    def remove_file(self, file_id: str, enough: Enough = lambda: False) -> bool:
        """Delete a marked file, and its original with the last file that has these bytes; return
        whether it is deleted."""
        if not self.remove_chunks(file_id, enough):
            return False

        def finish(t: Session) -> None:
            file = t.get(File, file_id)
            if file is None:
                return
            sha256 = file.sha256
            lock_content(t, sha256)
            t.execute(delete(File).where(File.id == file_id))
            if not t.scalar(select(exists().where(File.sha256 == sha256))):
                self._originals.remove(sha256)

        delete_with_retry(self._database, finish)
        return True

    def begin_file(self, file_id: str) -> bool:
        """Delete a marked file for at most FOREGROUND_SECONDS; return whether it is deleted.

        The worker does the rest.
        """
        if self.remove_file(file_id, _in_foreground()):
            return True
        delete_with_retry(self._database, lambda t: mark_deleting(t, file_id, leased=False))
        return False

    def begin_bases(self, numbers: Iterable[int]) -> None:
        """Delete marked bases for at most FOREGROUND_SECONDS; the worker does the rest."""
        enough = _in_foreground()
        for number in numbers:
            while not enough() and self._remove_next(number, enough):
                pass

    def _remove_next(self, number: int, enough: Enough) -> bool:
        """Delete the next file of a marked base, after the last one the base itself; return whether
        anything was deleted."""
        file_id = delete_with_retry(self._database, lambda t: _mark_next_file(t, number))
        if file_id is None:
            return self._drop_base(number)
        self.remove_file(file_id, enough)
        return True

    def _drop_base(self, number: int) -> bool:
        """Delete a base's collections, then its row; without Chroma, keep the row for a retry.
        Return whether it was deleted."""
        base_id = self._database.read(
            lambda t: t.scalars(_ID_IF_INDEXED.where(KnowledgeBase.number == number)).first()
        )
        if base_id is not None:
            if self._sync is None:
                return False
            try:
                self._sync.drop(base_id)
            except Unreachable:
                return False
        row = delete(KnowledgeBase).where(KnowledgeBase.number == number, *_OWNERLESS)
        return delete_with_retry(
            self._database,
            lambda t: t.scalars(row.returning(KnowledgeBase.number)).first() is not None,
        )

    def remove_chunks(
        self, file_id: str, enough: Enough = lambda: False, only: Conditions = ()
    ) -> bool:
        """Delete a file's chunks and lexical rows in batches; return whether none is left.

        It stops when the file no longer meets the conditions `only`.
        """
        while not enough():
            if not delete_with_retry(
                self._database, lambda t: self._remove_batch(t, file_id, only)
            ):
                return True
        return False

    def _remove_batch(self, t: Session, file_id: str, only: Conditions) -> bool:
        of_file = (
            select(KnowledgeBase.number)
            .join(File, File.knowledge_base_id == KnowledgeBase.id)
            .where(File.id == file_id, *only)
        )
        base = t.scalars(of_file.with_for_update()).first()
        if base is None:
            return False
        ids = t.scalars(
            select(Chunk.id)
            .where(Chunk.file_id == file_id)
            .order_by(Chunk.ordinal)
            .limit(BATCH_CHUNKS)
        ).all()
        if ids:
            self._index.remove(t, base, ids)
            # their vectors are deleted by cascade
            t.execute(delete(Chunk).where(Chunk.id.in_(ids)))
            touched = update(KnowledgeBase).where(
                KnowledgeBase.number == base, KnowledgeBase.changed > 0
            )
            t.execute(
                touched.values(changed=KnowledgeBase.changed + 1).execution_options(
                    synchronize_session=False
                )
            )
        return bool(ids)

    def _clear_failed(self, enough: Enough) -> bool:
        """Delete the chunks that failed files left behind."""
        failed = (
            select(File.id)
            .where(File.status == "failed", exists().where(Chunk.file_id == File.id))
            .limit(1)
        )
        file_id = self._database.read(lambda t: t.scalars(failed).first())
        if file_id is not None:
            self.remove_chunks(file_id, enough, (File.status == "failed",))
        return file_id is not None


def _after(batches: int) -> Enough:
    calls = count(1)
    return lambda: next(calls) > batches


def _in_foreground() -> Enough:
    until = time.monotonic() + FOREGROUND_SECONDS
    return lambda: time.monotonic() > until


def mark_deleting(t: Session, file_id: str, *, leased: bool = True) -> None:
    """Hide a file from all lists and searches; the worker deletes it, after a lease's time where
    the caller begins with that. What would replace it is deleted too."""
    until = database_time(LEASE_SECONDS) if leased else None
    copies = update(File).where(File.replaces == file_id)
    t.execute(
        copies.values(status=DELETING, **NO_LEASE).execution_options(synchronize_session=False)
    )
    values = {"status": DELETING, "lease_owner": None, "lease_until": until}
    t.execute(
        update(File)
        .where(File.id == file_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _next_deleted_file(t: Session) -> str | None:
    lapsed = or_(File.lease_until.is_(None), File.lease_until < database_time())
    return t.scalars(select(File.id).where(File.status == DELETING, lapsed).limit(1)).first()


def _deleted_bases(t: Session) -> list[int]:
    return list(t.scalars(select(KnowledgeBase.number).where(*_OWNERLESS)))


def _mark_next_file(t: Session, number: int) -> str | None:
    of_base = select(File.id).join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
    of_base = of_base.where(KnowledgeBase.number == number, *_OWNERLESS)
    file_id = t.scalars(of_base.limit(1)).first()
    if file_id is not None:
        mark_deleting(t, file_id)
    return file_id


_OWNERLESS = (KnowledgeBase.user_id.is_(None), KnowledgeBase.bundled.is_(None))
_ID_IF_INDEXED = select(KnowledgeBase.id).where(KnowledgeBase.changed > 0)
