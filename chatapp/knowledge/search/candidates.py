"""What a search has found before passages are loaded: all it takes to rank them, and no text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chatapp.knowledge.search.bm25 import Scope, SearchResult
from chatapp.knowledge.search.dense import DenseRanking


@dataclass(frozen=True, slots=True)
class Candidates:
    """Both rankings of a question and their fused values.

    `values` are by chunk id, best first; `reranked` are a reranker's scores of the best of them,
    empty without one.
    """

    question: str
    scope: Scope
    searched: SearchResult
    dense: DenseRanking | None
    values: Mapping[int, float]
    reranked: Mapping[int, float] = field(default_factory=dict[int, float])

    def order(self, chunk_id: int, value: float) -> tuple[bool, float, float, int]:
        """Return the sort key of a chunk: reranked ones first, then by value."""
        reranked = self.reranked.get(chunk_id)
        return reranked is None, -(reranked or 0.0), -value, chunk_id
