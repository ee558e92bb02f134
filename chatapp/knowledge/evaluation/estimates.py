"""Means of per-question values, with intervals that show how much they vary by chance."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROUNDS = 1000
CONFIDENCE = 0.95
SEED = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Return the estimate rounded for JSON."""
        return {name: round(getattr(self, name), 4) for name in ("value", "low", "high")}


def estimate(columns: Mapping[str, Sequence[float]]) -> dict[str, Estimate]:
    """Return the mean of each column with its percentile bootstrap interval.

    The columns hold one value per question, in the same order; questions are drawn whole, by a
    fixed seed (Efron and Tibshirani, 1993, chapter 13).
    """
    rows = list(zip(*columns.values(), strict=True))
    if not rows:
        return {}
    chance = random.Random(SEED)
    drawn = sorted_columns(
        [_means(chance.choices(rows, k=len(rows))) for _ in range(ROUNDS)], len(columns)
    )
    margin = round(ROUNDS * (1 - CONFIDENCE) / 2)
    return {
        name: Estimate(mean, column[margin], column[-margin - 1])
        for name, mean, column in zip(columns, _means(rows), drawn, strict=True)
    }


def differences(
    columns: Mapping[str, Sequence[float]], others: Mapping[str, Sequence[float]]
) -> dict[str, Estimate]:
    """Return the mean difference of columns over the same questions (a paired bootstrap)."""
    return estimate(
        {
            name: [one - other for one, other in zip(column, others[name], strict=True)]
            for name, column in columns.items()
        }
    )


def sorted_columns(rows: Sequence[Sequence[float]], count: int) -> list[list[float]]:
    """Return each column of a table, sorted."""
    return [sorted(row[place] for row in rows) for place in range(count)]


def _means(rows: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]
