"""Reading a growing log: pacing, heartbeats, backlogs, and workers that end."""

from collections.abc import Iterator

import gevent
import pytest

from chatapp.chat.runs.live import CHUNK_CHARACTERS, Live
from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Event,
    Ping,
    Reasoning,
    Reset,
    Status,
    WasThinking,
)
from tests.support.service import PATIENCE_SECONDS

CONTEXT = Context("Handbook", "s", "m", "q")
DONE = Done("stop")


class Reading:
    """A reader in a greenlet of its own."""

    def __init__(self, live: Live, position: int = 0) -> None:
        self.events: list[Event] = []
        self.places: list[int] = []
        self.greenlet = gevent.spawn(self._read, live.tail(position))

    def _read(self, tail: Iterator[tuple[int, Event]]) -> None:
        for place, event in tail:
            self.places.append(place)
            self.events.append(event)

    def until(self, count: int) -> list[Event]:
        with gevent.Timeout(5):
            while len(self.events) < count:
                gevent.sleep(0.001)
        return self.events

    def to_its_end(self) -> list[Event]:
        self.greenlet.get(timeout=PATIENCE_SECONDS)
        return self.events


@pytest.fixture
def live() -> Live:
    made = Live()
    made.log.append(CONTEXT)
    return made


def say(live: Live, *events: object) -> None:
    for event in events:
        live.log.append(event)  # type: ignore[arg-type]
    live.ring()


def test_two_readers_get_the_same(live: Live) -> None:
    first, second = Reading(live), Reading(live)
    first.until(1)
    say(live, Chunk("Hello "))
    first.until(2)
    say(live, Chunk("world"), DONE)
    assert (
        first.to_its_end()
        == second.to_its_end()
        == [CONTEXT, Chunk("Hello "), Chunk("world"), DONE]
    )


def test_text_faster_than_60_chunks_a_second_is_joined(live: Live) -> None:
    reading = Reading(live)
    for n in range(500):
        say(live, Chunk(f"{n} "))
        gevent.sleep(0)
    say(live, DONE)
    events = reading.to_its_end()
    assert "".join(event.text for event in events if isinstance(event, Chunk)) == "".join(
        f"{n} " for n in range(500)
    )
    assert len(events) < 100


def test_a_long_backlog_is_sent_in_parts(live: Live) -> None:
    text = "中文😀" * CHUNK_CHARACTERS
    say(live, Chunk(text), DONE)
    events = Reading(live).to_its_end()
    pieces = [event.text for event in events if isinstance(event, Chunk)]
    assert "".join(pieces) == text
    assert max(len(piece) for piece in pieces) <= CHUNK_CHARACTERS


def test_waking_a_reader_without_news_is_a_heartbeat(live: Live) -> None:
    reading = Reading(live)
    reading.until(1)
    live.ring()
    assert reading.until(2)[1] == Ping()
    say(live, DONE)
    assert reading.to_its_end() == [CONTEXT, Ping(), DONE]


def test_a_reconnect_to_a_silent_answer_pings_immediately(live: Live) -> None:
    reading = Reading(live, live.log.position)
    assert reading.until(1) == [Ping()]
    say(live, Chunk("Yes."), DONE)
    assert reading.to_its_end() == [Ping(), Chunk("Yes."), DONE]


def test_a_status_is_sent_once(live: Live) -> None:
    reading = Reading(live)
    reading.until(1)
    live.status = Status("searching")
    live.ring()
    reading.until(2)
    say(live, Chunk("Yes."), DONE)
    assert reading.to_its_end() == [CONTEXT, Status("searching"), Chunk("Yes."), DONE]


def test_readers_of_a_worker_that_ends_get_no_terminal_event(live: Live) -> None:
    reading, ahead = Reading(live), Reading(live, 50)
    reading.until(1)
    live.log.append(Chunk("Hel"))
    live.disconnect()
    assert reading.to_its_end() == [CONTEXT, Chunk("Hel")]
    assert ahead.to_its_end() == [Ping()]


def test_a_position_that_the_log_has_not_reached_is_waited_for(live: Live) -> None:
    reading = Reading(live, 4)
    gevent.sleep(0)
    say(live, Chunk("Hello"))
    say(live, DONE)
    assert [event for event in reading.to_its_end() if event != Ping()] == [Chunk("lo"), DONE]


def test_text_lost_in_a_crash_is_not_mistaken_for_the_end(live: Live) -> None:
    end = Error("interrupted", "error.interrupted", {}, True)
    say(live, end)
    assert Reading(live, live.log.position).to_its_end() == [Reset(), CONTEXT, end]


def test_a_reader_at_the_end_gets_nothing_more(live: Live) -> None:
    say(live, Chunk("Hi"), DONE)
    assert Reading(live, live.log.position).to_its_end() == []


def test_a_lost_position_is_reset(live: Live) -> None:
    say(live, Chunk("Hi"), DONE)
    assert Reading(live, 99).to_its_end() == [Reset(), CONTEXT, Chunk("Hi"), DONE]


def test_a_reader_of_text_that_was_thinking_begins_again(live: Live) -> None:
    reading, resumed = Reading(live), Reading(live, 3)
    say(live, Chunk("I think"))
    reading.until(2)
    say(live, WasThinking())
    after = [Reset(), CONTEXT, Reasoning("I think"), Chunk("42"), DONE]
    say(live, Chunk("42"), DONE)
    assert reading.to_its_end() == [CONTEXT, Chunk("I think"), *after]
    assert [event for event in resumed.to_its_end() if event != Ping()][-5:] == after
    assert reading.places[-5:] == [0, 1, 8, 11, 12]


def test_a_reader_that_comes_after_a_revision_gets_it_once(live: Live) -> None:
    say(live, Chunk("I think"), WasThinking(), Chunk("42"))
    fresh, knowing, unaware = Reading(live), Reading(live, 10), Reading(live, 5)
    say(live, DONE)
    whole = [CONTEXT, Reasoning("I think"), Chunk("42"), DONE]
    assert fresh.to_its_end() == whole
    assert [event for event in knowing.to_its_end() if event != Ping()] == [Chunk("2"), DONE]
    assert unaware.to_its_end() == [Reset(), *whole]
