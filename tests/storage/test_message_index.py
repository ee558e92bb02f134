"""The index of messages: what is found by which words, and that rows go with their messages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session as Transaction

from chatapp.core.search_words import words_in, words_of
from chatapp.storage.database import Database
from chatapp.storage.message_index import (
    BATCH_MESSAGES,
    INDEX,
    STEP_BATCHES,
    MessageIndexer,
    Text,
    find_messages,
    index_ended,
    index_new,
    is_complete,
)
from chatapp.storage.message_models import UnindexedMessages
from chatapp.storage.models import Message, Run, Session, User, new_id
from tests.support.postgres import BOTH, empty_database

USER, SESSION = new_id(), new_id()


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as made:
        made.write(lambda t: add_chat(t, USER, SESSION))
        yield made


def add_chat(t: Transaction, user_id: str, session_id: str) -> None:
    t.add(User(id=user_id, name=user_id))
    t.flush()
    t.add(Session(id=session_id, user_id=user_id))


def add(database: Database, content: str, *, indexed: bool = True) -> str:
    said = Text(new_id(), USER, content)

    def store(t: Transaction) -> None:
        row = {"id": said.id, "session_id": SESSION, "user_id": USER, "role": "user"}
        t.execute(insert(Message).values(**row, content=content))
        if indexed:
            index_new(t, [said])

    database.write(store)
    return said.id


def found(database: Database, term: str, user_id: str = USER, most: int = 99) -> int | None:
    """Return how many messages may contain a term; None for too many."""
    rows = database.read(lambda t: find_messages(t, user_id, term, most))
    return None if rows is None else sum(map(len, rows.values()))


def rows(database: Database) -> int:
    table = INDEX if database.sqlite else "message_words"
    return int(database.read(lambda t: t.scalar(text(f"SELECT count(*) FROM {table}"))) or 0)


TEXT = "Nähe Straße 12, new_plan C:\\temp: 员工手册第三章 ภาษาไทย it's 100% \U0001f600 e\u0301"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_every_part_that_begins_at_a_word_is_found(database: Database, size: int) -> None:
    add(database, TEXT)
    for start in range(len(TEXT)):
        before = TEXT[start - 1 : start]
        if before.isascii() and before.isalnum() or before in ("ä", "ß"):
            continue  # inside a word
        term = TEXT[start : start + size].strip()
        assert not term or found(database, term) == 1, term


@pytest.mark.parametrize("term", ["raße", "ew_plan", "章三", "elephant", "'", "' OR ''='"])
def test_other_terms_are_not(database: Database, term: str) -> None:
    add(database, TEXT.replace("'", ""))
    assert found(database, term) == 0


def test_no_other_user_finds_a_message_also_with_a_similar_id(database: Database) -> None:
    add(database, "zeppelin")
    assert found(database, "zeppelin", USER[:-1] + "x") == 0
    assert found(database, "zeppelin", new_id()) == 0


def test_too_many_are_not_counted(database: Database) -> None:
    for _ in range(4):
        add(database, "leave")
    assert found(database, "leave", most=4) == 4
    assert found(database, "leave", most=3) is None


def test_an_answer_is_indexed_anew_and_its_question_once(database: Database) -> None:
    question, answer = (add(database, each, indexed=False) for each in ("asked", "before"))

    def end(t: Transaction, content: str) -> None:
        values = {"parent_id": question, "content": content}
        t.execute(update(Message).where(Message.id == answer).values(**values))
        index_ended(t, {answer})

    for content in ("before", "after"):
        database.write(lambda t, content=content: end(t, content))  # type: ignore[misc]
    counts = [found(database, term) for term in ("asked", "before", "after")]
    assert counts == [1, 0, 1] and rows(database) == 2


def test_the_conversations_of_programs_are_not_indexed(database: Database) -> None:
    answer = add(database, "27 days", indexed=False)

    def end(t: Transaction) -> None:
        t.execute(update(Session).values(kind="api"))
        index_ended(t, {answer})

    database.write(end)
    assert rows(database) == 0


def test_the_question_of_a_live_answer_may_contain_any_term(database: Database) -> None:
    question, answer = (add(database, "", indexed=False) for _ in range(2))

    def ask(t: Transaction) -> None:
        t.execute(update(Message).where(Message.id == answer).values(parent_id=question))
        t.add(Run(message_id=answer, session_id=SESSION, user_id=USER, owner=""))

    database.write(ask)
    assert (found(database, "leave"), found(database, "leave", new_id())) == (1, 0)


@pytest.mark.parametrize("deleted", ["messages", "sessions", "users"])
def test_rows_go_with_their_message(database: Database, deleted: str) -> None:
    add(database, "leave")
    add(database, "days")
    database.write(lambda t: t.execute(text(f"DELETE FROM {deleted}")) and None)
    assert rows(database) == 0
    database.write(lambda t: t.execute(text("DELETE FROM users")) and add_chat(t, USER, SESSION))
    add(database, "other")  # with a number that SQLite gives again
    assert (found(database, "leave"), found(database, "other")) == (0, 1)


def test_a_long_message_is_found_by_all_its_parts(database: Database) -> None:
    content = "".join(f"{chr(0x4E00 + n)}{chr(0x4E01 + n * 7 % 20_000)}" for n in range(20_000))
    add(database, content + " the end " + "word " * 40_000 + "zeppelin")
    for at in range(0, len(content) - 200, 4_871):
        assert found(database, content[at : at + 200]) == 1, at
    assert found(database, "zeppelin") == found(database, "the end") == 1


def test_messages_from_before_the_index_are_added_in_steps(database: Database) -> None:
    count = BATCH_MESSAGES * STEP_BATCHES + 1
    for n in range(3):
        add(database, f"number {n}", indexed=False)
    live = add(database, "not yet", indexed=False)

    def store(t: Transaction) -> None:
        common = {"session_id": SESSION, "user_id": USER, "role": "user"}
        values = [common | {"id": new_id(), "content": f"more {n}"} for n in range(count)]
        t.execute(insert(Message), values)
        last = t.scalar(select(func.max(Message.number)))
        t.add(UnindexedMessages(below=last + 1))

    database.write(store)
    waits = {"status": "running", "live": live}
    running = text("UPDATE messages SET status = :status WHERE id = :live")
    database.write(lambda t: t.execute(running, waits) and None)
    indexer = MessageIndexer(database)
    assert not database.read(is_complete)
    assert indexer.run_step()
    assert not database.read(is_complete) and rows(database) == count - 1
    assert found(database, "number", most=count) == 0
    while indexer.run_step():
        pass
    assert database.read(is_complete)
    assert found(database, "number", most=count) == 3
    assert found(database, "more", most=count) == count
    assert found(database, "yet") == 0, "the words of a live answer come with its end"


def test_a_term_has_the_words_of_every_text_that_contains_it() -> None:
    assert words_in("员工手册 a") == [
        ("员工", False),
        ("工手", False),
        ("手册", False),
        ("a", True),
    ]
    assert words_in("Hamburg off") == [("hamburg", False), ("off", True)]
    assert words_of("年 Hamburg") == {"年", "hamburg"}
    assert words_of("  ") == set() and words_in(" ") == []
