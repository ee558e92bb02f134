"""Summarise runs of streams and compare them with the promised limits. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import TypeAlias

from bench.load import Seen
from bench.tables import Cell, Table

SHORT_SECONDS = 1.0  # a shorter run has no meaningful shares of a core


@dataclass(frozen=True, slots=True)
class Figures:
    """One run, or the median of several. Waits are in milliseconds."""

    cpu_us: float  # a word, of all processes of the service
    first_p50: float
    first_p99: float
    gap_p99: float
    seconds: float  # from the first request to the last end
    rest_mb: float  # the worker, before
    peak_mb: float  # the worker, at most
    missing: float  # answers that were incomplete at the time limit
    model_share: float  # of a core
    reader_share: float
    web_us: float = 0.0  # CPU a word, of the web process


Measured: TypeAlias = Mapping[str, Mapping[str, Figures]]  # by load and design


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of the service, the model and the reader; the worker's memory in MB."""

    service: float
    model: float
    reader: float
    rest_mb: float
    peak_mb: float
    web: float = 0.0  # the part of `service` that the web process took


def percentile(values: Iterable[float], share: float) -> float:
    """Return the given percentile; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def figures(seen: Sequence[Seen], words: int, until: float, cost: Cost) -> Figures:
    """Summarise streams of so many words; words that are still missing count as arriving at
    `until`."""
    firsts = [
        1000 * ((stream.arrivals[0] if stream.arrivals else until) - stream.began)
        for stream in seen
    ]
    gaps: list[float] = []
    for stream in seen:
        times = stream.arrivals if stream.ended is not None else [*stream.arrivals, until]
        gaps += [1000 * (later - earlier) for earlier, later in zip(times, times[1:], strict=False)]
    whole = sum(stream.ended is not None and stream.words == words for stream in seen)
    written = max(1, sum(stream.words for stream in seen))
    seconds = max(stream.ended or until for stream in seen) - min(stream.began for stream in seen)
    return Figures(
        cpu_us=1e6 * cost.service / written,
        first_p50=percentile(firsts, 0.5),
        first_p99=percentile(firsts, 0.99),
        gap_p99=percentile(gaps, 0.99),
        seconds=seconds,
        rest_mb=cost.rest_mb,
        peak_mb=cost.peak_mb,
        missing=len(seen) - whole,
        model_share=cost.model / seconds,
        reader_share=cost.reader / seconds,
        web_us=1e6 * cost.web / written,
    )


def combined(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure, but the maximum of memory and missing answers."""
    found = {field.name: [getattr(run, field.name) for run in runs] for field in fields(Figures)}
    return Figures(
        **{
            name: float(max(each) if name in ("missing", "peak_mb") else median(each))
            for name, each in found.items()
        }
    )


def done_after(found: Figures, most_seconds: float) -> str:
    """Return the seconds until all answers were complete, or what was missing."""
    if not found.missing:
        return f"{found.seconds:.2f}"
    return (
        f"> {most_seconds:.0f}"
        if found.seconds >= most_seconds - SHORT_SECONDS
        else f"{found.missing:.0f} missing"
    )


@dataclass(frozen=True, slots=True)
class Promise:
    """A limit on one figure of a load, relative to another design's."""

    words: str
    load: str
    figure: str
    beside: str | None  # the design; None: the figure by itself
    way: str  # "times", "times less" or "more"
    limit: float

    def row(self, measured: Measured) -> tuple[Cell, ...] | None:
        """Return a table row; None if it was not measured."""
        designs = measured.get(self.load, {})
        if "ours" not in designs or (self.beside and self.beside not in designs):
            return None
        ours = getattr(designs["ours"], self.figure)
        if self.beside is None:
            return (
                self.words,
                ours,
                None,
                None,
                f"at most {self.limit:g}",
                _yes(ours <= self.limit, designs["ours"]),
            )
        other = getattr(designs[self.beside], self.figure)
        if self.way == "more":
            found, kept, limit = (
                ours - other,
                ours - other <= self.limit,
                f"at most {self.limit:g} more",
            )
        elif self.way == "times":
            found, kept, limit = (
                ours / other,
                ours / other <= self.limit,
                f"at most {self.limit:g} times",
            )
        else:
            found, kept, limit = (
                other / ours,
                other / ours >= self.limit,
                f"at least {self.limit:g} times less",
            )
        return self.words, ours, other, found, limit, _yes(kept, designs["ours"])


PROMISES = (
    Promise(
        "CPU a token, 200 × 20/s, µs, beside the floor", "200x20", "cpu_us", "floor", "times", 2.5
    ),
    Promise(
        "first token p99, burst of 200, ms, beside the floor",
        "200x20",
        "first_p99",
        "floor",
        "times",
        4,
    ),
    Promise(
        "first token p99, 50 arrivals a second, ms, beside the floor",
        "arrivals",
        "first_p99",
        "floor",
        "more",
        25,
    ),
    Promise(
        "1,000 × 20/s: done after, s, beside the floor", "1000x20", "seconds", "floor", "times", 1.4
    ),
    Promise(
        "1,000 × 20/s: gap p99, ms, beside the floor", "1000x20", "gap_p99", "floor", "times", 4
    ),
    Promise(
        "1,000 × 20/s: peak memory of the worker, MB", "1000x20", "peak_mb", None, "times", 350
    ),
    Promise(
        "one quiet stream: first token p50, ms, beside the floor",
        "quiet",
        "first_p50",
        "floor",
        "more",
        5,
    ),
    Promise(
        "CPU a token, 1,000 × 20/s, µs, beside FastAPI + astream",
        "1000x20",
        "cpu_us",
        "astream",
        "times less",
        5,
    ),
    Promise(
        "1,000 × 20/s: done after, s, beside FastAPI + astream",
        "1000x20",
        "seconds",
        "astream",
        "times less",
        6,
    ),
)


def promise_table(measured: Measured) -> Table | None:
    """Compare this service with its promised limits; None if nothing was measured."""
    rows = tuple(row for promise in PROMISES if (row := promise.row(measured)))
    columns = ("", "this service", "beside it", "ratio or difference", "promised", "kept")
    return Table("Limits promised for this service", columns, rows) if rows else None


def _yes(kept: bool, ours: Figures) -> str:
    return "yes" if kept and not ours.missing else "no"
