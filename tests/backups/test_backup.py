"""Backups are whole or not there; older ones stay until a newer one is."""

import random
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete

from chatapp.backups import create
from chatapp.backups.archive import verify
from chatapp.backups.create import backups
from chatapp.backups.faults import BackupFault
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.models import File
from tests.support.backups import backup_of, commanded, original
from tests.support.service import wait_for
from tests.support.small_disk import NEEDS_MOUNT, small_disk
from tests.support.terminal import start

Source = tuple[Settings, list[Path]]
KILLS = 8
SEED = 3


def keys_of(settings: Settings, folder: Path) -> str:
    with pytest.raises(BackupFault) as raised:
        backup_of(settings, folder)
    return raised.value.key


def test_a_backup_has_all_files_and_is_private(source: Source, folder: Path) -> None:
    settings, files = source
    made = backup_of(settings, folder)
    names = {path.relative_to(settings.home).as_posix() for path in files}
    assert names | {"secret.key", "chatapp.db"} == made.manifest.members.keys()
    assert made.manifest.missing == []
    assert verify(made.path) == made.manifest
    assert [path.name for path in folder.iterdir()] == [made.path.name]


def test_the_command_is_private_and_reports_what_it_did(source: Source, folder: Path) -> None:
    settings, _ = source
    target = folder / "new"
    done = commanded(settings.home, "backup", str(target), "--keep", "1")
    assert done.returncode == 0, done.stderr
    [path] = backups(target)
    assert str(path) in done.stdout
    assert path.stat().st_mode & 0o077 == target.stat().st_mode & 0o077 == 0
    checked = commanded(settings.home, "backup", "--verify", str(path))
    assert checked.returncode == 0
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    refused = commanded(settings.home, "backup", "--verify", str(path), "--json")
    assert refused.returncode == 1
    assert '"backup_damaged"' in refused.stdout


def test_the_newest_are_kept(source: Source, folder: Path) -> None:
    settings, _ = source
    (folder / "other.tar").write_bytes(b"not ours")
    made = [backup_of(settings, folder).path for _ in range(3)]
    last = backup_of(settings, folder, keep=2)
    assert backups(folder) == [made[2], last.path]
    assert last.removed == (made[0].name, made[1].name)
    assert (folder / "other.tar").exists()


def test_lost_and_damaged_documents_are_named(source: Source, folder: Path) -> None:
    settings, files = source
    files[0].unlink()
    files[1].write_bytes(b"overwritten")
    manifest = backup_of(settings, folder).manifest
    names = [path.relative_to(settings.home).as_posix() for path in files[:2]]
    assert manifest.missing == sorted(names)
    assert names[0] not in manifest.members


def test_a_file_that_is_deleted_meanwhile_is_not_missed(
    source: Source, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is copied first; a deletion may come between it and the files."""
    settings, files = source
    take = create.snapshot.take
    taken = []

    def then_delete(*args: object) -> object:
        found = take(*args)  # type: ignore[arg-type]
        if not taken:
            database = open_database(settings.sql_url)
            database.write(lambda t: t.execute(delete(File).where(File.sha256 == files[0].name)))
            database.close()
            files[0].unlink()
        taken.append(found)
        return found

    monkeypatch.setattr(create.snapshot, "take", then_delete)
    manifest = backup_of(settings, folder).manifest
    assert len(taken) == 2
    assert manifest.missing == []
    assert f"originals/{files[0].name[:2]}/{files[0].name}" not in manifest.members


def test_a_damaged_database_makes_no_backup(source: Source, folder: Path) -> None:
    settings, _ = source
    old = backup_of(settings, folder).path
    assert settings.sqlite_file is not None
    with closing(sqlite3.connect(settings.sqlite_file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name='files'")
        [size] = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(settings.sqlite_file.read_bytes())
    data[(root[0] - 1) * size : root[0] * size] = b"\xff" * size
    settings.sqlite_file.write_bytes(data)
    assert keys_of(settings, folder) == "database_damaged"
    assert backups(folder) == [old]


def test_two_at_once_are_refused(source: Source, folder: Path) -> None:
    settings, _ = source
    with create._locked(folder):
        assert keys_of(settings, folder) == "running"
    backup_of(settings, folder)


def test_a_home_without_a_database_is_refused(folder: Path, tmp_path: Path) -> None:
    done = commanded(tmp_path / "nowhere", "backup", str(folder))
    assert done.returncode == 1
    assert done.stderr == "The service has never been started. Start it first: make run\n"
    assert not any(folder.iterdir())


def test_killed_at_random_moments_older_ones_stay_whole(source: Source, folder: Path) -> None:
    settings, _ = source
    for n in range(40):  # so that there is time to be killed in
        original(settings, bytes([n]) * 300_000)
    first = backup_of(settings, folder).path
    chosen = random.Random(SEED)
    env = {"CHATAPP_HOME": str(settings.home), "CHATAPP_ENV_FILE": "/dev/null"}
    for _ in range(KILLS):
        size = chosen.randrange(600_000)
        process = start(env, "backup", str(folder))
        wait_for(partial(has_written, process, folder, size), what="the backup is being written")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert first in backups(folder)
        for path in backups(folder):
            verify(path)
    backup_of(settings, folder, keep=1)
    assert len(list(folder.iterdir())) == 1  # nothing is left of those that were killed


def has_written(process: "subprocess.Popen[str]", folder: Path, size: int) -> bool:
    parts = folder.glob(".part-*/*")
    return process.poll() is not None or sum(map(size_now, parts)) >= size


def size_now(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@pytest.fixture
def small(folder: Path) -> Iterator[Path]:
    with small_disk(folder / "disk", 80) as disk:
        yield disk


@NEEDS_MOUNT
def test_a_full_disk_leaves_the_older_ones(
    source: Source, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = source
    old = backup_of(settings, small).path
    filler = small / "filler"
    filler.write_bytes(bytes(70 * 1024 * 1024))
    assert keys_of(settings, small) == "disk_small"
    monkeypatch.setattr(create, "_require_space", lambda *_: None)  # as if others filled it
    for left in (100_000, 300_000, 500_000, 700_000):  # in the database, in the archive
        filler.write_bytes(bytes(80 * 1024 * 1024 - old.stat().st_size - left))
        assert keys_of(settings, small) == "disk_full", left
        assert [path.name for path in small.iterdir() if path != filler] == [old.name]
        verify(old)
    filler.unlink()
    backup_of(settings, small)
