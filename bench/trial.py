"""One load through one design: run it, read it to the end, summarise it."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.designs import DESIGNS, Design, Running, running
from bench.figures import Cost, Figures, figures
from bench.load import Group, Seen, generator
from bench.model import model_name, model_server
from bench.processes import WAITING, CpuMeter, family, peak, reset_peak
from bench.tables import say

CALM_SECONDS = 0.5
CALM_SHARE = 0.05  # of a core: a service that uses less is idle
CALM_WITHIN_SECONDS = 30


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

    def __init__(self, models: Sequence[str], port: int, model_pid: int, folder: Path) -> None:
        self._models = [*models, WARM.model]
        self._port, self._model_pid = port, model_pid
        self._file = folder / "seen.json"
        self._stack = ExitStack()
        self._running: dict[str, tuple[Running, ExitStack]] = {}

    def trial(self, name: str, load: Workload) -> Figures:
        """Run a load through a design; a design that timed out is restarted the next time."""
        found = self._started(DESIGNS[name])
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

    def _started(self, design: Design) -> Running:
        if design.name not in self._running:
            stack = self._stack.enter_context(ExitStack())
            found = stack.enter_context(running(design, self._port, self._models))
            self._running[design.name] = found, stack
            if found.pid is not None:
                self._run(found, WARM)
                _wait_until_calm(found.pid)
        return self._running[design.name][0]

    def _run(self, found: Running, load: Workload) -> Figures:
        worker = _worker(found)
        rest = _fresh_peak(worker)
        group = Group(
            "all",
            found.port,
            found.path,
            found.body(load.model),
            load.streams,
            load.apart_seconds,
            dict(found.headers),
        )
        with generator(self._file) as reading:
            meter = CpuMeter(found.pid or 0, model=self._model_pid, generator=reading.pid)
            before = meter.read()
            reading.begin([group], load.most_seconds)
            reading.wait("ended")
            until = time.monotonic()
            time.sleep(load.after_seconds)
            after = meter.read()
            seen = reading.end()["all"]
        spent = {
            kind: seconds - before.get(kind, 0.0)
            for kind, seconds in after.items()
            if kind != WAITING
        }
        by_model, by_reader = spent.pop("model"), spent.pop("generator")
        held = peak(worker) if worker is not None else 0.0
        _report_refusals(seen)
        return figures(
            seen, load.words, until, Cost(sum(spent.values()), by_model, by_reader, rest, held)
        )


@contextmanager
def field(models: Sequence[str]) -> Iterator[Field]:
    """Start a model server that knows these models; stop everything at the end of the block."""
    with ExitStack() as stack:
        port, pid = stack.enter_context(model_server())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chatapp-bench-"))
        made = Field(models, port, pid, Path(folder))
        stack.callback(made.close)
        yield made


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
