"""The last step of a file: the vectors of its chunks, stored in SQL in small steps. Chroma follows by itself (sync.py).

    embedding → ready

What is there already is not made again, so this goes on where a worker that was killed had come to. An embedder that does
not answer makes the file wait, and it is found by its words meanwhile.

A base's vectors have one fingerprint. Where another embedder is set up than the one that made them, new files get none
until somebody has the base indexed anew: then all chunks get vectors of the new kind beside the old, and with the last
file the base changes over in one transaction.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from chatapp.database import Database
from chatapp.errors import EmbedderUnavailable
from chatapp.knowledge.dense import UNKNOWN
from chatapp.knowledge.embed import Embedder
from chatapp.knowledge.jobs import FREE, Job, LeaseLost, Leaving, error_json, give_back, hold, renewed, write_patiently
from chatapp.knowledge.vectors import dimension
from chatapp.models import Chunk, File, KnowledgeBase, Vector, now

BATCH = 32  # chunks in one transaction
SWEPT = 500  # old vectors in one transaction
AGAIN_SECONDS = (5, 600)  # after an embedder did not answer: the first wait, doubled each time, and the longest


class Embedding:
    """Takes files from embedding to ready. `leaving` says when this process has to end."""

    def __init__(self, database: Database, embedder: Embedder | None, leaving: Callable[[], bool]) -> None:
        self._database = database
        self._embedder = embedder
        self._leaving = leaving

    def run(self, job: Job) -> str:
        """Give a claimed file its vectors; return its status."""
        try:
            embedder = self._embedder
            if embedder is not None and write_patiently(self._database, lambda t: _aim(t, job, embedder)):
                self._embed(job, embedder)
            self._finish(job)
        except LeaseLost:
            return "lost"
        except Leaving:
            return give_back(self._database, job, File.attempts - 1)
        except EmbedderUnavailable as fault:
            return self._wait(job, fault)
        return "ready"

    def _embed(self, job: Job, embedder: Embedder) -> None:
        after = -1
        while rows := self._next(job, after):
            if self._leaving():
                raise Leaving
            vectors = self._vectors(job, rows, embedder)
            after = rows[-1].ordinal
            self._store(job, vectors, (after + 1) / max(rows[0].total, 1))

    def _next(self, job: Job, after: int) -> Sequence[Any]:
        return self._database.read(lambda t: _chunks(t, job, after))

    def _vectors(self, job: Job, rows: Sequence[Any], embedder: Embedder) -> list[dict[str, Any]]:
        """Make the vectors of these chunks that are missing and worth it."""
        fingerprint = embedder.fingerprint.id
        held = self._database.read(lambda t: _held(t, [row.id for row in rows], fingerprint))
        missing = [row for row in rows if row.id not in held and embedder.takes(row.text)]
        made = embedder.embed_passages([_said(job, row) for row in missing])
        return [
            {"chunk_id": row.id, "fingerprint": fingerprint, "embedding": vector}
            for row, vector in zip(missing, made, strict=True)
        ]

    def _store(self, job: Job, vectors: Sequence[dict[str, Any]], progress: float) -> None:
        hold(self._database, job, {**renewed(progress), "error": None}, lambda t: _add(t, job, vectors))

    def _finish(self, job: Job) -> None:
        switched: list[str] = []

        def end(t: Session) -> None:
            switched.extend(_change_over(t, job))

        hold(self._database, job, {"status": "ready", "progress": 1.0, "error": None, **FREE}, end)
        for fingerprint in switched:
            self._sweep(job.base, fingerprint)

    def _sweep(self, base: int, fingerprint: str) -> None:
        """Remove the vectors that are not in force any more, in short steps."""
        while write_patiently(self._database, lambda t: _sweep(t, base, fingerprint)):
            pass

    def _wait(self, job: Job, fault: EmbedderUnavailable) -> str:
        first, longest = AGAIN_SECONDS
        until = now() + timedelta(seconds=min(first * 2 ** min(job.attempts - 1, 10), longest))
        try:
            hold(self._database, job, {"error": error_json(fault), "lease_owner": None, "lease_until": until})
        except LeaseLost:
            return "lost"
        return "embedding"


def start_over(t: Session, base: KnowledgeBase, embedder: Embedder) -> None:
    """Have all files of a base embedded anew, by this embedder."""
    base.target = embedder.fingerprint.to_json()
    _queue(t, [base.id])


def adopt(t: Session) -> None:
    """Have files embedded that were read when there was no embedder."""
    bases = select(KnowledgeBase.id).where(KnowledgeBase.fingerprint.is_(None), KnowledgeBase.bundled.is_(None))
    _queue(t, t.scalars(bases.where(KnowledgeBase.chunks > 0)).all())


def _queue(t: Session, base_ids: Sequence[str]) -> None:
    values = {"status": "embedding", "progress": 0.0, "attempts": 0, "error": None, **FREE}
    t.execute(
        update(File)
        .where(File.knowledge_base_id.in_(base_ids), File.status == "ready")
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _aim(t: Session, job: Job, embedder: Embedder) -> bool:
    """Say whether this embedder's vectors are the ones that the base wants; the first ones decide."""
    base = t.get(KnowledgeBase, job.base, with_for_update=True)
    if base is None or base.bundled is not None:
        return False
    if base.fingerprint is None and base.target is None:
        base.fingerprint = embedder.fingerprint.to_json()
    wanted = base.target or base.fingerprint or {}
    return bool(wanted["id"] == embedder.fingerprint.id)


