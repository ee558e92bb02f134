"""How the passages of an answer were chosen: ids, scores and reasons, but no text.

It is kept with the answer, so it is small: at most 30 candidates, as rows in the order of their
fields, and each file's id once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from chatapp.core.prompt import Passage

MAX_CANDIDATES = 30
MAX_QUERY_CHARACTERS = 400
RANKINGS = ("words", "vectors", "rerank")


class Cut(StrEnum):
    """Why a candidate is no passage of its own."""

    BELOW_K = "below_k"  # ranked below the first k
    COPY = "copy"  # of a file that another searched base has too
    JOINED = "joined"  # with its neighbour, in passage n
    NO_ROOM = "no_room"  # in the prompt
    GONE = "gone"  # its file cannot be searched, or is deleted


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that the search found: its score in each ranking, and the passage that has it."""

    chunk_id: int
    file_id: str | None
    page: int | None
    words: float | None
    vectors: float | None
    rerank: float | None
    n: int | None = None
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """The first candidates of a search: those of passages in their order, then by rank.

    `found` counts all candidates, `k` is the number of passages asked for.
    """

    k: int
    found: int
    candidates: tuple[Candidate, ...] = ()

    def given(self, passages: int) -> "Trace":
        """Return the trace where only the first `passages` had room in the prompt."""
        shown = (
            replace(one, n=None, cut=Cut.NO_ROOM) if one.n and one.n > passages else one
            for one in self.candidates
        )
        return replace(self, candidates=tuple(shown))

    def to_json(self, query: str) -> dict[str, Any]:
        """Return it as it is stored, with the query that was searched for."""
        files = list(dict.fromkeys(one.file_id for one in self.candidates if one.file_id))
        shown = query[:MAX_QUERY_CHARACTERS] + ("…" if len(query) > MAX_QUERY_CHARACTERS else "")
        numbers = {file_id: number for number, file_id in enumerate(files)}
        rows = [
            [one.chunk_id, numbers.get(one.file_id or ""), *astuple(one)[2:]]
            for one in self.candidates
        ]
        return {
            "query": shown,
            "k": self.k,
            "found": self.found,
            "files": files,
            "candidates": rows,
        }


def candidates_json(stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return stored candidates as the API shows them."""
    names = [each.name for each in fields(Candidate)]
    files = stored["files"]
    shown = []
    for row in stored["candidates"]:
        one = dict.fromkeys(names) | dict(zip(names, row, strict=False))
        one["file_id"] = None if one["file_id"] is None else files[one["file_id"]]
        by = {name: one.pop(name) for name in RANKINGS}
        shown.append(one | {"by": by})
    return shown


class Passages(list[Passage]):
    """The passages of a search, best first, and how they were chosen."""

    def __init__(self, passages: Iterable[Passage] = (), trace: Trace | None = None) -> None:
        super().__init__(passages)
        self.trace = trace
