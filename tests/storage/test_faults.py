"""What a database's errors become: newer than this version, gone, damaged, not writable."""

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from chatapp.errors import DatabaseNewer, DatabaseUnusable
from chatapp.settings import Settings
from chatapp.storage.database import Database, open_database
from chatapp.storage.migrate import migrate
from tests.support.postgres import BOTH

NOBODY = 65534


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    shutil.copyfile(migrated, tmp_path / "chatapp.db")
    made = open_database(f"sqlite:///{tmp_path / 'chatapp.db'}")
    made.read(lambda t: t.execute(text("SELECT 1 FROM users")) and None)
    yield made
    made.close()


def run(database: Database, statement: str, writes: bool = False) -> None:
    begin = database.write if writes else database.read
    begin(lambda t: t.execute(text(statement)) and None)


@contextmanager
def unusable(detail: str) -> Iterator[None]:
    with pytest.raises(DatabaseUnusable) as caught:
        yield
    assert caught.value.detail == detail


@pytest.mark.parametrize("kind", BOTH)
def test_an_older_version_goes_on_and_says_what_it_cannot_read(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres")
    settings = Settings(home=tmp_path, database_url=url)
    migrate(settings)
    older = open_database(settings.sql_url)
    misspelt = OperationalError if kind == "sqlite" else ProgrammingError
    with pytest.raises(misspelt):
        run(older, "SELECT nothing FROM prompts")  # a mistake of ours stays one
    newer = open_database(settings.sql_url)
    run(newer, "ALTER TABLE prompts RENAME COLUMN text TO body", writes=True)
    run(newer, "UPDATE alembic_version SET version_num = '9999'", writes=True)
    run(older, "SELECT title FROM sessions")
    run(older, "UPDATE sessions SET title = ''", writes=True)
    with pytest.raises(DatabaseNewer) as caught:
        run(older, "SELECT text FROM prompts")
    assert caught.value.params == {"revision": "9999"}
    if kind != "sqlite":
        run(newer, "DROP SCHEMA public CASCADE", writes=True)
        run(newer, "CREATE SCHEMA public", writes=True)
    for each in (older, newer):
        each.close()


def test_a_file_that_is_removed_or_replaced_is_not_written_to(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, away = tmp_path / "chatapp.db", tmp_path / "away"
    run(database, "UPDATE users SET name = ''", writes=True)
    file.rename(away)
    with caplog.at_level(logging.ERROR):
        for writes in (False, True, False):
            with unusable("gone"):
                run(database, "SELECT 1", writes)
    assert len(caplog.records) == 1 and not file.exists()
    shutil.copyfile(away, file)
    with unusable("gone"):
        run(database, "SELECT 1")
    away.rename(file)
    run(database, "SELECT 1 FROM users")


def test_an_empty_file_is_not_taken_for_a_database(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'chatapp.db'}")
    with unusable("gone"):
        run(database, "SELECT 1 FROM users")
    database.close()


def test_damaged_pages(tmp_path: Path, migrated: Path) -> None:
    file = tmp_path / "chatapp.db"
    shutil.copyfile(migrated, file)
    with closing(sqlite3.connect(file)) as made:
        [root] = made.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'prompts'"
        ).fetchone()
    with open(file, "r+b") as pages:
        pages.seek(4096 * (root - 1))
        pages.write(os.urandom(4096))
    database = open_database(f"sqlite:///{file}")
    run(database, "SELECT 1 FROM users")
    with unusable("damaged"):
        run(database, "SELECT text FROM prompts")
    file.write_bytes(b"no database, but as long as the head of one" * 100)
    other = open_database(f"sqlite:///{file}")
    with unusable("damaged"):
        run(other, "SELECT 1 FROM users")
    for each in (database, other):
        each.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


AS_NOBODY = """
import os, sys
from sqlalchemy import text
from chatapp.errors import DatabaseUnusable
from chatapp.storage.database import open_database

database = open_database(f"sqlite:///{sys.argv[1]}")
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
try:
    database.write(lambda t: t.execute(text("UPDATE users SET name = ''")) and None)
except DatabaseUnusable as fault:
    assert fault.key == "error.database_unusable.unwritable", fault.key
else:
    sys.exit("it was written")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_file_of_another_owner_is_not_written(open_folder: Path, migrated: Path) -> None:
    file = open_folder / "chatapp.db"
    shutil.copyfile(migrated, file)
    file.chmod(0o644)
    with closing(sqlite3.connect(file)) as made:
        made.execute("PRAGMA journal_mode=DELETE")
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(file), str(NOBODY)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
