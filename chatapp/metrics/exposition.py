"""Counts as text in Prometheus' format 0.0.4."""

from collections.abc import Iterator, Mapping

from chatapp.metrics.counting import Counts
from chatapp.metrics.figures import FIGURES, Figure

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def written(counts: Counts) -> str:
    """Return all figures that have values."""
    values = counts.samples | counts.gauges
    return "".join(line for figure in FIGURES for line in _family(figure, values))


def _family(figure: Figure, values: Mapping[str, float]) -> Iterator[str]:
    samples = list(_samples(figure, values))
    if samples:
        yield f"# HELP {figure.name} {figure.help}\n# TYPE {figure.name} {figure.kind}\n"
        yield from (f"{name} {value:.16g}\n" for name, value in samples)


def _samples(figure: Figure, values: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield a figure's samples; the buckets of a histogram in order, each with all smaller ones."""
    is_histogram = figure.kind == "histogram"
    first = f"{figure.name}_count" if is_histogram else figure.name
    for name in sorted(values):
        stem, brace, labels = name.partition("{")
        if stem != first:
            continue
        if is_histogram:
            inner = f"{labels.rstrip('}')}," if brace else ""
            below = 0.0
            for bound in figure.bounds:
                bucket = f'{figure.name}_bucket{{{inner}le="{bound}"}}'
                below += values.get(bucket, 0)
                yield bucket, below
            total = f"{figure.name}_sum{brace}{labels}"
            yield total, values[total]
        yield name, values[name]
