"""Reaped answers: what their owner can take back, and what readers get who return."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat import answers, reaping
from chatapp.chat.answers import Ending, Increment
from chatapp.chat.runs.live import Live
from chatapp.core.answer import AnswerLog, State
from chatapp.core.events import Chunk, Context, Done, Error, Reset, WasThinking
from chatapp.errors import Deleted, Interrupted
from chatapp.identity.accounts import Accounts
from chatapp.settings import Settings
from chatapp.storage import named_locks
from chatapp.storage.database import Database
from chatapp.storage.models import Message, Run, Segment, Session, User, new_id
from chatapp.storage.usage_models import Usage
from tests.support.postgres import BOTH, empty_database
from tests.support.service import PATIENCE_SECONDS, wait_for

OWNER = "host:1:start"
TEXT = "The first part of the answer."
MORE = " And the rest."


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Database]:
    settings.home.mkdir(exist_ok=True)
    with empty_database(request, settings.home) as made:
        Accounts(made).ensure_admin("", "a-token-of-the-tests")
        yield made


def begin(database: Database) -> tuple[str, AnswerLog]:
    """Store an answer of which a part is written; return its id and log."""
    answer_id = new_id()

    def add(t: Transaction) -> Context:
        user_id = t.scalars(select(User.id)).one()
        session = Session(id=new_id(), user_id=user_id)
        common = {"session_id": session.id, "user_id": user_id}
        question = Message(id=new_id(), role="user", content="q", status="complete", **common)
        answer = Message(
            id=answer_id, role="assistant", status="running", parent_id=question.id, **common
        )
        for row in (session, question, answer, Run(message_id=answer_id, owner=OWNER, **common)):
            t.add(row)
            t.flush()
        return Context("", session.id, answer_id, question.id)

    log = AnswerLog()
    log.append(database.write(add))
    log.append(Chunk(TEXT))
    store(database, answer_id, log, 0)
    return answer_id, log


def store(database: Database, answer_id: str, log: AnswerLog, start: int) -> set[str]:
    gain = Increment(start, log.position, [event for _, event in log.read(start)])
    return database.write(lambda t: answers.save_increments(t, OWNER, {answer_id: gain}, []))


def give_up(database: Database) -> None:
    database.write(lambda t: reaping.reap(t, reaping.heartbeats(t)))


def reclaim(database: Database, answer_id: str) -> set[str]:
    def take(t: Transaction) -> set[str]:
        reaping.lock(t, [answer_id])
        return reaping.reclaim(t, OWNER, [answer_id])

    return database.write(take)


def row_of(database: Database, answer_id: str) -> Message:
    def read(t: Transaction) -> Message:
        row = t.scalars(select(Message).where(Message.id == answer_id)).one()
        t.expunge(row)
        return row

    return database.read(read)


def test_a_reclaimed_answer_is_live_again_and_counts_once(database: Database) -> None:
    answer_id, log = begin(database)
    give_up(database)
    stopped = answers.log_of(row_of(database, answer_id))
    assert (row_of(database, answer_id).status, stopped.text(Chunk)) == ("interrupted", TEXT)
    assert database.read(lambda t: reaping.lost(t, OWNER, [answer_id])) == {}

    assert reclaim(database, answer_id) == {answer_id}
    assert (row_of(database, answer_id).status, row_of(database, answer_id).error) == (
        "running",
        None,
    )
    assert reclaim(database, answer_id) == set(), "it is the owner's already"
    assert database.read(lambda t: reaping.lost(t, OWNER, [answer_id])) == {}

    log.append(WasThinking(log.position))
    log.append(Chunk(MORE))
    assert store(database, answer_id, log, 0) == {answer_id}
    ending = Ending(answer_id, log, State.COMPLETE, Done("stop"))
    assert database.write(lambda t: answers.save_endings(t, [ending], OWNER)) == {answer_id}
    row = row_of(database, answer_id)
    assert (row.status, row.content, row.error) == ("complete", TEXT + MORE, None)
    assert database.read(lambda t: t.scalars(select(Segment)).all()) == []
    counted = database.read(lambda t: t.scalars(select(Usage.questions)).all())
    assert counted == [0], "the first end was taken off; this ending says nothing of its use"


@pytest.mark.parametrize("ended", [False, True])
def test_readers_that_got_the_interruption_get_reset_and_all_text(
    database: Database, ended: bool
) -> None:
    answer_id, log = begin(database)
    give_up(database)
    told = answers.log_of(row_of(database, answer_id))
    last = told.position
    [*_, (_, end)] = told.read(0)
    assert isinstance(end, Error)
    reclaim(database, answer_id)
    if ended:
        log.append(Chunk(MORE))
        ending = Ending(answer_id, log, State.COMPLETE, Done("stop"), reclaimed=True)
        database.write(lambda t: answers.save_endings(t, [ending], OWNER))
        live = Live(answers.log_of(row_of(database, answer_id)))
    else:
        log.append(Chunk(MORE))
        log.append(WasThinking(log.position))
        log.append(Chunk(MORE))
        log.append(Done("stop"))
        live = Live(log)
    [(_, first), *rest] = live.tail(last)
    assert isinstance(first, Reset)
    said = "".join(event.text for _, event in rest if isinstance(event, Chunk))
    assert said == TEXT + (MORE if ended else 2 * MORE)
    assert isinstance(rest[-1][1], Done)


def test_connected_readers_get_no_reset(database: Database) -> None:
    _, log = begin(database)
    live = Live(log)
    log.append(WasThinking(log.position))
    log.append(Chunk(MORE))
    log.append(Done("stop"))
    assert not any(isinstance(event, Reset) for _, event in live.tail())


def add(t: Transaction, answer: Message, **columns: str | None) -> Message:
    common = {"session_id": answer.session_id, "user_id": answer.user_id}
    more = Message(id=new_id(), content="", **{**common, **columns})
    t.add(more)
    t.flush()
    return more


def continued(t: Transaction, answer: Message) -> None:
    add(t, answer, role="user", parent_id=answer.id)


def asked_again(t: Transaction, answer: Message) -> None:
    add(t, answer, role="assistant", parent_id=answer.parent_id, status="complete")


def stopped(t: Transaction, answer: Message) -> None:
    reaping.keep_interrupted(t, answer.id)


def another_branch_is_live(t: Transaction, answer: Message) -> None:
    question = add(t, answer, role="user", parent_id=None)
    live = add(t, answer, role="assistant", parent_id=question.id, status="running")
    common = {"session_id": answer.session_id, "user_id": answer.user_id}
    t.add(Run(message_id=live.id, owner="another:worker", **common))


def change_it(
    database: Database, answer_id: str, change: Callable[[Transaction, Message], None]
) -> None:
    def run(t: Transaction) -> None:
        change(t, t.scalars(select(Message).where(Message.id == answer_id)).one())

    database.write(run)


@pytest.mark.parametrize("change", [continued, asked_again, stopped])
def test_an_answer_that_was_followed_or_stopped_is_not_reclaimed(
    database: Database, change: Callable[[Transaction, Message], None]
) -> None:
    answer_id, _ = begin(database)
    give_up(database)
    change_it(database, answer_id, change)
    [fault] = database.read(lambda t: reaping.lost(t, OWNER, [answer_id])).values()
    assert isinstance(fault, Interrupted)
    assert reclaim(database, answer_id) == set()
    assert row_of(database, answer_id).content == TEXT


def test_a_live_answer_in_another_branch_does_not_matter(database: Database) -> None:
    answer_id, _ = begin(database)
    give_up(database)
    change_it(database, answer_id, another_branch_is_live)
    assert database.read(lambda t: reaping.lost(t, OWNER, [answer_id])) == {}
    assert reclaim(database, answer_id) == {answer_id}


def test_an_answer_with_a_stop_request_is_not_reclaimed(database: Database) -> None:
    answer_id, _ = begin(database)
    database.write(lambda t: answers.request_stop(t, answer_id))
    give_up(database)
    row = row_of(database, answer_id)
    assert (row.status, row.content, row.error) == ("stopped", TEXT, None)
    assert reclaim(database, answer_id) == set()
    assert database.read(lambda t: reaping.lost(t, OWNER, [answer_id])) == {answer_id: None}


def test_a_deleted_answer_is_lost(database: Database) -> None:
    answer_id, _ = begin(database)
    database.write(
        lambda t: t.delete(t.scalars(select(Message).where(Message.id == answer_id)).one())
    )
    [fault] = database.read(lambda t: reaping.lost(t, OWNER, [answer_id])).values()
    assert isinstance(fault, Deleted)
    assert reclaim(database, answer_id) == set()


def test_a_follower_that_missed_the_reap_starts_again(
    database: Database,
) -> None:
    answer_id, log = begin(database)
    followed = {answer_id: log.position}
    give_up(database)
    reclaim(database, answer_id)
    log.append(WasThinking(log.position))
    store(database, answer_id, log, 0)
    stored = log.position
    log.append(Chunk(MORE))
    store(database, answer_id, log, stored)
    assert database.read(lambda t: answers.new_events(t, followed)) == {answer_id: None}
    assert database.read(lambda t: answers.new_events(t, {answer_id: stored})) == {
        answer_id: [Chunk(MORE)]
    }


def test_an_unacknowledged_commit_is_written_once(database: Database) -> None:
    answer_id, log = begin(database)
    log.append(Chunk(MORE))
    assert store(database, answer_id, log, 0) == {answer_id}, "a longer piece from the same place"
    events = database.read(lambda t: answers.stored_events(t, answer_id))
    assert "".join(event.text for event in events if isinstance(event, Chunk)) == TEXT + MORE

    ending = Ending(answer_id, log, State.STOPPED, Done("stopped"))
    assert database.write(lambda t: answers.save_endings(t, [ending], OWNER)) == {answer_id}
    assert database.write(lambda t: answers.save_endings(t, [ending], OWNER)) == set()
    assert database.read(lambda t: answers.why_refused(t, [answer_id])) == {}
    assert reclaim(database, answer_id) == set()
    assert row_of(database, answer_id).status == "stopped"


@pytest.mark.parametrize("database", BOTH[1:], indirect=True)
def test_an_answer_whose_owner_is_saving_is_skipped(database: Database) -> None:
    """Both transactions are open; on SQLite there is one writer."""
    answer_id, log = begin(database)
    other, log_of_other = begin(database)
    log.append(Chunk(MORE))
    gain = {answer_id: Increment(1 + len(TEXT), log.position, [Chunk(MORE)])}

    def save(t: Transaction) -> list[str]:
        answers.save_increments(t, OWNER, gain, [])
        return database.write(lambda t: reaping.reap(t, reaping.heartbeats(t)))

    assert database.write(save) == [other]
    assert row_of(database, answer_id).status == "running"
    assert row_of(database, other).content == log_of_other.text(Chunk)


@pytest.mark.parametrize("database", BOTH[1:], indirect=True)
def test_reclaiming_waits_for_a_follow_up_question(database: Database) -> None:
    """A transaction that holds the person's lock and adds a question commits first."""
    answer_id, _ = begin(database)
    give_up(database)
    tries: list[None] = []

    def try_it(t: Transaction) -> set[str]:
        tries.append(None)
        reaping.lock(t, [answer_id])
        return reaping.reclaim(t, OWNER, [answer_id])

    with ThreadPoolExecutor(1) as pool:

        def ask(t: Transaction) -> Future[set[str]]:
            answer = t.scalars(select(Message).where(Message.id == answer_id)).one()
            named_locks.take(t, answer.user_id)
            continued(t, answer)
            reclaimed = pool.submit(database.write, try_it)
            wait_for(lambda: len(tries) > 1 or reclaimed.done(), "it is tried again")
            return reclaimed

        assert database.write(ask).result(PATIENCE_SECONDS) == set()
