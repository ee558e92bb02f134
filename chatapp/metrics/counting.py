"""Counts of one or several processes: samples, gauges, and a row for each of the last minutes."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatapp.metrics import figures
from chatapp.metrics.figures import Figure, Record

MINUTES = 60  # for the charts
# The columns of a minute's row: a counter's growth, a histogram's sum and count, a gauge's maximum.
COUNTED = (figures.ANSWERS, figures.SUPPLIER_ERRORS)
MEASURED = (figures.FIRST_TOKEN, figures.RETRIEVAL, figures.DATABASE_WAIT)
_COLUMNS = {
    figure.name: column
    for column, figure in [
        *enumerate(COUNTED, 1),
        *((len(COUNTED) + 1 + 2 * n, figure) for n, figure in enumerate(MEASURED)),
    ]
}
WIDTH = 1 + len(COUNTED) + 2 * len(MEASURED)  # the first: live answers


@dataclass(slots=True)
class Counts:
    """Samples by their name with labels, so that processes are summed name by name."""

    samples: dict[str, float] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    minutes: dict[int, list[float]] = field(default_factory=dict)  # by minutes since the epoch

    def count(self, records: Iterable[Record], minute: int) -> None:
        """Add what was recorded."""
        for figure, labels, value in records:
            if figure.kind == "histogram":
                self._observe(figure, labels, value)
            else:
                self._add(figure.sample("", labels), value)
            if column := _COLUMNS.get(figure.name):
                row = self._row(minute)
                row[column] += value
                if figure.kind == "histogram":
                    row[column + 1] += 1

    def set_gauges(self, gauges: Mapping[str, float], minute: int) -> None:
        """Replace the gauges; keep a minute's most live answers."""
        self.gauges = dict(gauges)
        if live := gauges.get(figures.LIVE_ANSWERS.name, 0):
            row = self._row(minute)
            row[0] = max(row[0], live)

    def add(self, other: "Counts") -> None:
        """Add those of another process."""
        for name, value in other.samples.items():
            self._add(name, value)
        for name, value in other.gauges.items():
            self.gauges[name] = self.gauges.get(name, 0) + value
        for minute, theirs in other.minutes.items():
            if len(theirs) == WIDTH:  # not those of another version
                row = self._row(minute)
                row[:] = [mine + its for mine, its in zip(row, theirs, strict=True)]

    def forget_before(self, minute: int) -> None:
        """Drop the rows of earlier minutes."""
        self.minutes = {each: row for each, row in self.minutes.items() if each >= minute}

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"samples": self.samples, "gauges": self.gauges, "minutes": self.minutes}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Counts":
        """Return what `to_json` wrote."""
        minutes = {int(minute): row for minute, row in found["minutes"].items()}
        return cls(found["samples"], found["gauges"], minutes)

    def _observe(self, figure: Figure, labels: tuple[str, ...], value: float) -> None:
        """Count a value in its own bucket; exposition.py adds the smaller ones."""
        *buckets, count, total = _names(figure, labels)
        self._add(buckets[bisect_left(figure.buckets, value)], 1)
        self._add(count, 1)
        self._add(total, value)

    def _add(self, name: str, value: float) -> None:
        self.samples[name] = self.samples.get(name, 0) + value

    def _row(self, minute: int) -> list[float]:
        return self.minutes.setdefault(minute, [0] * WIDTH)


# By the figure's name and labels: writing them takes longer than counting.
_known: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}


def _names(figure: Figure, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a histogram's samples: its buckets, count and sum. They are kept."""
    key = figure.name, labels
    if key not in _known:
        _known[key] = (
            *(figure.sample("_bucket", labels, ("le", bound)) for bound in figure.bounds),
            figure.sample("_count", labels),
            figure.sample("_sum", labels),
        )
    return _known[key]
