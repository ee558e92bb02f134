"""Copies between SQLite and PostgreSQL: the same rows in both, numbers that are not given again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, inspect, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from chatapp.knowledge.search.lexical_copy import database_parts
from chatapp.settings import Settings
from chatapp.storage.copying import (
    Difference,
    batches,
    compare_all,
    copy,
    copy_all,
    freeze,
    open_read_only,
)
from chatapp.storage.database import Database, open_database
from chatapp.storage.message_index import MessageIndexer, find_messages, is_complete
from chatapp.storage.migrate import migrate
from chatapp.storage.models import Chunk, KnowledgeBase, Message, User
from chatapp.storage.models import Session as ChatSession
from tests.support.postgres import NEEDS_POSTGRES
from tests.support.shelf import Shelf, make_shelf

pytestmark = NEEDS_POSTGRES
NOT_COPIED = {"alembic_version", "sqlite_sequence"}
OF_MESSAGES = {"message_words", "unindexed_messages"}  # their index is made anew


def made(settings: Settings) -> Database:
    migrate(settings)
    return open_database(settings.sql_url)


@pytest.fixture
def target(tmp_path: Path, postgres: str) -> Iterator[Database]:
    database = made(Settings(home=tmp_path / "other", database_url=postgres))
    yield database
    for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
        database.write(lambda t, statement=statement: t.execute(text(statement)) and None)  # type: ignore[misc]
    database.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    settings = Settings(home=tmp_path / "home", embedder="off")
    migrate(settings)
    shelf = make_shelf(settings)
    shelf.add("leave.txt", b"Employees get 25 days of leave.")
    shelf.add("重庆.txt", "重庆办事处的员工有十二天带薪年假。".encode())
    yield shelf
    shelf.database.close()


def differences(one: Database, other: Database) -> list[Difference]:
    parts = database_parts()
    return one.read(lambda t: other.read(lambda u: [*filter(None, compare_all(parts, t, u))]))


def test_every_table_of_a_database_is_a_part(shelf: Shelf) -> None:
    tables = {
        name
        for name in inspect(shelf.database.engine).get_table_names()
        if not name.startswith(("lexical", "message_index"))
    }
    tables -= NOT_COPIED | OF_MESSAGES
    assert {part.name for part in database_parts()} == tables | {"lexical"}


def test_a_copy_is_the_same_and_so_is_the_copy_of_the_copy(
    shelf: Shelf, target: Database, tmp_path: Path
) -> None:
    file = shelf.settings.sqlite_file
    assert file is not None
    source = open_read_only(file)
    source.read(lambda t: copy_all(database_parts(), t, target))
    assert differences(source, target) == []
    back = made(Settings(home=tmp_path / "back"))
    target.read(lambda t: copy_all(database_parts(), t, back))
    assert differences(source, back) == differences(target, back) == []
    for database in (source, back):
        database.close()


def test_messages_are_indexed_after_a_copy(shelf: Shelf, target: Database) -> None:
    said = {"user_id": shelf.user, "role": "user", "content": "Who has the keys?"}

    def ask(t: Session) -> None:
        t.add(chat := ChatSession(user_id=shelf.user))
        t.flush()
        t.add(Message(session_id=chat.id, **said))

    shelf.database.write(ask)
    shelf.database.read(lambda t: copy_all(database_parts(), t, target))
    assert not target.read(is_complete)
    while MessageIndexer(target).run_step():
        pass
    assert target.read(is_complete)
    assert len(target.read(lambda t: find_messages(t, shelf.user, "keys", 10)) or ()) == 1


def test_numbers_of_deleted_rows_are_not_given_again(
    shelf: Shelf, target: Database, tmp_path: Path
) -> None:
    def last_chunk(t: Session) -> int:
        return max(t.scalars(text("SELECT id FROM chunks")).all())

    def add_base(t: Session) -> int:
        t.add(base := KnowledgeBase(name="new"))
        t.flush()
        return base.number

    last = shelf.database.read(last_chunk)
    number = shelf.database.write(add_base)
    shelf.database.write(lambda t: t.execute(delete(Chunk).where(Chunk.id == last)) and None)
    shelf.database.write(
        lambda t: t.execute(delete(KnowledgeBase).where(KnowledgeBase.number == number)) and None
    )
    back = made(Settings(home=tmp_path / "back"))
    shelf.database.read(lambda t: copy_all(database_parts(), t, target))
    target.read(lambda t: copy_all(database_parts(), t, back))
    for database in (target, back):
        assert database.write(add_base) == number + 1
    file_id = shelf.database.read(lambda t: t.scalars(text("SELECT id FROM files")).first())
    for database in (target, back):
        new = Chunk(file_id=file_id, ordinal=99, start=0, end=1, text="new")
        database.write(lambda t, new=new: t.add(new))  # type: ignore[misc]
        assert database.read(last_chunk) == last + 1
    back.close()


def test_missing_added_and_changed_rows_are_found(shelf: Shelf, target: Database) -> None:
    shelf.database.read(lambda t: copy_all(database_parts(), t, target))

    def damage(t: Session) -> None:
        t.execute(update(Chunk).where(Chunk.id == 1).values(text="damaged"))
        t.execute(text("DELETE FROM lexical WHERE chunk_id = (SELECT max(chunk_id) FROM lexical)"))
        t.add(User(id="new", name="new"))
        t.execute(text("UPDATE terms SET df = df + 1 WHERE term = 'leav'"))
        t.execute(text("UPDATE terms SET df = df + 1 WHERE term LIKE '%leav'"))

    target.write(damage)
    found = {each.part: each for each in differences(shelf.database, target)}
    assert set(found) == {"chunks", "lexical", "users", "terms"}
    assert (found["chunks"].changed, found["chunks"].keys) == (1, [(1,)])
    assert (found["lexical"].missing, found["users"].added) == (1, 1)
    assert found["users"].keys == [("new",)]


def test_a_copy_goes_on_behind_the_rows_that_are_there(shelf: Shelf, target: Database) -> None:
    stored: dict[str, int] = {}

    def store(_: Session, name: str, before: int, done: int) -> None:
        assert stored.get(name, 0) == before
        stored[name] = done

    def go_on(t: Session) -> None:
        freeze(t)
        for part in database_parts():
            ends = [
                *copy(part, t, target, 0, store),
                *copy(part, t, target, stored.get(part.name, 0)),
            ]
            assert ends == ([part.count(t)] if part.count(t) else [])

    shelf.database.read(go_on)
    assert differences(shelf.database, target) == []


def test_an_sqlite_file_in_any_journal_mode_is_only_read(shelf: Shelf, tmp_path: Path) -> None:
    copied = tmp_path / "copy ?#%.db"
    with closing(sqlite3.connect(shelf.settings.home / "chatapp.db")) as file:
        file.execute("VACUUM INTO ?", (str(copied),))
    before = copied.read_bytes()
    source = open_read_only(copied)
    assert differences(source, shelf.database) == []
    with pytest.raises(OperationalError, match="readonly"):
        source.write(lambda t: t.execute(text("DELETE FROM chunks")) and None)
    source.close()
    assert copied.read_bytes() == before


def test_batches_are_small_in_number_and_size() -> None:
    assert [len(each) for each in batches((n,) for n in range(1100))] == [500, 500, 100]
    long = "x" * 5_000_000
    assert [len(each) for each in batches((n, long) for n in range(5))] == [2, 2, 1]
