"""The trace of a search: what became of its first candidates, and where they are now."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from chatapp.core.trace import MAX_CANDIDATES, Candidate, Cut, Trace
from chatapp.core.unseen import visible
from chatapp.knowledge.access import READABLE
from chatapp.knowledge.ingest.jobs import DELETING, SEARCHABLE
from chatapp.knowledge.names import file_name
from chatapp.knowledge.search.candidates import Candidates, RankingScores
from chatapp.storage.models import Chunk, File, KnowledgeBase

_PLACES = (
    select(Chunk.id, Chunk.file_id, Chunk.page, Chunk.ordinal, File.md5, File.status)
    .join(File, File.id == Chunk.file_id)
    .where(Chunk.id.in_(bindparam("ids", expanding=True)))
)
_FILES = (
    select(File.id, File.name, File.knowledge_base_id)
    .join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
    .where(
        File.id.in_(bindparam("ids", expanding=True)),
        File.status != DELETING,
        READABLE,
    )
)
_CHUNKS = select(Chunk.id, Chunk.file_id, Chunk.heading, Chunk.start, Chunk.end).where(
    Chunk.id.in_(bindparam("ids", expanding=True))
)


def trace_of(
    session: Session,
    candidates: Candidates,
    k: int,
    passages: Sequence[tuple[int, str, int, int]],
) -> Trace:
    """Return the trace of a search.

    A passage is its best chunk, its file, and the first and last ordinal of its chunks. Copies are
    listed after their originals.
    """
    values, copies = candidates.values, candidates.copies
    ranked = sorted(values, key=lambda one: candidates.order(one, values[one]))
    best = dict.fromkeys([*(chunk_id for chunk_id, *_ in passages), *ranked])
    ids = list(best)[:MAX_CANDIDATES]
    rows = {row.id: row for row in session.execute(_PLACES, {"ids": [*ids, *copies]})}
    copies_of: dict[tuple[str, int], list[int]] = {}
    for chunk_id in sorted(copies.keys() & rows.keys()):
        copies_of.setdefault(_text_of(rows[chunk_id]), []).append(chunk_id)
    scores = RankingScores(candidates)

    def with_copies(chunk_id: int) -> list[int]:
        row = rows.get(chunk_id)
        return [chunk_id, *copies_of.get(_text_of(row), ())] if row else [chunk_id]

    def candidate(chunk_id: int) -> Candidate:
        row = rows.get(chunk_id)
        copy = copies.get(chunk_id)
        by = scores.of(chunk_id) if copy is None else copy
        n, cut = _outcome(chunk_id, row, copy is not None, passages)
        return Candidate(
            chunk_id,
            row.file_id if row is not None else None,
            row.page if row is not None else None,
            by.get("words"),
            by.get("vectors"),
            by.get("rerank"),
            n,
            cut,
        )

    listed = [candidate(one) for chunk_id in ids for one in with_copies(chunk_id)]
    listed.sort(key=lambda one: one.n or len(passages) + 1)
    return Trace(k, candidates.found, tuple(listed[:MAX_CANDIDATES]))


def _text_of(row: Row[*tuple[Any, ...]]) -> tuple[str, int]:
    """Return what the copies of a chunk have in common."""
    return row.md5, row.ordinal


def _outcome(
    chunk_id: int,
    row: Row[*tuple[Any, ...]] | None,
    copy: bool,
    passages: Sequence[tuple[int, str, int, int]],
) -> tuple[int | None, Cut | None]:
    """Return the number of the passage that has a chunk, and why the chunk is none of its own."""
    if row is None or row.status not in SEARCHABLE:
        return None, Cut.GONE
    if copy:
        return None, Cut.COPY
    for n, (best, file_id, first, last) in enumerate(passages, 1):
        if row.file_id == file_id and first <= row.ordinal <= last:
            return n, None if chunk_id == best else Cut.JOINED
    return None, Cut.BELOW_K


def with_places(
    t: Session, user_id: str, candidates: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add to candidates where they are now: file, base, heading, offsets; None if that is gone."""
    file_ids = list({one["file_id"] for one in candidates if one["file_id"]})
    files = {row.id: row for row in t.execute(_FILES, {"ids": file_ids, "user_id": user_id})}
    chunk_ids = [one["chunk_id"] for one in candidates]
    chunks = {row.id: row for row in t.execute(_CHUNKS, {"ids": chunk_ids}) if row.file_id in files}

    def placed(one: dict[str, Any]) -> dict[str, Any]:
        file, chunk = files.get(one["file_id"]), chunks.get(one["chunk_id"])
        return one | {
            "name": file_name(file.name) if file is not None else None,
            "knowledge_base_id": file.knowledge_base_id if file is not None else None,
            "heading": visible(chunk.heading) if chunk is not None else None,
            "start": chunk.start if chunk is not None else None,
            "end": chunk.end if chunk is not None else None,
        }

    return [placed(one) for one in candidates]
