"""A writer always ends its readers, whatever comes at the moment at which it ends."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from langchain_core.runnables import RunnableGenerator

from chatapp.chains.build import Chain
from chatapp.chat.answers import Ending
from chatapp.chat.runs.writer import Job, Lost, ShutDown, Stopped, Writer
from chatapp.core.answer import State
from chatapp.core.events import Context, Done, Error, Read
from chatapp.core.prompt import Ask
from chatapp.errors import ChatAppError, Deleted
from chatapp.settings import Settings
from tests.support.service import PATIENCE_SECONDS

REASONS = (Stopped, Lost, ShutDown)
CONTEXT = Context("no documents", "a-session", "an-answer", "a-question")


class Written:
    """An answer of one piece; `meanwhile` runs in its greenlet after the piece."""

    def __init__(self, settings: Settings, meanwhile: Callable[[], object] = gevent.sleep) -> None:
        self.saved: list[Ending] = []
        self.fault: ChatAppError | BaseException | None = None
        self._meanwhile = meanwhile
        job = Job(CONTEXT, "a-user", Ask("q"), self._build)
        self.writer = Writer(
            job=job, save_ending=self._save, forget=self._forget, settings=settings
        )
        self.forgotten = False

    def _build(self) -> Chain:
        def answer(asks: Iterator[Ask]) -> Iterator[Any]:
            for _ in asks:
                yield "a piece"
                self._meanwhile()

        return RunnableGenerator(answer)

    def _save(self, ending: Ending) -> ChatAppError | None:
        gevent.sleep(0.01)  # others run while an end is saved
        if isinstance(self.fault, ChatAppError | None):
            self.saved.append(ending)
            return self.fault
        raise self.fault

    def _forget(self) -> None:
        self.forgotten = True

    def read(self) -> list[Read]:
        """Return what a reader is given, to the end."""
        self.writer.start()
        with gevent.Timeout(10, AssertionError("a reader waits for ever")):
            read = [event for _, event in self.writer.tail()]
            self.writer.join(PATIENCE_SECONDS)
        assert self.forgotten
        return read


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_that_comes_as_the_answer_ends_changes_nothing(
    settings: Settings, reason: type[BaseException]
) -> None:
    """It is asked for in the last moment, and would be thrown while the end is saved."""

    def last_moment() -> None:
        gevent.sleep(0.01)  # the writer gave way just now: it does not do so again
        written.writer.interrupt(reason)

    written = Written(settings, last_moment)
    end = written.read()[-1]
    assert isinstance(end, Done) and end.finish_reason == "stop"
    assert [ending.state for ending in written.saved] == [State.COMPLETE]


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_that_comes_before_ends_the_answer_once(
    settings: Settings, reason: type[BaseException]
) -> None:
    def asked_twice() -> None:
        written.writer.interrupt(reason)
        written.writer.interrupt(Lost)
        gevent.sleep(5)

    written = Written(settings, asked_twice)
    end = written.read()[-1]
    assert isinstance(end, Done) == (reason is Stopped)
    [saved] = written.saved
    assert saved.state is (State.STOPPED if reason is Stopped else State.INTERRUPTED)


def test_a_reason_that_comes_before_the_first_piece_ends_the_answer(settings: Settings) -> None:
    written = Written(settings)
    written.writer.interrupt(Stopped)
    assert isinstance(written.read()[-1], Done)
    assert [ending.state for ending in written.saved] == [State.STOPPED]


def test_why_an_end_was_not_saved_ends_the_readers(settings: Settings) -> None:
    written = Written(settings)
    written.fault = Deleted()
    end = written.read()[-1]
    assert isinstance(end, Error) and end.code == Deleted.code


def test_a_bug_while_the_end_is_saved_ends_the_readers(settings: Settings) -> None:
    written = Written(settings)
    written.fault = ValueError("a bug")
    end = written.read()[-1]
    assert isinstance(end, Error) and end.code == "internal"
