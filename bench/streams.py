"""Many answers at once through four designs, each in one worker, same model, same reader.

CPU is user and system time of all processes of a service until one second after the last answer.
The wait for the first token starts at the request; the model sends its first word at once, and
every word is an event of its own. Designs take turns; figures of several runs are medians, memory
is the maximum. The last row of each table has no server: the reader reads from the model, which
shows the limits of both.
"""

import argparse
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.designs import DESIGNS
from bench.figures import SHORT_SECONDS, Figures, Measured, combined, done_after, promise_table
from bench.picture import Bar, Chart, svg
from bench.processes import require_linux
from bench.tables import Cell, Table, say
from bench.trial import Field, Workload, field

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "streams.svg"
DRAWN, DRAWN_LOADS = ("astream", "tutorial", "ours", "floor"), ("200x20", "1000x20")
FILES = 20_000  # open at once, of a reader, a model and a server: two a stream and some more
RUNS = {"ours": 5, "floor": 5}  # of each load; of other designs one
REPEATED = "quiet"  # repeats itself, so one run is enough
LOADS = {
    load.name: load
    for load in (
        Workload("quiet", "One stream at a time, 20 times", 20, 5, 20, 0.5),
        Workload("1xfull", "1 stream, 5,000 tokens as fast as they come", 1, 5000, 0),
        Workload("200x20", "200 streams at once, 200 tokens each, 20 a second", 200, 200, 20),
        Workload(
            "arrivals",
            "50 new streams a second for 10 s, 100 tokens each, 20 a second",
            500,
            100,
            20,
            0.02,
        ),
        Workload("50x500", "50 streams at once, 1,000 tokens each, 500 a second", 50, 1000, 500),
        Workload(
            "1000x20",
            "1,000 streams at once, 200 tokens each, 20 a second",
            1000,
            200,
            20,
            most_seconds=150,
        ),
    )
}
GROWTH = "growth"
GROWTH_DESIGNS = ("ours", "floor")
GROWTH_STREAMS = (10, 50, 200, 500, 1000, 2000)
GROWTH_LOADS = tuple(Workload(f"{count} streams", "", count, 80, 20) for count in GROWTH_STREAMS)
COLUMNS = (
    "CPU a token, µs",
    "first token p50, ms",
    "p99",
    "gap p99, ms",
    "done after, s",
    "worker's peak, MB",
    "model's CPU, % of a core",
    "reader's",
)


@dataclass(frozen=True, slots=True)
class Size:
    """What to measure: loads (GROWTH among them), designs, runs, and the file for the picture."""

    loads: tuple[str, ...] = (*LOADS, GROWTH)
    designs: tuple[str, ...] = tuple(DESIGNS)
    runs: int | None = None  # None: RUNS
    picture: Path | None = PICTURE

    def runs_of(self, design: str, load: str) -> int:
        """Return how many times a load runs through a design."""
        if self.runs is not None:
            return self.runs
        return 1 if load == REPEATED else RUNS.get(design, 1)


def choose(arguments: Sequence[str]) -> Size:
    """Parse the command line. A partial run draws no picture."""
    whole = Size()
    parser = argparse.ArgumentParser("python -m bench streams")
    parser.add_argument("--designs", help=f"some of {','.join(whole.designs)}")
    parser.add_argument("--loads", help=f"some of {','.join(whole.loads)}")
    parser.add_argument("--runs", type=int, help="of each load through each design")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one run of each load, this service and the floor: two minutes",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        help="the file for the picture, drawn where all designs are measured",
    )
    given = parser.parse_args(arguments)
    loads = (
        tuple(given.loads.split(","))
        if given.loads
        else tuple(LOADS)
        if given.quick
        else whole.loads
    )
    designs = (
        tuple(given.designs.split(","))
        if given.designs
        else ("ours", "floor")
        if given.quick
        else whole.designs
    )
    if unknown := {*loads, *designs} - {*whole.loads, *whole.designs}:
        parser.error(f"there is no {' and no '.join(sorted(unknown))}")
    return Size(loads, designs, given.runs or (1 if given.quick else None), given.picture)


