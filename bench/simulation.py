"""Discrete-event simulation of a web worker (SimPy): one queue before one core.

Two kinds of work occupy the core: a question, and a turn in which the tokens of a stream are read
and sent on. Flushes are part of the measured cost of a token. Tokens that have accumulated are
read in one turn, and a busy worker reads less often, by the product's own `ReadDelay`. The
database's CPU is summed, not queued.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

import simpy

from bench.figures import percentile
from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chat.runs.runs import FLUSH_SECONDS, READ_DELAY_SECONDS

STEPS = 9  # of a bisection
ROUNDS = 3  # of approximation
PASSES = 3000  # of a least-squares fit of three numbers


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of the web worker and of the database, as measured."""

    question: float  # from the request to the end, without tokens
    turn: float  # in which a stream is read and its readers are written to
    token: float  # each token in such a turn
    database_question: float = 0.0
    database_flush: float = 0.0  # of all live answers of the worker
    database_token: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load took: CPU seconds of web worker and database, seconds until all was done."""

    load: "Load"
    web: float
    database: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """So many answers, all at once or so many a second, of so many tokens at so many a second."""

    answers: int
    tokens: int
    rate: float
    arrivals: float = 0.0  # a second; 0: at once


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a worker would take: CPU seconds, seconds until all is done, waits in seconds."""

    web: float
    database: float
    seconds: float
    first_p50: float
    first_p99: float


@dataclass
class _Worker:
    """One core, and how long it has been busy."""

    world: simpy.Environment
    core: simpy.Resource
    costs: Costs
    busy: float = 0.0
    firsts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.delay = ReadDelay(lambda: self.world.now, lambda: self.busy)

    def work(self, seconds: float) -> Generator[Any, Any, None]:
        """Take the core for a while, in turn."""
        with self.core.request() as turn:
            yield turn
            yield self.world.timeout(seconds)
            self.busy += seconds

    def answer(self, load: Load, begins: float) -> Generator[Any, Any, None]:
        """Answer one question, whose model sends its first token at once."""
        yield self.world.timeout(begins)
        yield from self.work(self.costs.question)
        asked, read = self.world.now, 0
        while read < load.tokens:
            due = asked + read / load.rate
            if self.world.now < due:
                yield self.world.timeout(due - self.world.now)
            if read and self.delay.seconds:
                yield self.world.timeout(self.delay.seconds)
            ready = min(load.tokens, int((self.world.now - asked) * load.rate + 1e-6) + 1) - read
            yield from self.work(self.costs.turn + ready * self.costs.token)
            if not read:
                self.firsts.append(self.world.now - begins)
            read += ready

    def adapt(self) -> Generator[Any, Any, None]:
        """Update the read delay as the worker's loop does."""
        while True:
            yield self.world.timeout(READ_DELAY_SECONDS)
            self.delay.update()


def simulate(costs: Costs, load: Load) -> Predicted:
    """Run a load through one worker."""
    world = simpy.Environment()
    worker = _Worker(world, simpy.Resource(world), costs)
    apart = 1 / load.arrivals if load.arrivals else 0.0
    world.process(worker.adapt())
    answers = [world.process(worker.answer(load, n * apart)) for n in range(load.answers)]
    world.run(simpy.AllOf(world, answers))
    tokens = load.answers * load.tokens
    return Predicted(
        web=worker.busy,
        database=load.answers * costs.database_question
        + world.now / FLUSH_SECONDS * costs.database_flush
        + tokens * costs.database_token,
        seconds=world.now,
        first_p50=percentile(worker.firsts, 0.5),
        first_p99=percentile(worker.firsts, 0.99),
    )


def calibrated(short: Measured, long: Measured, full: Measured) -> Costs:
    """Fit the costs to three measured loads.

    The first two differ in their tokens and leave the core idle most of the time. The third
    saturates it, so that tokens share turns.
    """
    few, many = short.load, long.load
    more = many.tokens - few.tokens
    each = max(1e-7, (long.web / many.answers - short.web / few.answers) / more)
    question, flush, token = _of_database((short, long, full))
    costs = Costs(short.web / few.answers, each, 0.0, question, flush, token)
    for _ in range(ROUNDS):
        costs = _with_shared_turns(costs, each, full.load, full.web)
        once, often = simulate(costs, few).web, simulate(costs, many).web
        shown = (often / many.answers - once / few.answers) / more
        each *= (long.web / many.answers - short.web / few.answers) / more / shown
        costs = replace(
            costs, question=max(1e-6, costs.question + (short.web - once) / few.answers)
        )
    return _with_shared_turns(costs, each, full.load, full.web)


def _of_database(found: Sequence[Measured]) -> list[float]:
    """Fit the database's costs of a question, a flush and a token: non-negative least squares."""
    counts = [
        (each.load.answers, each.seconds / FLUSH_SECONDS, each.load.answers * each.load.tokens)
        for each in found
    ]
    # relative errors, so that each load has the same weight
    rows = [[n / one.database for n in row] for row, one in zip(counts, found, strict=True)]
    costs = [0.0, 0.0, 0.0]
    for _ in range(PASSES):
        for place in range(3):
            rest = [1 - sum(n * costs[k] for k, n in enumerate(row) if k != place) for row in rows]
            size = sum(row[place] ** 2 for row in rows)
            best = sum(row[place] * one for row, one in zip(rows, rest, strict=True)) / size
            costs[place] = max(0.0, best)
    return costs


def _with_shared_turns(costs: Costs, each: float, full: Load, measured: float) -> Costs:
    """Split the cost of a token that has its own turn, so that a saturating load fits."""
    low, high = 0.0, each
    for _ in range(STEPS):
        middle = (low + high) / 2
        costs = replace(costs, turn=each - middle, token=middle)
        if simulate(costs, full).web < measured:
            low = middle
        else:
            high = middle
    return costs


def most_answers(costs: Costs, tokens: int, rate: float, first_seconds: float) -> int:
    """Return the most concurrent answers of a worker with a first token p99 within a limit.

    Answers arrive evenly. Also, none takes longer than its model.
    """
    alone = costs.question + tokens * (costs.turn + costs.token)
    low, high = 1, ceil(tokens / rate / alone)
    while high > low * 1.05:
        middle = (low + high + 1) // 2
        load = Load(2 * middle, tokens, rate, arrivals=middle * rate / tokens)
        found = simulate(costs, load)
        if found.first_p99 <= first_seconds and found.seconds <= 3.5 * tokens / rate:
            low = middle
        else:
            high = middle - 1
    return low
