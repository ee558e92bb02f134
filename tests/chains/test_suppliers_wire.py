"""Each quirk of tests/support/quirks_*.py, read whole and cut anywhere, and over a real socket."""

import random
from collections.abc import Iterator

import pytest

from chatapp.chains.build import build_chain, pieces
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.http.transport import Broken
from chatapp.chains.models import Models
from chatapp.core.prompt import Ask
from tests.support.quirk_table import BODIES, QUIRKS
from tests.support.quirks import Quirk
from tests.support.rawserver import RawServer
from tests.support.supplier import Outcome
from tests.support.wire import answer_of

MOST_CUTS = 120  # places at which a body is cut in two; longer bodies are cut at random ones
NAMES = {"ids": lambda quirk: quirk.name}


def right(quirk: Quirk, outcome: Outcome) -> None:
    """Compare an outcome with what is right."""
    assert (outcome.text, outcome.reasoning) == (quirk.text, quirk.thought)
    assert outcome.key.startswith(quirk.error) and bool(outcome.key) == bool(quirk.error)
    finished = outcome.finished
    assert (finished is None) == bool(quirk.error)
    if finished is not None:
        usage = finished.usage
        assert finished.finish_reason == quirk.reason
        if quirk.usage:
            assert (usage["prompt_tokens"], usage["completion_tokens"]) == quirk.usage


def read(quirk: Quirk, parts: list[bytes]) -> Outcome:
    return Outcome(pieces(answer_of(parts, Broken() if quirk.breaks else None).parts))


def test_the_table_has_no_row_twice() -> None:
    assert len({quirk.name for quirk in QUIRKS}) == len(QUIRKS) >= 40


@pytest.mark.parametrize("quirk", BODIES, **NAMES)
def test_a_quirk_is_read_whole_and_cut_anywhere(quirk: Quirk) -> None:
    sent = quirk.sent
    places = range(1, len(sent))
    chance = random.Random(quirk.name)
    right(quirk, read(quirk, [sent]))
    right(quirk, read(quirk, [sent[n : n + 1] for n in range(len(sent))]))
    for place in chance.sample(places, min(MOST_CUTS, len(places))):
        right(quirk, read(quirk, [sent[:place], sent[place:]]))


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with RawServer() as running:
        yield running


@pytest.mark.parametrize("quirk", QUIRKS, **NAMES)
def test_a_quirk_is_read_over_a_socket(quirk: Quirk, server: RawServer, models: Models) -> None:
    server.sends(quirk)
    model = models.model(Endpoint("q", "Canned", server.base_url, "sk-key"), Parameters("m"))
    right(quirk, Outcome(pieces(build_chain(model).stream(Ask("q")))))
