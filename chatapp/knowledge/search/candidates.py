"""What a search has found before passages are loaded: all it takes to rank them, and no text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chatapp.core.ranking import min_max
from chatapp.knowledge.search.bm25 import Scope, SearchResult
from chatapp.knowledge.search.dense import DenseRanking


@dataclass(frozen=True, slots=True)
class Candidates:
    """Both rankings of a question and their fused values.

    `values` are by chunk id, best first; `reranked` are a reranker's scores of the best of them,
    empty without one. `copies` are the scores of chunks that were left out because another of the
    bases has the same file; `found` counts these too, and those beyond `values`.
    """

    question: str
    scope: Scope
    searched: SearchResult
    dense: DenseRanking | None
    values: Mapping[int, float]
    reranked: Mapping[int, float] = field(default_factory=dict[int, float])
    copies: Mapping[int, Mapping[str, float | None]] = field(
        default_factory=dict[int, dict[str, float | None]]
    )
    found: int = 0

    def order(self, chunk_id: int, value: float) -> tuple[bool, float, float, int]:
        """Return the sort key of a chunk: reranked ones first, then by value."""
        reranked = self.reranked.get(chunk_id)
        return reranked is None, -(reranked or 0.0), -value, chunk_id


class RankingScores:
    """Each ranking's score of a chunk (0..1), None where it did not find it.

    With a reranker also its score, in its own range.
    """

    def __init__(self, candidates: Candidates) -> None:
        dense = candidates.dense
        self._words = min_max({one.chunk_id: one.score for one in candidates.searched.matches})
        self._vectors = dense.scores if dense is not None else {}
        self._reranked = candidates.reranked

    def of(self, chunk_id: int) -> dict[str, float | None]:
        """Return the scores of a chunk by the names of the rankings."""
        found = {"words": self._words.get(chunk_id), "vectors": self._vectors.get(chunk_id)}
        scores = {
            name: None if value is None else round(max(0.0, value), 3)
            for name, value in found.items()
        }
        if self._reranked:
            reranked = self._reranked.get(chunk_id)
            scores["rerank"] = None if reranked is None else round(reranked, 4)
        return scores
