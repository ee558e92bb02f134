"""Capacity of a web worker and of PostgreSQL: measured, then simulated for more people.

Three small loads give the costs of a question, a flush and a token. From these, the simulation
(simulation.py) predicts two held-out loads, which are measured in the same run, and what 10,000
people and more need. Everything runs on the same machine, without fsync; CPU is user and system
time.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import ceil
from statistics import median

from bench.databases import serving
from bench.designs import Running
from bench.figures import Figures
from bench.processes import CpuMeter, require_linux
from bench.simulation import (
    Costs,
    Load,
    Measured,
    calibrated,
    most_answers,
    simulate,
)
from bench.tables import Cell, Skipped, Table, say
from bench.trial import Workload, field
from chatapp.chat.runs.runs import FLUSH_SECONDS
from tests.support.postgres import BINARIES, postgres_process, postgres_server

WITHIN = 0.2  # of what was measured
PEOPLE = 100  # who ask, each with an account
CROWDS = (10_000, 100_000, 1_000_000)
# What a person does: asks every two minutes; an answer has 300 tokens, at 30 a second.
ASK_SECONDS, ANSWER_TOKENS, TOKEN_RATE = 120, 300, 30
FIRST_SECONDS = 0.5  # a worker gets so many answers that the first token is not later than that
CALM = 0.6  # of a core, the most that a worker is meant to use in the mean
CORES = 8  # of a host
PRIMARY_CORES = 32  # of one PostgreSQL server, without thinking of its disk


@dataclass(frozen=True, slots=True)
class Size:
    """Loads that are measured: streams, tokens, tokens a second."""

    short: tuple[int, int, int] = (100, 5, 20)
    long: tuple[int, int, int] = (50, 200, 20)
    full: tuple[int, int, int] = (40, 1000, 500)
    held_out: tuple[tuple[int, int, int], ...] = ((150, 200, 20), (300, 100, 20))
    runs: int = 3


def choose(arguments: Sequence[str]) -> Size:
    """Parse the command line."""
    parser = argparse.ArgumentParser("python -m bench scaling")
    parser.add_argument("--runs", type=int, default=Size().runs, help="of each load")
    return Size(runs=parser.parse_args(arguments).runs)


def measure(size: Size = Size()) -> Iterator[Table]:
    """Measure, predict, compare; then yield what larger numbers need."""
    require_linux()
    if BINARIES is None:
        raise Skipped("This benchmark needs PostgreSQL: apt install postgresql")
    shapes = [size.short, size.long, size.full, *size.held_out]
    loads = [
        Workload("", f"{n} answers of {words} tokens", n, words, rate) for n, words, rate in shapes
    ]
    spent: list[list[Measured]] = [[] for _ in loads]
    with postgres_server() as url:

        def start(_: str, port: int, models: Sequence[str]) -> AbstractContextManager[Running]:
            return serving(url, port, models, PEOPLE)

        with field([load.model for load in loads], start) as ground:
            meter = CpuMeter(postgres_process(url))
            for number in range(size.runs):
                for load, found in zip(loads, spent, strict=True):
                    say(f"{load.label}, {number + 1} of {size.runs}")
                    before = sum(meter.read().values())
                    result = ground.trial("PostgreSQL", load)
                    found.append(_spent(load, result, sum(meter.read().values()) - before))
    middle = [_median(Load(*shape), runs) for shape, runs in zip(shapes, spent, strict=True)]
    costs = calibrated(*middle[:3])
    yield _costs(costs)
    yield _compared(costs, middle[3:])
    yield _needed(costs)


def _spent(load: Workload, found: Figures, database: float) -> Measured:
    assert not found.missing, f"{found.missing} answers of {load.label} were not complete"
    web = found.web_us * load.streams * load.words / 1e6
    return Measured(Load(load.streams, load.words, load.rate), web, database, found.seconds)


def _median(load: Load, runs: Sequence[Measured]) -> Measured:
    return Measured(
        load,
        median(run.web for run in runs),
        median(run.database for run in runs),
        median(run.seconds for run in runs),
    )


def _costs(costs: Costs) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = (
        ("a question, ms", 1000 * costs.question, 1000 * costs.database_question),
        ("a token alone, µs", 1e6 * (costs.turn + costs.token), 1e6 * costs.database_token),
        ("each further one in its turn, µs", 1e6 * costs.token, None),
        ("a flush of all live answers, ms", None, 1000 * costs.database_flush),
    )
    return Table("CPU", ("", "web worker", "PostgreSQL"), rows)


def _compared(costs: Costs, held_out: Sequence[Measured]) -> Table:
    rows, worst = [], 0.0
    for spent in held_out:
        load, found = spent.load, simulate(costs, spent.load)
        pairs = (
            ("web worker, CPU s", found.web, spent.web),
            ("PostgreSQL, CPU s", found.database, spent.database),
            ("all complete after, s", found.seconds, spent.seconds),
        )
        for what, predicted, measured in pairs:
            ratio = predicted / measured
            worst = max(worst, abs(ratio - 1))
            rows.append((f"{load.answers} × {load.tokens}: {what}", predicted, measured, ratio))
    kept = "kept" if worst <= WITHIN else "missed"
    note = f"Aim: within {WITHIN:.0%} of what was measured: {kept} (at most {worst:.0%})."
    return Table(
        "Held-out loads",
        ("", "predicted", "measured", "ratio"),
        tuple(rows),
        (note,),
    )


def _needed(costs: Costs) -> Table:
    """Return what larger numbers of people need."""
    each = costs.question + ANSWER_TOKENS * (costs.turn + costs.token)
    seconds = ANSWER_TOKENS / TOKEN_RATE
    crowd = most_answers(costs, ANSWER_TOKENS, TOKEN_RATE, FIRST_SECONDS)
    crowd = min(crowd, int(CALM / each * seconds))
    base = costs.database_question + ANSWER_TOKENS * costs.database_token
    flushes = costs.database_flush / FLUSH_SECONDS  # a second, of each worker
    rows: list[tuple[Cell, ...]] = []
    for people in CROWDS:
        questions = people / ASK_SECONDS
        workers = ceil(questions * seconds / crowd)
        cores = questions * base + workers * flushes
        rows.append(
            (
                f"{people:,}",
                round(questions),
                round(questions * seconds),
                workers,
                ceil(workers / CORES),
                cores,
                cores / PRIMARY_CORES,
            )
        )
    columns = (
        "people at once", "questions a second", "live answers", "web workers",
        f"hosts of {CORES} cores", "PostgreSQL, cores", f"of one with {PRIMARY_CORES}",
    )  # fmt: skip
    note = (
        f"Each asks every {ASK_SECONDS} s; an answer has {ANSWER_TOKENS} tokens at {TOKEN_RATE} a"
        f" second. A worker writes {crowd} answers at a time, with at most {CALM:.0%} of its core,"
        f" so that 99 of 100 wait at most {FIRST_SECONDS} s for the first token."
    )
    return Table("People at once", columns, tuple(rows), (note,))
