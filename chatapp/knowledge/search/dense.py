"""Semantic search: embeds the question and finds the nearest chunks in Chroma, or by exact search
where Chroma fails.

This runs before the search's transaction, since it calls two services. It never fails a search:
without them, keyword search still works.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.errors import DatabaseBusy, EmbedderUnavailable
from chatapp.knowledge.built_in import Cosines
from chatapp.knowledge.chroma import CollectionMissing, RequestRejected, VectorIndex
from chatapp.knowledge.embedders import Embedder
from chatapp.knowledge.json_client import Unreachable
from chatapp.knowledge.search import exact
from chatapp.knowledge.search.bm25 import CANDIDATES
from chatapp.storage.database import Database
from chatapp.storage.models import KnowledgeBase

log = logging.getLogger("chatapp.knowledge")

NEEDS_REBUILD = -1  # value of KnowledgeBase.indexed: the collection must be rebuilt
BACKOFF_SECONDS = 10  # without queries after Chroma did not answer


@dataclass(frozen=True, slots=True)
class DenseRanking:
    """The chunks nearest to a question with their similarity, and this ranking's weight (0..1).

    `cosines` say which similarities mean an answer, None where that is not known.
    """

    scores: Mapping[int, float]
    share: float
    cosines: Cosines | None = None


@dataclass(frozen=True, slots=True)
class _StoredVectors:
    """A base's vectors: fingerprint, and collection (None while it must be rebuilt)."""

    base: int
    fingerprint: str
    collection: str | None


class DenseSearch:
    """Computes the dense ranking; `wake` wakes the worker to repair a damaged collection."""

    def __init__(
        self,
        database: Database,
        index: VectorIndex,
        embedder: Embedder | None,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._index = index
        self._embedder = embedder
        self._wake = wake
        self._backoff_until = 0.0

    def search(
        self, bases: Sequence[int], question: str, md5s: Sequence[str] | None = None
    ) -> DenseRanking | None:
        """Return the ranking, with the best candidates of each base.

        Returns None without an embedder, for a language it does not support, or where the bases'
        vectors are another embedder's.
        """
        embedder = self._embedder
        if embedder is None or not embedder.share or not embedder.supports(question):
            return None
        places = self._database.read(lambda t: _stored_vectors(t, bases, embedder.fingerprint.id))
        if not places:
            return None
        try:
            vector = embedder.embed_query(question)
        except EmbedderUnavailable as fault:
            log.warning("dense search failed, using keyword search only: %s", fault.key)
            return None
        scores: dict[int, float] = {}
        unsearched: dict[str, list[int]] = {}
        for place in places:
            found = self._query_chroma(place, vector, md5s)
            if found is None:
                unsearched.setdefault(place.fingerprint, []).append(place.base)
            else:
                scores |= found
        for fingerprint, numbers in unsearched.items():
            scores |= self._search_exactly(numbers, fingerprint, vector, md5s)
        return DenseRanking(scores, embedder.share, embedder.cosines)

    def _query_chroma(
        self, place: _StoredVectors, vector: bytes, md5s: Sequence[str] | None
    ) -> Mapping[int, float] | None:
        """Query Chroma; None where the base must be searched exactly."""
        if place.collection is None or time.monotonic() < self._backoff_until:
            return None
        try:
            found = self._index.query(place.collection, vector, CANDIDATES, md5s)
        except Unreachable as fault:
            log.warning("Chroma is unreachable, using exact search: %s", fault)
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return None
        except RequestRejected as fault:
            log.warning("Chroma rejected the query, using exact search: %s", fault)
            return None
        except CollectionMissing:
            return self._request_rebuild(place)
        return found if found or md5s is not None else self._request_rebuild(place)

    def _request_rebuild(self, place: _StoredVectors) -> Mapping[int, float] | None:
        """Request the rebuild of a lost collection; return {} if the base has no vectors."""
        if not self._database.read(lambda t: exact.holds_any(t, place.base, place.fingerprint)):
            return {}
        log.warning("Chroma has lost the vectors of base %d; rebuilding its collection", place.base)
        same = (KnowledgeBase.number == place.base, KnowledgeBase.collection == place.collection)
        try:
            self._database.write(
                lambda t: (
                    t.execute(update(KnowledgeBase).where(*same).values(indexed=NEEDS_REBUILD))
                    and None
                )
            )
        except DatabaseBusy:
            return None
        self._wake()
        return None

    def _search_exactly(
        self, bases: Sequence[int], fingerprint: str, vector: bytes, md5s: Sequence[str] | None
    ) -> Mapping[int, float]:
        try:
            most = CANDIDATES * len(bases)
            return exact.search(self._database, bases, fingerprint, vector, most, md5s)
        except exact.Busy:
            return {}


def _stored_vectors(t: Session, bases: Sequence[int], embedder: str) -> list[_StoredVectors]:
    rows = t.execute(
        select(
            KnowledgeBase.number,
            KnowledgeBase.collection,
            KnowledgeBase.indexed,
            KnowledgeBase.fingerprint,
        ).where(KnowledgeBase.number.in_(bases), KnowledgeBase.changed > 0)
    )
    made = [(row, str((row.fingerprint or {}).get("id", ""))) for row in rows]
    return [
        _StoredVectors(
            row.number, fingerprint, row.collection if row.indexed != NEEDS_REBUILD else None
        )
        for row, fingerprint in made
        if fingerprint.partition("-")[0] == embedder
    ]
