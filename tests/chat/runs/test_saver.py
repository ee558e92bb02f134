"""Endings are saved in batches, fail alone, and never overwrite a reaped answer."""

from collections.abc import Iterator

import gevent
import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat import answers
from chatapp.chat.answers import Ending, error_event
from chatapp.chat.runs.saver import Saver
from chatapp.core.answer import AnswerLog, State
from chatapp.core.events import Chunk, Context, Done
from chatapp.errors import ChatAppError, DatabaseBusy, DiskFull, Interrupted, NotSaved
from chatapp.identity.accounts import Accounts
from chatapp.settings import Settings
from chatapp.storage.database import Database, open_database
from chatapp.storage.models import Message, Run, Session, User, new_id


class Counting(Database):
    """A database that counts its writes and can be locked."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine)
        self.writes = 0
        self.held: type[ChatAppError] | None = None

    def write(self, fn):  # type: ignore[no-untyped-def]
        self.writes += 1
        gevent.sleep(0)  # as it is in a worker: others run meanwhile
        if self.held is not None:
            raise self.held
        return super().write(fn)


@pytest.fixture
def database(settings: Settings) -> Iterator[Counting]:
    made = open_database(settings.sql_url)
    Accounts(made).ensure_admin("", "a-token-of-the-tests")
    yield Counting(made)
    made.close()


def begin(database: Database, owner: str | None = None) -> Ending:
    """Store an answer that is being written, and return its end."""

    def add(t: Transaction) -> str:
        user_id = t.scalars(select(User.id)).one()
        session = Session(id=new_id(), user_id=user_id)
        t.add(session)
        t.flush()
        answer = Message(
            id=new_id(), session_id=session.id, user_id=user_id, role="assistant", status="running"
        )
        t.add(answer)
        t.flush()
        t.add(
            Run(
                message_id=answer.id,
                session_id=session.id,
                user_id=user_id,
                owner=owner or answers.owner(),
            )
        )
        return answer.id

    message_id = Database(database.engine).write(add)
    log = AnswerLog()
    log.append(Context("Handbook", "s", message_id, "q"))
    log.append(Chunk(f"The answer {message_id}."))
    return Ending(message_id, log, State.COMPLETE, Done("stop"))


def status(database: Database, ending: Ending) -> tuple[str, str]:
    row = database.read(
        lambda t: t.execute(
            select(Message.status, Message.content).where(Message.id == ending.message_id)
        ).one()
    )
    return row.status, row.content


def save(saver: Saver, *endings: Ending) -> list[ChatAppError | None]:
    waiting = [gevent.spawn(saver.save_ending, ending) for ending in endings]
    return [each.get(timeout=60) for each in waiting]


def test_a_hundred_simultaneous_endings_take_a_few_transactions(database: Counting) -> None:
    endings = [begin(database) for _ in range(100)]
    assert save(Saver(database), *endings) == [None] * 100
    assert database.writes < 5
    assert {status(database, ending) for ending in endings} == {
        ("complete", f"The answer {ending.message_id}.") for ending in endings
    }
    assert database.read(lambda t: t.scalars(select(Run.message_id)).all()) == []


def test_a_reaped_answer_is_refused_and_the_others_are_saved(database: Counting) -> None:
    mine, taken = begin(database), begin(database, owner="another:worker")
    saved, refused = save(Saver(database), mine, taken)
    assert saved is None
    assert isinstance(refused, Interrupted)
    assert status(database, taken) == ("running", "")


def test_a_deleted_answer_is_told_from_a_reaped_one(database: Counting) -> None:
    gone, taken = begin(database), begin(database, owner="another:worker")
    removed = delete(Message).where(Message.id == gone.message_id)
    Database(database.engine).write(lambda t: t.execute(removed) and None)
    faults = save(Saver(database), gone, taken)
    assert [fault and fault.key for fault in faults] == [
        "error.not_found.deleted",
        "error.interrupted",
    ]


def test_an_ending_that_cannot_be_stored_does_not_fail_others(database: Counting) -> None:
    good, bad = begin(database), begin(database)
    unstorable = Ending(bad.message_id, bad.log, State.COMPLETE, Done("stop"), {"query": object()})
    saved, refused = save(Saver(database), good, unstorable)
    assert saved is None
    assert isinstance(refused, NotSaved)
    assert status(database, good)[0] == "complete"


@pytest.mark.parametrize("held", [DatabaseBusy, DiskFull])
def test_a_database_that_takes_no_writes_is_retried(
    database: Counting, held: type[ChatAppError]
) -> None:
    ending = begin(database)
    database.held = held
    waiting = gevent.spawn(Saver(database).save_ending, ending)
    while not database.writes:
        gevent.sleep(0.01)
    database.held = None
    assert waiting.get(timeout=60) is None
    assert status(database, ending)[0] == "complete"


@pytest.mark.parametrize("held", [DatabaseBusy, DiskFull])
def test_an_answer_that_is_not_saved_in_time_is_saved_later(
    database: Counting, held: type[ChatAppError]
) -> None:
    ending, saver = begin(database), Saver(database, seconds=0.3)
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
    assert [kind for kind, _ in row.shape] == ["context", "chunk", "done"]


def test_a_deleted_answer_is_told_while_the_disk_is_full(database: Counting) -> None:
    gone, kept = begin(database), begin(database)
    removed = delete(Message).where(Message.id == gone.message_id)
    Database(database.engine).write(lambda t: t.execute(removed) and None)
    database.held = DiskFull
    faults = save(Saver(database, seconds=0.3), gone, kept)
    assert [fault and fault.code for fault in faults] == ["not_found", "not_saved"]
