"""Endings are saved in batches, fail alone, and never overwrite a reaped answer."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gevent
import pytest
from sqlalchemy import delete, select

from chatapp.chat import answers, reaping
from chatapp.chat.answers import Ending, error_event
from chatapp.chat.runs.live import Live
from chatapp.chat.runs.saver import Saver
from chatapp.chat.runs.writer import Writer
from chatapp.core.answer import State
from chatapp.core.events import Chunk, Done
from chatapp.errors import ChatAppError, DatabaseBusy, DiskFull, Interrupted, NotSaved
from chatapp.identity.accounts import Accounts
from chatapp.settings import Settings
from chatapp.storage.database import Database, open_database
from chatapp.storage.models import Message, Run
from tests.support.live_answers import begin
from tests.support.service import PATIENCE_SECONDS

MOST = 1000  # characters of answers that are not saved


class Counting(Database):
    """A database that counts its writes and can be locked."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine)
        self.writes = 0
        self.held: type[ChatAppError] | None = None
        self.unacknowledged = False  # the next commit

    def write(self, fn):  # type: ignore[no-untyped-def]
        self.writes += 1
        gevent.sleep(0)  # as it is in a worker: others run meanwhile
        if self.held is not None:
            raise self.held
        found = super().write(fn)
        if self.unacknowledged:
            self.unacknowledged = False
            raise DatabaseBusy
        return found


@pytest.fixture
def database(settings: Settings) -> Iterator[Counting]:
    made = open_database(settings.sql_url)
    Accounts(made).ensure_admin("", "a-token-of-the-tests")
    yield Counting(made)
    made.close()


def status(database: Database, ending: Ending) -> tuple[str, str]:
    row = database.read(
        lambda t: t.execute(
            select(Message.status, Message.content).where(Message.id == ending.message_id)
        ).one()
    )
    return row.status, row.content


def save(saver: Saver, *endings: Ending) -> list[ChatAppError | None]:
    waiting = [gevent.spawn(saver.save_ending, ending) for ending in endings]
    return [each.get(timeout=PATIENCE_SECONDS) for each in waiting]


def test_a_hundred_simultaneous_endings_take_a_few_transactions(database: Counting) -> None:
    endings = [begin(database) for _ in range(100)]
    assert save(Saver(database, MOST), *endings) == [None] * 100
    assert database.writes < 5
    assert {status(database, ending) for ending in endings} == {
        ("complete", f"The answer {ending.message_id}.") for ending in endings
    }
    assert database.read(lambda t: t.scalars(select(Run.message_id)).all()) == []


def test_a_reaped_answer_is_refused_and_the_others_are_saved(database: Counting) -> None:
    mine, taken = begin(database), begin(database, owner="another:worker")
    saved, refused = save(Saver(database, MOST), mine, taken)
    assert saved is None
    assert isinstance(refused, Interrupted)
    assert status(database, taken) == ("running", "")


def test_a_deleted_answer_is_told_from_a_reaped_one(database: Counting) -> None:
    gone, taken = begin(database), begin(database, owner="another:worker")
    removed = delete(Message).where(Message.id == gone.message_id)
    Database(database.engine).write(lambda t: t.execute(removed) and None)
    faults = save(Saver(database, MOST), gone, taken)
    assert [fault and fault.key for fault in faults] == [
        "error.not_found.deleted",
        "error.interrupted",
    ]


def test_an_ending_that_cannot_be_stored_does_not_fail_others(database: Counting) -> None:
    good, bad = begin(database), begin(database)
    unstorable = Ending(bad.message_id, bad.log, State.COMPLETE, Done("stop"), {"query": object()})
    saved, refused = save(Saver(database, MOST), good, unstorable)
    assert saved is None
    assert isinstance(refused, NotSaved)
    assert status(database, good)[0] == "complete"


@pytest.mark.parametrize("held", [DatabaseBusy, DiskFull])
def test_a_database_that_takes_no_writes_is_retried(
    database: Counting, held: type[ChatAppError]
) -> None:
    ending = begin(database)
    database.held = held
    waiting = gevent.spawn(Saver(database, MOST).save_ending, ending)
    while not database.writes:
        gevent.sleep(0.01)
    database.held = None
    assert waiting.get(timeout=PATIENCE_SECONDS) is None
    assert status(database, ending)[0] == "complete"


@pytest.mark.parametrize("held", [DatabaseBusy, DiskFull])
def test_an_answer_that_is_not_saved_in_time_is_saved_later(
    database: Counting, held: type[ChatAppError]
) -> None:
    ending, saver = begin(database), Saver(database, MOST, seconds=0.3)
    database.held = held
    [fault] = save(saver, ending)
    assert isinstance(fault, NotSaved)
    ending.log.append(error_event(fault))  # as its writer does
    with pytest.raises(held):
        saver.save_late()
    assert status(database, ending) == ("running", "")
    database.held = None
    saver.save_late()
    assert status(database, ending) == ("complete", f"The answer {ending.message_id}.")
    assert saver.late == {}
    row = database.read(
        lambda t: t.execute(select(Message).where(Message.id == ending.message_id)).scalar_one()
    )
    assert [kind for kind, _ in row.shape] == ["context", "chunk", "was_thinking", "done"]


