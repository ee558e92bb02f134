"""Where candidates are: chunks, files and bases by the ids of chunks, if they may be shown."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, exists, select
from sqlalchemy.orm import Session

from chatapp.knowledge.ingest.jobs import HIDDEN, SEARCHABLE
from chatapp.knowledge.search.bm25 import Scope
from chatapp.storage.models import Chunk, File, KnowledgeBase

# Ids are the only condition: with others, SQLite begins with all files of a base or of a status
# (25 ms for 5,000). Prepared once: building a query costs as much as running it.
PLACES: Select[*tuple[Any, ...]] = (
    select(Chunk.id, Chunk.file_id, File.md5, File.status, KnowledgeBase.number)
    .join(File, File.id == Chunk.file_id)
    .join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
    .where(Chunk.id.in_(bindparam("ids", expanding=True)))
)
CHUNKS: Select[*tuple[Any, ...]] = PLACES.add_columns(
    Chunk.ordinal,
    Chunk.page,
    Chunk.heading,
    Chunk.start,
    Chunk.end,
    Chunk.text,
    File.knowledge_base_id,
    File.name,
    File.url,
)

# Not a join: SQLite would look at all files of the bases.
_HAS_HIDDEN = select(
    exists().where(
        File.status.in_(HIDDEN),
        File.knowledge_base_id.in_(
            select(KnowledgeBase.id).where(
                KnowledgeBase.number.in_(bindparam("bases", expanding=True))
            )
        ),
    )
)


def visible_rows(
    session: Session, query: Select[*tuple[Any, ...]], chunk_ids: Iterable[int], scope: Scope
) -> list[Row[*tuple[Any, ...]]]:
    """Return the rows of those chunks that the scope has and whose files can be searched."""
    return [
        row
        for row in session.execute(query, {"ids": list(chunk_ids)})
        if row.status in SEARCHABLE
        and row.number in scope.bases
        and (scope.md5s is None or row.md5 in scope.md5s)
    ]


def has_hidden(session: Session, bases: Sequence[int]) -> bool:
    """Return whether unfinished or deleted files of these bases could be in the index."""
    return bool(session.scalar(_HAS_HIDDEN, {"bases": list(bases)}))
