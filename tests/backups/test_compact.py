"""`compact` deletes what nothing needs, keeps everything else, and shrinks the database."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.backups.compact import compact
from chatapp.home import try_lock
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.migrate import migrate
from chatapp.storage.models import Message, User, new_id
from chatapp.storage.models import Session as Chat
from tests.support.backups import backup_of, commanded, original
from tests.support.small_disk import NEEDS_MOUNT, fill, small_disk

Source = tuple[Settings, list[Path]]
WEEKS = 30 * 24 * 3600
TEXT = "High water at noon. " * 100_000  # 2 MB


def age(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (time.time() - WEEKS,) * 2)


@contextmanager
def running(home: Path) -> Iterator[None]:
    lock = try_lock(home / "lock", 1)
    assert lock is not None
    with lock:
        yield


@pytest.fixture
def grown(source: Source) -> Settings:
    """A database of which much was deleted."""
    settings, _ = source
    assert settings.sqlite_file is not None
    with closing(sqlite3.connect(settings.sqlite_file)) as connection:
        connection.execute("CREATE TABLE filler (content BLOB)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(3000000))")
        connection.execute("DROP TABLE filler")
        connection.commit()
    return settings


def test_only_old_files_without_a_row_are_deleted(source: Source) -> None:
    settings, files = source
    orphan, fresh = original(settings, b"nobody's"), original(settings, b"just uploaded")
    picture = settings.home / "images" / "ab" / "abcdefab-0000-0000-0000-000000000000"
    picture.parent.mkdir()
    picture.write_bytes(b"nobody's")
    unfinished = settings.home / "originals" / "incoming-1"
    unfinished.write_bytes(b"a part")
    age(orphan, picture, unfinished, *files)
    assert compact(settings).removed == 3
    assert not any(path.exists() for path in (orphan, picture, unfinished))
    assert fresh.exists()
    assert all(path.exists() for path in files)


def test_old_copies_are_deleted_and_backups_kept(source: Source) -> None:
    settings, _ = source
    made = backup_of(settings, settings.home / "backups").path
    copies = [settings.home / "backups" / f"chatapp-before-000{n}.db" for n in (1, 2, 3)]
    replaced = [settings.home / "backups" / name for name in ("replaced-old", "replaced-new")]
    for folder in replaced:
        folder.mkdir()
    for path in copies:
        path.write_bytes(bytes(1000))
    age(copies[0], copies[1], replaced[0], made)
    result = compact(settings)
    assert [path.exists() for path in copies] == [False, False, True]
    assert [path.exists() for path in replaced] == [False, True]
    assert made.exists()
    assert (result.before["copies"], result.after["copies"]) == (3000, 1000)


def test_the_database_shrinks_once_the_service_is_stopped(grown: Settings) -> None:
    with running(grown.home):
        result = compact(grown)
    assert result.held > 2_000_000
    assert result.after["database"] >= result.before["database"]
    result = compact(grown)
    assert result.held == 0
    assert result.after["database"] < result.before["database"] - 2_000_000
    assert commanded(grown.home, "doctor").returncode == 0


def test_the_command_shows_a_table(grown: Settings) -> None:
    done = commanded(grown.home, "compact")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["PLACE", "BEFORE", "AFTER"]
    assert done.stdout.count(" MB") >= 6


@NEEDS_MOUNT
def test_on_a_full_disk_it_deletes_all_the_same(tmp_path: Path) -> None:
    with small_disk(tmp_path / "home", 16) as home:
        settings = Settings(home=home)
        migrate(settings)
        orphan = original(settings, b"nobody's")
        age(orphan)
        database = open_database(settings.sql_url)
        database.write(_add_older_answer)
        database.close()
        with closing(sqlite3.connect(home / "chatapp.db")) as service:
            service.execute("SELECT count(*) FROM users").fetchone()  # keeps SQLite's files
            filler = fill(home)
            assert compact(settings).removed == 1
        assert not orphan.exists()
        filler.unlink()
        compact(settings)
        database = open_database(settings.sql_url)
        [row] = database.read(lambda t: t.scalars(select(Message)).all())
        database.close()
        assert (row.sources, row.passages) == ([{"text": ""}], {"0": TEXT})


def _add_older_answer(t: Session) -> None:
    ids = {"user_id": new_id(), "session_id": new_id()}
    t.add(User(id=ids["user_id"], name="Ada"))
    t.flush()
    t.add(Chat(id=ids["session_id"], user_id=ids["user_id"]))
    t.flush()
    t.add(Message(role="assistant", sources=[{"text": TEXT}], **ids))
