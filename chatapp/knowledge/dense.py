"""The dense ranking of a question: its vector, then the chunks nearest to it, by Chroma or, where that fails, exactly.

All of this happens before the search's own transaction, since two services are asked. It never fails a search: whatever is
away, the words remain.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.database import Database
from chatapp.errors import DatabaseBusy, EmbedderUnavailable
from chatapp.knowledge import exact
from chatapp.knowledge.bm25 import CANDIDATES
from chatapp.knowledge.calls import Away
from chatapp.knowledge.embed import Embedder
from chatapp.knowledge.index import Missing, VectorIndex
from chatapp.models import KnowledgeBase

log = logging.getLogger("chatapp.knowledge")

UNKNOWN = -1  # of KnowledgeBase.indexed: Chroma's collection has to be made again


@dataclass(frozen=True, slots=True)
class Dense:
    """Chunks near a question with their similarity, and the share (0..1) this ranking has in the whole."""

    scores: Mapping[int, float]
    share: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a base's vectors are: its collection, None while Chroma cannot be asked."""

    base: int
    collection: str | None


class DenseSearch:
    """Asks for the dense ranking; `wake` has the worker look after an index that is not what it should be."""

    def __init__(self, database: Database, index: VectorIndex, embedder: Embedder | None, wake: Callable[[], None]) -> None:
        self._database = database
        self._index = index
        self._embedder = embedder
        self._wake = wake

    def search(self, bases: Sequence[int], question: str, md5s: Sequence[str] | None = None) -> Dense | None:
        """Return the ranking; None where there is none: no embedder, none for this language, or other vectors in the bases."""
        embedder = self._embedder
        if embedder is None or not embedder.share or not embedder.takes(question):
            return None
        places = self._database.read(lambda t: _places(t, bases, embedder.fingerprint.id))
        if not places:
            return None
        try:
            vector = embedder.embed_query(question)
        except EmbedderUnavailable as fault:
            log.warning("searching by words only: %s", fault.key)
            return None
        scores: dict[int, float] = {}
        unasked = []
        for place in places:
            found = self._ask(place, vector, md5s)
            if found is None:
                unasked.append(place.base)
            else:
                scores |= found
        if unasked:
            by_hand = unasked
            scores |= self._database.read(lambda t: exact.nearest(t, by_hand, embedder.fingerprint.id, vector, CANDIDATES, md5s))
        best = sorted(scores, key=lambda one: -scores[one])[:CANDIDATES]
        return Dense({one: scores[one] for one in best}, embedder.share)

    def _ask(self, place: _Place, vector: bytes, md5s: Sequence[str] | None) -> Mapping[int, float] | None:
        """Ask Chroma; None where the base has to be searched exactly."""
        if place.collection is None:
            return None
        try:
            found = self._index.query(place.collection, vector, CANDIDATES, md5s)
        except Away as fault:
            log.warning("Chroma does not answer, searching exactly: %s", fault)
            return None
        except Missing:
            self._doubt(place.base)
            return None
        if not found and md5s is None:  # it holds vectors by our books
            self._doubt(place.base)
            return None
        return found

    def _doubt(self, base: int) -> None:
        """Have a collection made again that is gone or empty."""
        log.warning("Chroma has lost the vectors of base %d; they are written again", base)
        try:
            self._database.write(
                lambda t: t.execute(update(KnowledgeBase).where(KnowledgeBase.number == base).values(indexed=UNKNOWN)) and None
            )
        except DatabaseBusy:
            return
        self._wake()


def _places(t: Session, bases: Sequence[int], fingerprint: str) -> list[_Place]:
    rows = t.execute(
        select(KnowledgeBase.number, KnowledgeBase.collection, KnowledgeBase.indexed, KnowledgeBase.fingerprint).where(
            KnowledgeBase.number.in_(bases), KnowledgeBase.changed > 0
        )
    )
    return [
        _Place(row.number, row.collection if row.indexed != UNKNOWN else None)
        for row in rows
        if (row.fingerprint or {}).get("id") == fingerprint
    ]
