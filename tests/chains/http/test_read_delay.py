"""A busy worker reads its suppliers less often; an idle one reads at once."""

import time
from time import process_time

import pytest

from chatapp.chains.build import build_chain, pieces
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.http.read_delay import MAX_SECONDS, ReadDelay
from chatapp.chains.models import Models
from chatapp.core.events import Chunk
from chatapp.core.prompt import Ask
from chatapp.settings import Settings
from tests.support.modelserver import ModelServer


class Worker:
    """A process with clocks of its own, and its read delay."""

    def __init__(self) -> None:
        self.at = self.cpu = 0.0
        self.delay = ReadDelay(lambda: self.at, lambda: self.cpu)

    def work(self, load: float, updates: int) -> float:
        """Use this share of a core for so many updates, a tenth of a second apart."""
        for _ in range(updates):
            self.at += 0.1
            self.cpu += 0.1 * load
            self.delay.update()
        return self.delay.seconds


def test_no_delay_until_a_core_is_nearly_full() -> None:
    assert Worker().work(0.59, 20) == 0


def test_a_full_core_delays_up_to_the_maximum() -> None:
    assert Worker().work(1.0, 20) == pytest.approx(MAX_SECONDS, rel=0.01)
    assert Worker().work(1.7, 20) <= MAX_SECONDS


def test_the_delay_ends_soon_after_the_load() -> None:
    worker = Worker()
    worker.work(1.0, 20)
    assert worker.work(0.2, 6) == 0


def test_the_default_clocks_measure_this_process() -> None:
    delay = ReadDelay()
    until = process_time() + 0.2
    while process_time() < until:
        pass
    delay.update()
    busy = delay.seconds
    time.sleep(0.5)
    delay.update()
    assert delay.seconds < max(busy, 0.001)


def _read_slowly(models: Models, base_url: str) -> tuple[str, int]:
    """Read 60 words sent at 100 a second; return the text and the number of batches."""
    model = models.model(Endpoint("x", "X", base_url, "k"), Parameters("typewriter-60-100"))
    text, batches, last = "", 0, 0.0
    for piece in pieces(build_chain(model).stream(Ask("q"))):
        if isinstance(piece, Chunk):
            batches += time.monotonic() - last > 0.005
            text, last = text + piece.text, time.monotonic()
    return text, batches


def test_a_delayed_reader_reads_larger_batches_and_loses_nothing() -> None:
    delay = ReadDelay()
    with ModelServer() as server:
        models = Models(Settings(), delay)
        idle_text, _ = _read_slowly(models, server.base_url)
        delay.seconds = MAX_SECONDS
        start = time.monotonic()
        busy_text, batches = _read_slowly(models, server.base_url)
        models.close()
    assert busy_text == idle_text
    assert len(idle_text.split()) == 60
    # Two reads are at least the delay apart, however slow the machine; the end may follow at once.
    assert batches <= (time.monotonic() - start) / MAX_SECONDS + 2
