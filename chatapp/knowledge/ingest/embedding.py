"""The last step for a file: vectors of its chunks, stored in SQL in small transactions.
chroma_sync.py copies them to Chroma.

    embedding → ready

Existing vectors are not computed again, so a killed worker's job is resumed. Files that wait to be
parsed go first. While the embedder does not answer, the file waits; keyword search already finds
it. reindex.py decides which vectors a base should have.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import exists, func, insert, select
from sqlalchemy.orm import Session

from chatapp.errors import EmbedderUnavailable
from chatapp.knowledge.embedders import Embedder
from chatapp.knowledge.ingest.chunking import text_with_headings
from chatapp.knowledge.ingest.jobs import (
    NO_LEASE,
    Job,
    LeaseLost,
    Stopping,
    are_queued,
    lease_renewal,
    postpone,
    release,
    update_leased,
    write_with_retry,
)
from chatapp.knowledge.reindex import target_fingerprint, wanted_fingerprint
from chatapp.knowledge.search.vectors import dimension
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, KnowledgeBase, Vector

log = logging.getLogger("chatapp.knowledge")

BATCH_CHUNKS = 32  # chunks in one transaction
# Back-off after the embedder failed: the first pause doubles each time, up to the longest.
FIRST_RETRY_SECONDS = 5
LONGEST_RETRY_SECONDS = 600


class Embedding:
    """Moves files from embedding to ready. `should_stop` returns whether this process must end."""

    def __init__(
        self, database: Database, embedder: Embedder | None, should_stop: Callable[[], bool]
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._should_stop = should_stop

    def run(self, job: Job) -> str:
        """Compute the vectors of a claimed file; return its status."""
        try:
            embedder = self._embedder
            fingerprint = (
                write_with_retry(
                    self._database, lambda t: target_fingerprint(t, job.base, embedder)
                )
                if embedder
                else None
            )
            if embedder is not None and fingerprint is not None:
                self._embed(job, embedder, fingerprint)
            over = {"status": "ready", "progress": 1.0, "error": None, **NO_LEASE}
            if fingerprint is not None:
                words_only = self._database.read(lambda t: _without_vector(t, job, fingerprint))
                over |= {"embedded": fingerprint, "words_only": words_only}
            update_leased(self._database, job, over)
        except LeaseLost:
            return "lost"
        except Stopping:
            return release(self._database, job, File.attempts - 1)
        except EmbedderUnavailable as fault:
            if self._should_stop():  # the embedder ends with the service
                return release(self._database, job, File.attempts - 1)
            return self._postpone(job, fault)
        return "ready"

    def _embed(self, job: Job, embedder: Embedder, fingerprint: str) -> None:
        after = -1
        while rows := self._next(job, after):
            if self._should_stop() or self._database.read(are_queued):
                raise Stopping
            vectors = self._vectors(job, rows, embedder, fingerprint)
            after = rows[-1].ordinal
            self._store(job, vectors, (after + 1) / max(rows[0].total, 1))

    def _next(self, job: Job, after: int) -> Sequence[Any]:
        return self._database.read(lambda t: _chunks(t, job, after))

    def _vectors(
        self, job: Job, rows: Sequence[Any], embedder: Embedder, fingerprint: str
    ) -> list[dict[str, Any]]:
        """Compute the missing vectors of these chunks, except of those the embedder refuses."""
        held = self._database.read(lambda t: _held(t, [row.id for row in rows], fingerprint))
        missing = [row for row in rows if row.id not in held and embedder.supports(row.text)]
        made = embedder.embed_passages(
            [text_with_headings(job.name, row.heading, row.text) for row in missing],
            lambda: update_leased(self._database, job, lease_renewal()),
        )
        if None in made:
            log.warning(
                "file %s: the embedder refused %d passages; only keyword search finds them",
                job.file_id,
                made.count(None),
            )
        return [
            {"chunk_id": row.id, "fingerprint": fingerprint, "embedding": vector}
            for row, vector in zip(missing, made, strict=True)
            if vector is not None
        ]

    def _store(self, job: Job, vectors: Sequence[dict[str, Any]], progress: float) -> None:
        update_leased(
            self._database,
            job,
            {**lease_renewal(progress), "error": None},
            lambda t: _add(t, job, vectors),
        )

    def _postpone(self, job: Job, fault: EmbedderUnavailable) -> str:
        pause = FIRST_RETRY_SECONDS * 2 ** min(job.attempts - 1, 10)
        return postpone(self._database, job, fault, min(pause, LONGEST_RETRY_SECONDS))


def _chunks(t: Session, job: Job, after: int) -> Sequence[Any]:
    total = select(func.count()).where(Chunk.file_id == job.file_id).scalar_subquery()
    query = select(Chunk.id, Chunk.ordinal, Chunk.heading, Chunk.text, total.label("total"))
    return t.execute(
        query.where(Chunk.file_id == job.file_id, Chunk.ordinal > after)
        .order_by(Chunk.ordinal)
        .limit(BATCH_CHUNKS)
    ).all()


def _without_vector(t: Session, job: Job, fingerprint: str) -> int:
    has_vector = exists().where(Vector.chunk_id == Chunk.id, Vector.fingerprint == fingerprint)
    query = select(func.count()).where(Chunk.file_id == job.file_id, ~has_vector)
    return t.scalar(query) or 0


def _held(t: Session, chunk_ids: Sequence[int], fingerprint: str) -> set[int]:
    return set(
        t.scalars(
            select(Vector.chunk_id).where(
                Vector.chunk_id.in_(chunk_ids), Vector.fingerprint == fingerprint
            )
        )
    )


def _add(t: Session, job: Job, vectors: Sequence[dict[str, Any]]) -> None:
    """Store vectors; raise EmbedderUnavailable where the dimension differs from the base's."""
    if not vectors:
        return
    base = t.get_one(KnowledgeBase, job.base, with_for_update=True)
    # Re-indexing has started meanwhile.
    if wanted_fingerprint(base) != vectors[0]["fingerprint"]:
        raise LeaseLost
    made = dict(base.target or base.fingerprint or {})
    length = dimension(vectors[0]["embedding"])
    if made.setdefault("dimension", length) != length:
        raise EmbedderUnavailable("dimension", model=str(made.get("model", "")))
    t.execute(insert(Vector), list(vectors))
    if base.target is not None:
        base.target = made
    else:
        base.fingerprint, base.changed = made, base.changed + 1
