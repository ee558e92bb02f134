"""A worker that is busy holds text back a little, one that is not does not."""

import time
from time import process_time

import pytest

from chatapp.chains.build import build_chain, pieces
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.http.read_delay import MOST_SECONDS, Pace
from chatapp.chains.models import Models
from chatapp.core.events import Chunk
from chatapp.core.prompt import Ask
from chatapp.settings import Settings
from tests.support.modelserver import ModelServer


class Worker:
    """A process that takes a share of a core, by clocks of its own, and its pace."""

    def __init__(self) -> None:
        self.at = self.cpu = 0.0
        self.pace = Pace(lambda: self.at, lambda: self.cpu)

    def works(self, busy: float, looks: int) -> float:
        """Take this share of a core until the pace has looked so many times, a tenth of a second apart."""
        for _ in range(looks):
            self.at += 0.1
            self.cpu += 0.1 * busy
            self.pace.look()
        return self.pace.seconds


def test_nothing_is_held_back_until_a_core_is_nearly_full() -> None:
    assert Worker().works(0.59, 20) == 0


def test_a_full_core_holds_back_as_much_as_it_may_and_no_more() -> None:
    assert Worker().works(1.0, 20) == pytest.approx(MOST_SECONDS, rel=0.01)
    assert Worker().works(1.7, 20) <= MOST_SECONDS


def test_it_ends_soon_after_the_rush() -> None:
    worker = Worker()
    worker.works(1.0, 20)
    assert worker.works(0.2, 6) == 0


def test_it_measures_this_process() -> None:
    kept = Pace()
    until = process_time() + 0.2
    while process_time() < until:
        pass
    kept.look()
    busy = kept.seconds
    time.sleep(0.5)
    kept.look()
    assert kept.seconds < max(busy, 0.001)


def _arrivals(models: Models, base_url: str) -> tuple[str, int]:
    """Read 60 words that come 100 a second; return the text, and in how many lots it came."""
    model = models.model(Endpoint("x", "X", base_url, "k"), Parameters("typewriter-60-100"))
    text, lots, last = "", 0, 0.0
    for piece in pieces(build_chain(model).stream(Ask("q"))):
        if isinstance(piece, Chunk):
            lots += time.monotonic() - last > 0.005
            text, last = text + piece.text, time.monotonic()
    return text, lots


def test_a_supplier_is_read_less_often_then_and_nothing_is_lost() -> None:
    kept = Pace()
    with ModelServer() as server:
        models = Models(Settings(), kept)
        at_rest, lots = _arrivals(models, server.base_url)
        kept.seconds = MOST_SECONDS
        busy, fewer = _arrivals(models, server.base_url)
        models.close()
    assert busy == at_rest
    assert len(at_rest.split()) == 60
    assert 2 <= fewer <= 6 < lots
