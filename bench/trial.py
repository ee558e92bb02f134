"""One load through one design: run it, read it to the end, summarise it."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench.designs import DESIGNS, Running, running
from bench.figures import Cost, Figures, figures
from bench.load import Group, Seen, generator
from bench.model import model_name, model_server
from bench.processes import WAITING, CpuMeter, family, peak, reset_peak
from bench.tables import say

CALM_SECONDS = 0.5
CALM_SHARE = 0.05  # of a core: a service that uses less is idle
CALM_WITHIN_SECONDS = 30

# Starts a design by its name, for a model server's port and names of models.
Start: TypeAlias = Callable[[str, int, Sequence[str]], AbstractContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Workload:
    """How many streams, of how many words, at what rate (0: at once), how far apart, how long."""

    name: str
    label: str
    streams: int
    words: int
    rate: int
    apart_seconds: float = 0.0
    most_seconds: float = 60
    after_seconds: float = 1.0  # after the last answer, whose work is counted too

    @property
    def model(self) -> str:
        """The name of the model for this load."""
        return model_name(self.words, self.rate)


# Makes a service load everything that it loads on first use.
WARM = Workload("warm", "", 10, 10, 100, after_seconds=0)


class Field:
    """The designs under comparison, started on first use, with one model server."""

    def __init__(
        self, models: Sequence[str], port: int, model_pid: int, folder: Path, start: Start
    ) -> None:
        self._start = start
        self._models = [*models, WARM.model]
        self._port, self._model_pid = port, model_pid
        self._file = folder / "seen.json"
        self._stack = ExitStack()
        self._running: dict[str, tuple[Running, ExitStack]] = {}

    def trial(self, name: str, load: Workload) -> Figures:
        """Run a load through a design; a design that timed out is restarted the next time."""
        found = self._started(name)
        result = self._run(found, load)
        if result.missing:
            self.end(name)
        return result

    def end(self, name: str) -> None:
        """Stop a design if it runs; the next trial starts it again."""
        if name in self._running:
            self._running.pop(name)[1].close()

    def close(self) -> None:
        """Stop all designs."""
        self._stack.close()

    def _started(self, name: str) -> Running:
        if name not in self._running:
            stack = self._stack.enter_context(ExitStack())
            found = stack.enter_context(self._start(name, self._port, self._models))
            self._running[name] = found, stack
            if found.pid is not None:
                self._run(found, WARM)
                _wait_until_calm(found.pid)
        return self._running[name][0]

    def _run(self, found: Running, load: Workload) -> Figures:
        worker = _worker(found)
        rest = _fresh_peak(worker)
        with generator(self._file) as reading:
            meter = CpuMeter(found.pid or 0, model=self._model_pid, generator=reading.pid)
            before = meter.read()
            reading.begin(_groups(found, load), load.most_seconds)
            reading.wait("ended")
            until = time.monotonic()
            time.sleep(load.after_seconds)
            after = meter.read()
            seen = [stream for group in reading.end().values() for stream in group]
        spent = {
            kind: seconds - before.get(kind, 0.0)
            for kind, seconds in after.items()
            if kind != WAITING
        }
        web = spent.get("web", 0.0)
        by_model, by_reader = spent.pop("model"), spent.pop("generator")
        held = peak(worker) if worker is not None else 0.0
        _report_refusals(seen)
        return figures(
            seen, load.words, until, Cost(sum(spent.values()), by_model, by_reader, rest, held, web)
        )


@contextmanager
def field(models: Sequence[str], start: Start | None = None) -> Iterator[Field]:
    """Start a model server that knows these models; stop everything at the end of the block.

    `start` starts what is compared, unless that is DESIGNS.
    """
    with ExitStack() as stack:
        port, pid = stack.enter_context(model_server())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chatapp-bench-"))
        made = Field(models, port, pid, Path(folder), start or _start)
        stack.callback(made.close)
        yield made


def _start(name: str, port: int, models: Sequence[str]) -> AbstractContextManager[Running]:
    return running(DESIGNS[name], port, models)


def _groups(found: Running, load: Workload) -> list[Group]:
    """Share a load among the people who ask."""
    count = min(len(found.people), load.streams)
    return [
        Group(
            str(number),
            found.port,
            found.path,
            found.body(load.model),
            load.streams // count + (number < load.streams % count),
            load.apart_seconds,
            dict(headers),
        )
        for number, headers in enumerate(found.people[:count])
    ]


def _wait_until_calm(pid: int) -> None:
    """Wait until all processes of a service have finished their start-up work."""
    meter = CpuMeter(pid)
    deadline = time.monotonic() + CALM_WITHIN_SECONDS
    before = _spent(meter)
    while time.monotonic() < deadline:
        time.sleep(CALM_SECONDS)
        after = _spent(meter)
        if after - before < CALM_SHARE * CALM_SECONDS:
            return
        before = after


def _spent(meter: CpuMeter) -> float:
    return sum(seconds for kind, seconds in meter.read().items() if kind != WAITING)


def _fresh_peak(worker: int | None) -> float:
    """Reset a worker's peak memory; return its current memory."""
    if worker is None:
        return 0.0
    reset_peak(worker)
    return peak(worker)


def _report_refusals(seen: Sequence[Seen]) -> None:
    """Report streams without words and the start of a response."""
    refusals = [stream.refusal for stream in seen if stream.ended is not None and not stream.words]
    if refusals:
        say(
            f"{len(refusals)} of {len(seen)} streams had no words."
            f" The first response began: {refusals[0]!r}"
        )


def _worker(found: Running) -> int | None:
    """Return the process that carries the streams: the web worker, or the only process."""
    if found.pid is None:
        return None
    return next(
        (process.leader for process in family(found.pid) if process.kind == "web"), found.pid
    )