def measure(size: Size = Size()) -> Iterator[Table]:
    """Measure each load and yield its table; then the promised limits, and how cost grows."""
    require_linux()
    _raise_file_limit()
    loads = [LOADS[name] for name in size.loads if name != GROWTH]
    measured: dict[str, dict[str, Figures]] = {}
    with field([load.model for load in (*loads, GROWTH_LOADS[0])]) as ground:
        for load in loads:
            measured[load.name] = _measured(ground, load, size)
            yield _table(load, measured[load.name])
        promised = promise_table(measured)
        if promised is not None:
            yield promised
        if size.picture is not None and all(
            name in measured.get(load, {}) for name in DRAWN for load in DRAWN_LOADS
        ):
            size.picture.write_text(picture(measured), "utf-8")
        if GROWTH in size.loads and (
            designs := [name for name in GROWTH_DESIGNS if name in size.designs]
        ):
            yield _growth(ground, designs)


def _raise_file_limit() -> None:
    """Raise the open-file limit for the processes that are started here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        resource.setrlimit(
            resource.RLIMIT_NOFILE,
            (FILES if hard == resource.RLIM_INFINITY else min(FILES, hard), hard),
        )


def _measured(ground: Field, load: Workload, size: Size) -> dict[str, Figures]:
    """Run a load through the designs in turn, each round in the opposite order."""
    runs: dict[str, list[Figures]] = {name: [] for name in size.designs}
    count = {name: size.runs_of(name, load.name) for name in size.designs}
    for number in range(max(count.values())):
        for name in size.designs if number % 2 == 0 else reversed(size.designs):
            if number < count[name]:
                say(f"{load.name} through {name}, {number + 1} of {count[name]}")
                runs[name].append(ground.trial(name, load))
    return {name: combined(each) for name, each in runs.items()}


def _table(load: Workload, measured: dict[str, Figures]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, found in measured.items():
        served = name != "direct"
        long = found.seconds >= SHORT_SECONDS
        cells: tuple[Cell, ...] = (
            found.cpu_us if served else None,
            found.first_p50,
            found.first_p99,
            found.gap_p99,
            done_after(found, load.most_seconds),
            found.peak_mb if served else None,
            100 * found.model_share if long else None,
            100 * found.reader_share if long else None,
        )
        rows.append((DESIGNS[name].label, *cells))
    return Table(load.label, ("", *COLUMNS), tuple(rows))


def _growth(ground: Field, designs: Sequence[str]) -> Table:
    """Run more and more streams through freshly started services."""
    rows: list[tuple[Cell, ...]] = []
    rest: dict[str, float] = {}
    for name in designs:
        ground.end(name)
    for load in GROWTH_LOADS:
        cells: list[Cell] = []
        for name in designs:
            say(f"{load.name} through {name}")
            found = ground.trial(name, load)
            held = found.peak_mb - rest.setdefault(name, found.rest_mb)
            cells += [
                found.cpu_us,
                found.gap_p99,
                done_after(found, load.most_seconds),
                1024 * held / load.streams,
            ]
        rows.append((load.streams, *cells))
    kinds = ("CPU a token, µs", "gap p99, ms", "done after, s", "memory a stream, kB")
    columns = [f"{DESIGNS[name].short}: {kind}" for name in designs for kind in kinds]
    words = f"How cost grows: streams at once, {GROWTH_LOADS[0].words} tokens each, 20 a second"
    note = "Memory is the worker's peak above its memory before the first run, per stream."
    return Table(words, ("streams", *columns), tuple(rows), (note,))


def picture(measured: Measured) -> str:
    """Draw the README's picture. A design that timed out is drawn with its time limit."""
    tokens, many = (measured[load] for load in DRAWN_LOADS)
    most = LOADS[DRAWN_LOADS[1]].most_seconds
    costs = [
        Bar(
            DESIGNS[name].short,
            tokens[name].cpu_us,
            f"{tokens[name].cpu_us:.0f} µs",
            name == "ours",
        )
        for name in DRAWN
    ]
    times = []
    for name in DRAWN:
        found = many[name]
        shown = f"{done_after(found, most)} s" if found.missing else f"{found.seconds:.0f} s"
        times.append(Bar(DESIGNS[name].short, found.seconds, shown, name == "ours"))
    return svg(
        [
            Chart("CPU for one token, 200 answers at once at 20 tokens a second", costs),
            Chart("Time until 1,000 answers of 10 seconds, asked for at once, are complete", times),
        ]
    )