def _chunks(t: Session, job: Job, after: int) -> Sequence[Any]:
    total = select(func.count()).where(Chunk.file_id == job.file_id).scalar_subquery()
    query = select(Chunk.id, Chunk.ordinal, Chunk.heading, Chunk.text, total.label("total"))
    return t.execute(query.where(Chunk.file_id == job.file_id, Chunk.ordinal > after).order_by(Chunk.ordinal).limit(BATCH)).all()


def _held(t: Session, chunk_ids: Sequence[int], fingerprint: str) -> set[int]:
    return set(t.scalars(select(Vector.chunk_id).where(Vector.chunk_id.in_(chunk_ids), Vector.fingerprint == fingerprint)))


def _said(job: Job, row: Any) -> str:
    """Return what is embedded: title and headings stand before the text, as in the lexical index."""
    return "\n".join(filter(None, [Path(job.name).stem, row.heading, row.text]))


def _add(t: Session, job: Job, vectors: Sequence[dict[str, Any]]) -> None:
    if not vectors:
        return
    t.execute(insert(Vector), vectors)
    base = t.get_one(KnowledgeBase, job.base, with_for_update=True)
    if base.target is None:
        base.changed += 1
        base.fingerprint = {**(base.fingerprint or {}), "dimension": dimension(vectors[0]["embedding"])}


def _change_over(t: Session, job: Job) -> list[str]:
    """Put the new vectors in force with the last file; return their fingerprint where that was now."""
    base = t.get_one(KnowledgeBase, job.base, with_for_update=True)
    rest = exists().where(File.knowledge_base_id == base.id, File.status == "embedding")
    if base.target is None or t.scalar(select(rest)):
        return []
    base.fingerprint, base.target = base.target, None
    base.changed, base.indexed = base.changed + 1, UNKNOWN
    return [str(base.fingerprint["id"])]


def _sweep(t: Session, base: int, fingerprint: str) -> bool:
    """Remove some vectors that are not in force any more; say whether there were any."""
    old = (
        select(Vector.chunk_id, Vector.fingerprint)
        .join(Chunk, Chunk.id == Vector.chunk_id)
        .join(File, File.id == Chunk.file_id)
        .join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
        .where(KnowledgeBase.number == base, Vector.fingerprint != fingerprint)
        .limit(SWEPT)
    )
    rows = t.execute(old).all()
    ids = [row.chunk_id for row in rows]
    t.execute(delete(Vector).where(Vector.chunk_id.in_(ids), Vector.fingerprint != fingerprint))
    return bool(rows)
