"""The texts of the sources of answers: stored once, read back, kept while an answer has them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session as Transaction

from chatapp.chat import answers
from chatapp.chat.answers import Ending
from chatapp.core.answer import AnswerLog, State
from chatapp.core.events import Chunk, Context, Done, Sources
from chatapp.storage import passages
from chatapp.storage.database import Database
from chatapp.storage.models import Message, MessagePassage, Passage, Run, Session, User, new_id
from chatapp.storage.passages import Passages, move_texts, sources_of
from tests.support.postgres import BOTH, empty_database
from tests.support.service import PATIENCE_SECONDS

USER, SESSION = new_id(), new_id()


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as made:
        made.write(lambda t: t.add(User(id=USER, name="a")))
        made.write(lambda t: t.add(Session(id=SESSION, user_id=USER)))
        yield made


def source(n: int, text: str) -> dict[str, Any]:
    return {"n": n, "name": "tides.txt", "text": text, "score": 0.5, "by": {"words": 2.5}}


def answer(database: Database, *texts: str) -> str:
    """Store an answer that was given these passages; return its id."""
    answer_id = new_id()

    def begin(t: Transaction) -> None:
        common = {"session_id": SESSION, "user_id": USER}
        t.add(Message(id=answer_id, role="assistant", status="running", **common))
        t.flush()
        t.add(Run(message_id=answer_id, owner="host:1:start", **common))

    database.write(begin)
    log = AnswerLog()
    log.append(Context("Tides", SESSION, answer_id, ""))
    log.append(Sources(tuple(source(n, each) for n, each in enumerate(texts, 1))))
    log.append(Chunk("At noon [1]."))
    log.append(Done("stop"))
    ending = Ending(answer_id, log, State.COMPLETE, Done("stop"))
    assert database.write(lambda t: answers.save_endings(t, [ending], "host:1:start"))
    return answer_id


def read(database: Database, answer_id: str) -> Message:
    def load(t: Transaction) -> Message:
        row = t.scalars(select(Message).where(Message.id == answer_id)).one()
        t.expunge(row)
        return row

    return database.read(load)


def stored(database: Database) -> list[str]:
    return database.read(lambda t: list(t.scalars(select(Passage.text).order_by(Passage.text))))


def test_a_text_is_stored_once_and_every_answer_has_it(database: Database) -> None:
    first = answer(database, "High water at noon.", "涨潮 — “twelve”")
    second = answer(database, "涨潮 — “twelve”", "涨潮 — “twelve”", "")
    assert stored(database) == sorted(["", "High water at noon.", "涨潮 — “twelve”"])
    row = read(database, first)
    assert [each["text"] for each in row.sources] == ["", ""]
    assert sources_of(row) == [source(1, "High water at noon."), source(2, "涨潮 — “twelve”")]
    assert list(sources_of(row)[0]) == list(source(1, "")), "in the same order"
    assert answers.log_of(row).sources() == tuple(sources_of(row))
    assert [each["text"] for each in sources_of(read(database, second))] == [
        "涨潮 — “twelve”",
        "涨潮 — “twelve”",
        "",
    ]


def test_an_answer_without_sources_has_none(database: Database) -> None:
    row = read(database, answer(database))
    assert (sources_of(row), row.passages) == ([], None)
    assert stored(database) == []


def test_a_text_is_deleted_with_its_last_answer(database: Database) -> None:
    kept, gone = answer(database, "shared", "kept"), answer(database, "shared", "gone")
    Passages(database).sweep()
    assert stored(database) == ["gone", "kept", "shared"]
    database.write(lambda t: t.execute(delete(Message).where(Message.id == gone)) and None)
    Passages(database).sweep()
    assert stored(database) == ["kept", "shared"]
    assert [each["text"] for each in sources_of(read(database, kept))] == ["shared", "kept"]


def test_a_text_that_an_answer_gets_while_it_is_deleted_stays(database: Database) -> None:
    gone = answer(database, "shared")
    database.write(lambda t: t.execute(delete(Message).where(Message.id == gone)) and None)
    found, may_link = Event(), Event()

    def pause(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO message_passages"):
            found.set()
            assert may_link.wait(PATIENCE_SECONDS)

    event.listen(database.engine, "before_cursor_execute", pause)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(answer, database, "shared")
        assert found.wait(PATIENCE_SECONDS)
        sweeping = pool.submit(Passages(database).sweep)
        time.sleep(0.5)  # it waits for the answer's transaction
        may_link.set()
        sweeping.result(PATIENCE_SECONDS)
        row = read(database, writing.result(PATIENCE_SECONDS))
    assert sources_of(row) == [source(1, "shared")]


def test_texts_in_the_rows_of_older_answers_are_read_and_moved(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "MOVED_TOGETHER", 2)
    older = [answer(database, f"number {each}", "shared") for each in range(5)]
    whole = {each: sources_of(read(database, each)) for each in older}
    for each, sources in whole.items():
        change = update(Message).where(Message.id == each).values(sources=sources)
        database.write(lambda t, change=change: t.execute(change) and None)
    database.write(lambda t: t.execute(delete(MessagePassage)) and None)
    database.write(lambda t: t.execute(delete(Passage)) and None)
    newer = answer(database, "shared")

    assert {each: sources_of(read(database, each)) for each in older} == whole
    move_texts(database)
    assert {each: sources_of(read(database, each)) for each in older} == whole
    assert stored(database) == [*(f"number {each}" for each in range(5)), "shared"]
    assert {one["text"] for each in [*older, newer] for one in read(database, each).sources} == {""}
    links = database.read(lambda t: t.scalar(select(func.count()).select_from(MessagePassage)))
    assert links == 2 * len(older) + 1
    move_texts(database)
    assert sources_of(read(database, newer)) == [source(1, "shared")]
