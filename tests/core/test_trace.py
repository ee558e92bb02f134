"""How the passages of an answer were chosen, as it is stored."""

import json
from dataclasses import asdict
from uuid import uuid4

from chatapp.core.trace import (
    MAX_CANDIDATES,
    Candidate,
    Cut,
    Trace,
    candidates_json,
)

MOST_BYTES = 6 * 1024


def candidate(chunk_id: int, n: int | None = None, cut: Cut | None = None) -> Candidate:
    return Candidate(chunk_id, "f", 3, 0.5, None, None, n, cut)


def test_passages_without_room_are_cut_with_their_neighbours() -> None:
    trace = Trace(
        3,
        4,
        (
            candidate(1, 1),
            candidate(2, 2),
            candidate(3, 2, Cut.JOINED),
            candidate(4, None, Cut.BELOW_K),
        ),
    )
    assert [(one.n, one.cut) for one in trace.given(1).candidates] == [
        (1, None),
        (None, Cut.NO_ROOM),
        (None, Cut.NO_ROOM),
        (None, Cut.BELOW_K),
    ]
    assert trace.given(2) == trace


def test_what_is_stored_is_read_again() -> None:
    candidates = (candidate(1, 1), Candidate(2, None, None, None, 0.7, 0.9, None, Cut.GONE))
    stored = json.loads(json.dumps(Trace(5, 2, candidates).to_json("days of leave")))
    assert (stored["query"], stored["k"], stored["found"]) == ("days of leave", 5, 2)
    shown = [one | one.pop("by") for one in candidates_json(stored)]
    assert shown == [asdict(one) for one in candidates]


def test_a_row_of_an_earlier_version_lacks_the_later_fields() -> None:
    [shown] = candidates_json({"files": ["f"], "candidates": [[1, 0, 3, 0.5]]})
    assert (shown["file_id"], shown["n"], shown["cut"]) == ("f", None, None)
    assert shown["by"] == {"words": 0.5, "vectors": None, "rerank": None}


def test_the_longest_trace_is_small() -> None:
    candidates = tuple(
        Candidate(99_999_999, str(uuid4()), 9_999, 0.123, 0.456, -12.3456, None, Cut.BELOW_K)
        for _ in range(MAX_CANDIDATES)
    )
    stored = Trace(50, 100_000, candidates).to_json("年" * 100_000)
    assert len(json.dumps(stored)) <= MOST_BYTES
