"""Reading one branch in parts, and deleting from a message on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.branches import Window, read_part
from chatapp.chat.sessions import Sessions
from chatapp.errors import NotFound
from chatapp.identity.accounts import Accounts
from chatapp.storage.database import Database
from chatapp.storage.models import Message, Session
from tests.support.postgres import BOTH, empty_database

# Two first questions; the second was answered three times, once without text. Its first answer was
# followed by `q3`, which was edited to `q4`.
TREE = {
    "q1": None,
    "a1": "q1",
    "q2": None,
    "a2": "q2",
    "empty": "q2",
    "a3": "q2",
    "q3": "a2",
    "a4": "q3",
    "q4": "a2",
    "a5": "q4",
}
CHAIN = """
INSERT INTO messages (id, session_id, user_id, parent_id, role, content, status, knowledge,
  reasoning, sources, citations, usage, timings, cut, shape, created_at)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
SELECT :session || i, :session, :user, CASE WHEN i > 1 THEN :session || (i - 1) END,
  CASE WHEN i % 2 = 1 THEN 'user' ELSE 'assistant' END, 'words', 'complete', '', '', '[]', '[]',
  '{}', '{}', '{}', '[]', CURRENT_TIMESTAMP FROM n
"""
LONG = {"short": 100, "long": 20_000}


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as made:
        yield made


@pytest.fixture
def user_id(database: Database) -> str:
    accounts = Accounts(database)
    accounts.ensure_admin("", "a-token-of-the-tests")
    return accounts.administrator().id


@pytest.fixture
def sessions(database: Database, user_id: str) -> Sessions:
    database.write(lambda t: t.add(Session(id="s", user_id=user_id, leaf_id="a5")))
    for name, parent in TREE.items():
        ended = "stopped" if name == "empty" else "complete"
        message = Message(
            id=name,
            session_id="s",
            user_id=user_id,
            parent_id=parent,
            role="user" if name.startswith("q") else "assistant",
            content="" if name == "empty" else name,
            status=ended,
        )
        database.write(lambda t, message=message: t.add(message))  # type: ignore[misc]
    return Sessions(database)


def shown(part: dict[str, Any]) -> tuple[list[str], str | None, str | None]:
    return [row["id"] for row in part["items"]], part["before"], part["after"]


@pytest.mark.parametrize(
    ("window", "ids", "before", "after"),
    [
        (Window(), ["q2", "a2", "q4", "a5"], None, None),
        (Window(limit=3), ["a2", "q4", "a5"], "a2", None),
        (Window(before="a2", limit=3), ["q2"], None, "q2"),
        (Window(before="q4", limit=1), ["a2"], "a2", "a2"),
        (Window(before="q2"), [], None, None),
        (Window("a4"), ["q2", "a2", "q3", "a4"], None, None),
        (Window("q3"), ["q2", "a2", "q3", "a4"], None, None),  # the branch through it
        (Window("a2"), ["q2", "a2", "q4", "a5"], None, None),  # the newest of two
        (Window("q2"), ["q2", "a3"], None, None),
        (Window("empty"), ["q2", "empty"], None, None),
        (Window(around="q4", limit=2), ["q4", "a5"], "q4", None),
        (Window(around="a2", limit=2), ["a2", "q4"], "a2", "q4"),
        (Window(around="q3", limit=4), ["q2", "a2", "q3", "a4"], None, None),
        (Window("a4", around="a2", limit=2), ["a2", "q3"], "a2", "q3"),
        (Window(around="q1", limit=9), ["q1", "a1"], None, None),
        (Window(after="q2", limit=1), ["a2"], "a2", "a2"),  # towards the session's leaf
        (Window(after="a2"), ["q4", "a5"], "q4", None),
        (Window("a4", after="a2"), ["q3", "a4"], "q3", None),
        (Window(after="a5"), [], None, None),
    ],
)
def test_a_part_of_one_branch_is_read(
    sessions: Sessions, user_id: str, window: Window, ids: list[str], before: str, after: str
) -> None:
    assert shown(sessions.part(user_id, "s", window)) == (ids, before, after)


def test_each_message_names_its_alternatives_in_order(sessions: Sessions, user_id: str) -> None:
    items = sessions.part(user_id, "s", Window())["items"]
    assert {row["id"]: row["siblings"] for row in items} == {
        "q2": ["q1", "q2"],
        "a2": ["a2", "a3"],
        "q4": ["q3", "q4"],
        "a5": ["a5"],
    }
    [_, empty] = sessions.part(user_id, "s", Window("empty"))["items"]
    assert empty["siblings"] == ["a2", "empty", "a3"], "one that is shown is among them"


def test_a_session_without_a_leaf_ends_in_its_newest_message(
    sessions: Sessions, user_id: str
) -> None:
    sessions.change(user_id, "s", {"leaf_id": None})
    assert shown(sessions.part(user_id, "s", Window(limit=1))) == (["a5"], "a5", None)
    empty = sessions.create(user_id, {})["id"]
    assert shown(sessions.part(user_id, empty, Window())) == ([], None, None)


@pytest.mark.parametrize("name", ["leaf", "before", "after", "around"])
def test_a_message_of_another_session_is_not_found(
    sessions: Sessions, user_id: str, name: str
) -> None:
    other = sessions.create(user_id, {})["id"]
    with pytest.raises(NotFound):
        sessions.part(user_id, other, Window(**{name: "a2"}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("deleted", "left", "leaf"),
    [
        ("a5", "q1 a1 q2 a2 empty a3 q3 a4 q4", "q4"),
        ("q4", "q1 a1 q2 a2 empty a3 q3 a4", "a4"),  # to the other version
        ("a2", "q1 a1 q2 empty a3", "a3"),
        ("q2", "q1 a1", "a1"),  # to the other first question
        ("q3", "q1 a1 q2 a2 empty a3 q4 a5", "a5"),  # not the current branch
    ],
)
def test_a_message_is_deleted_with_all_below_it(
    database: Database, sessions: Sessions, user_id: str, deleted: str, left: str, leaf: str
) -> None:
    counted = sessions.count_branch(user_id, deleted)
    sessions.delete_message(user_id, deleted)
    rows, _ = sessions.messages(user_id, "s", None, None)
    assert [row["id"] for row in rows] == left.split()
    assert counted == len(TREE) - len(rows)
    assert sessions.read(user_id, "s")["leaf_id"] == leaf


def work(database: Database, fn: Callable[[Transaction], Any]) -> int:
    """Return the work of a transaction: instructions of SQLite, rows read by PostgreSQL."""

    def counted(t: Transaction) -> int:
        if not database.sqlite:
            fn(t)
            sums = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM "
            return int(t.execute(text(sums + "pg_stat_xact_user_tables")).scalar_one())
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        connection = t.connection().connection.driver_connection
        assert connection is not None
        connection.set_progress_handler(step, 1)
        fn(t)
        connection.set_progress_handler(None, 1)
        return steps

    return database.read(counted)


def test_a_part_of_a_long_session_costs_what_it_returns(database: Database, user_id: str) -> None:
    def fill(t: Transaction) -> None:
        for name, count in LONG.items():
            t.add(Session(id=name, user_id=user_id, leaf_id=f"{name}{count}"))
            t.flush()
            t.execute(text(CHAIN), {"session": name, "user": user_id, "count": count})

    database.write(fill)
    if not database.sqlite:  # as its autovacuum does
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as plain:
            plain.execute(text("ANALYZE messages"))

    def cost(name: str, window: Window) -> int:
        def read(t: Transaction) -> None:
            assert read_part(t, t.get_one(Session, name), window).messages

        work(database, read)  # the first one also prepares the statements
        return work(database, read)

    for window in (
        lambda name, count: Window(),
        lambda name, count: Window(f"{name}{count}"),
        lambda name, count: Window(before=f"{name}{count // 2}"),
        lambda name, count: Window(before=f"{name}20"),
        lambda name, count: Window(after=f"{name}{count // 2}"),
        lambda name, count: Window(around=f"{name}{count // 2}"),
        lambda name, count: Window(around=f"{name}1"),
    ):
        short, long = (cost(name, window(name, count)) for name, count in LONG.items())
        assert long < 8 * short, (window("", 0), short, long)