def test_a_deleted_answer_is_told_while_the_disk_is_full(database: Counting) -> None:
    gone, kept = begin(database), begin(database)
    removed = delete(Message).where(Message.id == gone.message_id)
    Database(database.engine).write(lambda t: t.execute(removed) and None)
    database.held = DiskFull
    faults = save(Saver(database, MOST, seconds=0.3), gone, kept)
    assert [fault and fault.code for fault in faults] == ["not_found", "not_saved"]


def give_up(database: Database) -> None:
    """Reap all answers, as another worker does after 30 s without a heartbeat."""
    Database(database.engine).write(lambda t: reaping.reap(t, reaping.heartbeats(t)))


def test_an_answer_that_was_reaped_and_that_nobody_continued_is_saved_whole(
    database: Counting,
) -> None:
    ending = begin(database)
    give_up(database)
    assert status(database, ending) == ("interrupted", "")
    assert save(Saver(database, MOST), ending) == [None]
    assert status(database, ending) == ("complete", f"The answer {ending.message_id}.")


@pytest.mark.parametrize("held", [DatabaseBusy, DiskFull])
def test_a_reaped_answer_that_was_not_saved_in_time_is_saved_later(
    database: Counting, held: type[ChatAppError]
) -> None:
    ending, saver = begin(database), Saver(database, MOST, seconds=0.3)
    database.held = held
    waiting = gevent.spawn(saver.save_ending, ending)
    gevent.sleep(0.1)
    give_up(database)
    fault = waiting.get(timeout=PATIENCE_SECONDS)
    assert isinstance(fault, NotSaved)
    database.held = None
    ending.log.append(error_event(fault))
    saver.save_late()
    assert status(database, ending) == ("complete", f"The answer {ending.message_id}.")


def test_of_too_many_answers_that_cannot_be_saved_the_oldest_is_given_up(
    database: Counting,
) -> None:
    endings = [begin(database) for _ in range(3)]
    size = endings[0].log.position
    saver = Saver(database, 2 * size, seconds=0)
    database.held = DiskFull
    assert [type(each) for each in save(saver, *endings)] == [NotSaved] * 3
    assert list(saver.late) == [each.message_id for each in endings[1:]]


def test_an_end_whose_commit_was_not_acknowledged_counts_as_saved(database: Counting) -> None:
    ending = begin(database)
    Database(database.engine).write(lambda t: answers.save_endings(t, [ending]) and None)
    assert save(Saver(database, MOST), ending) == [None]
    database.held = DatabaseBusy
    assert save(Saver(database, MOST), ending) == [None]


class Unfinished(Live):
    """What `reclaim` needs of a writer."""

    rewind, since = Writer.rewind, Writer.since

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.log)
        self.ending, self.flushed = False, ending.log.position
        self.reasons: list[object] = []

    def interrupt(self, reason: object) -> None:
        self.reasons.append(reason)


def stored_text(database: Database, ending: Ending) -> str:
    events = database.read(lambda t: answers.stored_events(t, ending.message_id))
    return "".join(event.text for event in events if isinstance(event, Chunk))


def reclaimed(saver: Saver, ending: Ending, writer: Unfinished) -> None:
    saver.reclaim({ending.message_id: writer}, {ending.message_id})  # type: ignore[dict-item]


def test_all_of_an_answer_is_stored_in_the_transaction_that_takes_it_back(
    database: Counting,
) -> None:
    ending, saver = begin(database), Saver(database, MOST)
    writer = Unfinished(ending)
    give_up(database)
    reclaimed(saver, ending, writer)
    assert (status(database, ending), writer.reasons) == (("running", ""), [])
    assert stored_text(database, ending) == f"The answer {ending.message_id}."
    assert writer.flushed == ending.log.position
    give_up(database)
    assert status(database, ending) == ("interrupted", f"The answer {ending.message_id}.")


def test_taking_back_is_repeated_if_its_commit_is_not_acknowledged(database: Counting) -> None:
    ending, saver = begin(database), Saver(database, MOST)
    writer = Unfinished(ending)
    give_up(database)
    database.unacknowledged = True
    with pytest.raises(DatabaseBusy):
        reclaimed(saver, ending, writer)
    ending.log.append(Chunk(" More."))
    reclaimed(saver, ending, writer)
    assert stored_text(database, ending) == f"The answer {ending.message_id}. More."
    assert (writer.flushed, writer.reasons) == (ending.log.position, [])


def test_an_answer_that_ends_while_it_is_taken_back_keeps_its_end(
    database: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flush took it back and did not commit before the end was to be saved."""
    ending, reclaim = begin(database), reaping.reclaim
    give_up(database)

    def flush_was_first(*arguments: Any) -> set[str]:
        reclaim(*arguments)
        return set()

    monkeypatch.setattr(reaping, "reclaim", flush_was_first)
    assert save(Saver(database, MOST), ending) == [None]
    assert status(database, ending) == ("complete", f"The answer {ending.message_id}.")


def test_an_answer_whose_writer_ends_is_left_to_its_end(database: Counting) -> None:
    ending, saver = begin(database), Saver(database, MOST)
    shut_down = replace(ending, state=State.INTERRUPTED, event=error_event(Interrupted("shutdown")))
    writer = Unfinished(ending)
    writer.ending = True
    assert save(saver, shut_down) == [None]
    reclaimed(saver, ending, writer)
    assert status(database, ending) == ("interrupted", f"The answer {ending.message_id}.")
