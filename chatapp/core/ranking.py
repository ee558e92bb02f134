"""Ranking of passages: coverage of the question, word proximity and order, and fusion."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

WINDOW_TOKENS = 24  # within which words count as close
BESIDE_TOKENS = 2  # the largest distance of neighbours


def coverage(weights: Mapping[str, float], tokens: Iterable[str]) -> float:
    """Return the share (0..1) of a question's weight that these tokens hold."""
    total = sum(weights.values())
    return sum(weights[token] for token in weights.keys() & set(tokens)) / total if total else 0.0


def proximity(
    weights: Mapping[str, float], places: Sequence[tuple[int, str]], window: int = WINDOW_TOKENS
) -> float:
    """Return the largest share (0..1) of a question's weight within `window` tokens of a text.

    `places` are the positions of the question's tokens, in order.
    """
    total = sum(weights.values())
    held: dict[str, int] = {}
    weight = best = 0.0
    first = 0
    for place, token in places:
        held[token] = held.get(token, 0) + 1
        weight += weights[token] if held[token] == 1 else 0.0
        while place - places[first][0] >= window:
            gone = places[first][1]
            held[gone] -= 1
            weight -= weights[gone] if not held[gone] else 0.0
            first += 1
        best = max(best, weight)
    return min(1.0, best / total) if total else 0.0


def in_order(
    weights: Mapping[str, float], asked: Sequence[str], places: Sequence[tuple[int, str]]
) -> float:
    """Return the share (0..1) of a question's neighbouring tokens that are so in a text too.

    These are the ordered pairs of the sequential dependence model (Metzler and Croft, 2005); one
    other token may be between them.
    """
    pairs = [(one, next_one) for one, next_one in pairwise(asked) if one != next_one]
    total = sum(weights[one] + weights[next_one] for one, next_one in pairs)
    held = {
        (one, next_one)
        for (at, one), (then, next_one) in pairwise(places)
        if then - at <= BESIDE_TOKENS
    }
    return (
        sum(weights[one] + weights[next_one] for one, next_one in pairs if (one, next_one) in held)
        / total
        if total
        else 0.0
    )


def min_max(scores: Mapping[int, float]) -> dict[int, float]:
    """Scale scores to 0..1; equal scores all become 1."""
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {
        key: (score - low) / (high - low) if high > low else 1.0 for key, score in scores.items()
    }


def fuse(first: Mapping[int, float], second: Mapping[int, float], share: float) -> dict[int, float]:
    """Fuse two rankings after min-max: `share` of the second, the rest of the first."""
    a, b = min_max(first), min_max(second)
    return {
        key: (1 - share) * a.get(key, 0.0) + share * b.get(key, 0.0) for key in a.keys() | b.keys()
    }
