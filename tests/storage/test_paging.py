"""Keyset cursors: rows that come and go between two pages are neither repeated nor skipped."""

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.event import listens_for
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.sessions import Sessions
from chatapp.errors import InvalidRequest
from chatapp.identity.accounts import Accounts
from chatapp.knowledge.bases import Knowledge
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, Message, Session, new_id, now
from tests.support.postgres import BOTH, empty_database

Page = Callable[[str | None], tuple[list[dict], str | None]]
START = now()


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as made:
        yield made


@pytest.fixture
def user_id(database: Database) -> str:
    accounts = Accounts(database)
    accounts.ensure_admin("", "a-token-of-the-tests")
    return accounts.administrator().id


def read_on(page: Page, after: str | None) -> list[str]:
    """Follow the cursors to the end; return what the rows are called."""
    names = []
    while after is not None:
        rows, after = page(after)
        names += [row.get("title") or row.get("name") or row.get("content") or row["text"]
                  for row in rows]  # fmt: skip
    return names


def add_session(database: Database, user_id: str, title: str, minute: int, pinned: bool) -> str:
    session = Session(
        id=new_id(),
        user_id=user_id,
        title=title,
        pinned=pinned,
        updated_at=START + timedelta(minutes=minute),
    )
    database.write(lambda t: t.add(session))
    return session.id


def test_sessions_that_come_and_go(database: Database, user_id: str) -> None:
    ids = {
        title: add_session(database, user_id, title, minute, pinned)
        for title, minute, pinned in (
            ("p1", 3, True), ("p2", 2, True), ("a", 9, False), ("b", 8, False), ("c", 8, False),
            ("d", 7, False), ("e", 6, False),
        )
    }  # fmt: skip
    sessions = Sessions(database)
    first, following = sessions.page(user_id, None, 3)
    assert [row["title"] for row in first] == ["p1", "p2", "a"]
    add_session(database, user_id, "new", 20, False)
    add_session(database, user_id, "new and pinned", 21, True)
    add_session(database, user_id, "old", 1, False)
    for title in ("a", "p1", "d"):
        sessions.delete(user_id, ids[title])
    rest = read_on(lambda after: sessions.page(user_id, after, 2), following)
    assert sorted(rest[:2]) == ["b", "c"], "two of the same moment"
    assert rest[2:] == ["e", "old"]


