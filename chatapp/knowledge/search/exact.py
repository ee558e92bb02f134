"""Exact search: compares the question with every stored vector while Chroma is unavailable.

100,000 vectors of 384 numbers take about 0.8 s of a core, nearly all of it reading. So each process
runs one such search at a time; concurrent searches use keywords only. numpy is loaded at first
use.
"""

import functools
import heapq
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chatapp.knowledge.ingest.jobs import SEARCHABLE
from chatapp.storage import threads
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, KnowledgeBase, Vector

Best: TypeAlias = list[tuple[float, int]]
Run: TypeAlias = Callable[[Callable[[], Best]], Best]

ROWS_PER_READ = 1000
_search_lock = threading.Semaphore()


class Busy(Exception):
    """Another exact search is running."""


def search(
    database: Database,
    bases: Sequence[int],
    fingerprint: str,
    vector: bytes,
    most: int,
    md5s: Sequence[str] | None = None,
) -> dict[int, float]:
    """Return the bases' nearest chunks with their similarity (cosine, -1..1); raise Busy."""
    if not _search_lock.acquire(blocking=False):
        raise Busy
    try:
        # SQLite is read in a thread already. On PostgreSQL the rows are read on the hub, so the
        # arithmetic goes to a thread.
        run: Run = (lambda fn: fn()) if database.sqlite else threads.run
        return database.read(
            lambda t: _nearest(t, _vectors(bases, fingerprint, md5s), vector, most, run)
        )
    finally:
        _search_lock.release()


def holds_any(session: Session, base: int, fingerprint: str) -> bool:
    """Return whether a base has any searchable vector."""
    return session.execute(_vectors([base], fingerprint, None).limit(1)).first() is not None


def _nearest(session: Session, query: Any, vector: bytes, most: int, run: Run) -> dict[int, float]:
    best: Best = []
    for rows in session.execute(query.execution_options(yield_per=ROWS_PER_READ)).partitions():
        best = heapq.nlargest(most, [*best, *run(functools.partial(_best_of, rows, vector, most))])
    return {chunk_id: score for score, chunk_id in best}


def _best_of(rows: Sequence[Any], vector: bytes, most: int) -> Best:
    import numpy

    fitting = [row for row in rows if len(row.embedding) == len(vector)]
    if not fitting:
        return []
    stored = numpy.frombuffer(b"".join(row.embedding for row in fitting), dtype="<f4").reshape(
        len(fitting), -1
    )
    scores = stored @ numpy.frombuffer(vector, dtype="<f4")
    places = numpy.argsort(-scores)[:most].tolist()
    return [(float(scores[place]), fitting[place].chunk_id) for place in places]


def _vectors(
    bases: Sequence[int], fingerprint: str, md5s: Sequence[str] | None
) -> Select[int, bytes]:
    query = (
        select(Vector.chunk_id, Vector.embedding)
        .join(Chunk, Chunk.id == Vector.chunk_id)
        .join(File, File.id == Chunk.file_id)
        .join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
        .where(
            KnowledgeBase.number.in_(bases),
            Vector.fingerprint == fingerprint,
            File.status.in_(SEARCHABLE),
        )
    )
    return query if md5s is None else query.where(File.md5.in_(md5s))