def test_no_page_of_sessions_is_sorted(database: Database, user_id: str) -> None:
    for minute in range(8):
        add_session(database, user_id, "chat", minute, minute % 4 == 0)
    explain = "EXPLAIN QUERY PLAN " if database.engine.name == "sqlite" else "EXPLAIN "
    asked: list[tuple[str, Any]] = []

    @listens_for(database.engine, "before_cursor_execute")
    def keep(_c: Any, _u: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    sessions = Sessions(database)
    _, following = sessions.page(user_id, None, 3)
    sessions.page(user_id, following, 3)
    lists = [each for each in asked if "ORDER BY sessions.pinned" in each[0]]
    assert len(lists) == 2

    def plan(t: Transaction, statement: str, values: Any) -> str:
        connection = t.connection()
        if database.engine.name != "sqlite":  # it would rather sort a small table
            for way in ("seqscan", "sort", "bitmapscan"):
                connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        return str(connection.exec_driver_sql(explain + statement, values).all())

    for statement, values in lists:
        found = database.read(lambda t, s=statement, v=values: plan(t, s, v))  # type: ignore[misc]
        assert "ix_sessions_listed" in found, found
        assert "Sort" not in found and "TEMP B-TREE" not in found, found


def test_messages_that_come_and_go(database: Database, user_id: str) -> None:
    sessions = Sessions(database)
    session_id = add_session(database, user_id, "chat", 0, False)
    ids: dict[str, str] = {}

    def say(text: str) -> None:
        ids[text] = new_id()
        message = Message(
            id=ids[text], session_id=session_id, user_id=user_id, role="user", content=text
        )
        database.write(lambda t: t.add(message))

    for text in "abcdef":
        say(text)
    first, following = sessions.messages(user_id, session_id, None, 2)
    assert [row["content"] for row in first] == ["a", "b"]
    for text in ("a", "b", "d"):
        sessions.delete_message(user_id, ids[text])
    say("g")
    page: Page = lambda after: sessions.messages(user_id, session_id, after, 2)  # noqa: E731
    assert read_on(page, following) == ["c", "e", "f", "g"]
    after_an_id, _ = sessions.messages(user_id, session_id, ids["e"], None)
    assert [row["content"] for row in after_an_id] == ["f", "g"]
    assert sessions.messages(user_id, session_id, ids["e"], 2)[1] is None, "nothing follows"


@pytest.mark.parametrize("deleted", ["abcdef", "bcdef"])
def test_messages_that_get_the_numbers_of_deleted_ones_are_not_skipped(
    database: Database, user_id: str, deleted: str
) -> None:
    sessions = Sessions(database)
    session_id = add_session(database, user_id, "chat", 0, False)
    minutes = itertools.count()

    def say(text: str) -> str:
        message = Message(
            id=new_id(),
            session_id=session_id,
            user_id=user_id,
            role="user",
            content=text,
            created_at=START + timedelta(minutes=next(minutes)),
        )
        database.write(lambda t: t.add(message))
        return message.id

    ids = {text: say(text) for text in "abcdef"}
    _, following = sessions.messages(user_id, session_id, None, 3)
    for text in deleted:
        sessions.delete_message(user_id, ids[text])
    for text in "uvwxyz":
        say(text)
    page: Page = lambda after: sessions.messages(user_id, session_id, after, 1)  # noqa: E731
    assert "".join(read_on(page, following)) == "uvwxyz"


@pytest.fixture
def knowledge(database: Database, tmp_path: Path) -> Knowledge:
    return Knowledge(database, Settings(home=tmp_path))


def add_file(database: Database, base_id: str, name: str, minute: int) -> str:
    file = File(
        id=new_id(),
        knowledge_base_id=base_id,
        name=name,
        md5="",
        sha256=name,
        size=1,
        media_type="",
        status="ready",
        created_at=START + timedelta(minutes=minute),
    )
    database.write(lambda t: t.add(file))
    return file.id


def test_files_that_come_and_go(database: Database, user_id: str, knowledge: Knowledge) -> None:
    base = knowledge.create(user_id, "Base")["id"]
    ids = {name: add_file(database, base, name, -minute) for minute, name in enumerate("abcdef")}
    first, following = knowledge.files(user_id, base, None, 2)
    assert [row["name"] for row in first] == ["a", "b"]
    add_file(database, base, "new", 10)
    add_file(database, base, "old", -10)
    gone = [ids[name] for name in "bd"]
    database.write(lambda t: [t.delete(t.get_one(File, file_id)) for file_id in gone] and None)
    page: Page = lambda after: knowledge.files(user_id, base, after, 2)  # noqa: E731
    assert read_on(page, following) == ["c", "e", "f", "old"]


def test_chunks_come_in_the_order_of_reading(
    database: Database, user_id: str, knowledge: Knowledge
) -> None:
    base = knowledge.create(user_id, "Base")["id"]
    file_id = add_file(database, base, "a", 0)
    chunks = [Chunk(file_id=file_id, ordinal=n, start=n, end=n + 1, text=str(n)) for n in range(5)]
    database.write(lambda t: t.add_all(chunks))
    page: Page = lambda after: knowledge.chunks(user_id, base, file_id, after, 2)  # noqa: E731
    rows, following = page(None)
    assert [row["text"] for row in rows] + read_on(page, following) == ["0", "1", "2", "3", "4"]


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


MOMENT = "2026-11-28T12:00:00.000001"


@pytest.mark.parametrize(
    "cursor",
    [
        "50",  # what older versions gave
        "x",
        "²",
        "A",
        "[" * 90,
        encoded(5),
        encoded(["messages", 5]),
        encoded(["sessions", True, MOMENT]),
        encoded(["sessions", 1, MOMENT, "id"]),
        encoded(["sessions", True, "yesterday", "id"]),
        encoded(["sessions", True, f"{MOMENT}+01:00", "id"]),
        encoded(["sessions", True, MOMENT, "\ud800"]),
        encoded(["sessions", True, MOMENT, "a\0b"]),
    ],
)
def test_a_cursor_of_another_list_is_refused(database: Database, user_id: str, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Sessions(database).page(user_id, cursor, 10)
    assert refused.value.reasons == {"after": ("cursor", {})}


@pytest.mark.parametrize("cursor", [encoded(["chunks", 2**63]), encoded(["chunks", True])])
def test_a_number_that_no_database_compares_is_refused(
    database: Database, user_id: str, knowledge: Knowledge, cursor: str
) -> None:
    base = knowledge.create(user_id, "Base")["id"]
    file_id = add_file(database, base, "a", 0)
    with pytest.raises(InvalidRequest):
        knowledge.chunks(user_id, base, file_id, cursor, 10)
