"""A backup is restored whole, into a home without data and without a running service, or not."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatapp.backups import archive as archives
from chatapp.backups.archive import Manifest, Writer, extract, verify
from chatapp.backups.create import PART as BACKUP_PART
from chatapp.backups.faults import BackupFault
from chatapp.backups.restore import restore
from chatapp.home import try_lock
from chatapp.settings import Settings
from tests.support.backups import backup_of, commanded, findings
from tests.support.small_disk import NEEDS_MOUNT, fill, small_disk

Source = tuple[Settings, list[Path]]
NOBODY = 65534


@pytest.fixture
def archive(source: Source, folder: Path) -> Path:
    return backup_of(source[0], folder).path


def refused(target: Settings, archive: Path, *, replace: bool = False) -> BackupFault:
    with pytest.raises(BackupFault) as raised:
        restore(target, archive, replace=replace)
    return raised.value


def contents_of(home: Path) -> dict[str, bytes]:
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name not in ("lock", "migrate.lock")
    }


def rows(settings: Settings, table: str) -> list[tuple[object, ...]]:
    assert settings.sqlite_file is not None
    with closing(sqlite3.connect(settings.sqlite_file)) as connection:
        return sorted(connection.execute(f"SELECT * FROM {table}"))  # noqa: S608


def test_an_empty_machine_has_everything_again(
    source: Source, archive: Path, target: Settings
) -> None:
    settings, files = source
    assert commanded(target.home, "restore", str(archive)).returncode == 0
    for path in (*files, settings.home / "secret.key"):
        restored = target.home / path.relative_to(settings.home)
        assert restored.read_bytes() == path.read_bytes()
        assert restored.stat().st_mode & 0o077 == 0
    for table in ("users", "files", "images"):
        assert rows(target, table) == rows(settings, table)
    assert target.sqlite_file is not None
    with closing(sqlite3.connect(target.sqlite_file)) as connection:
        assert {row[0] for row in connection.execute("SELECT indexed FROM knowledge_bases")} == {-1}
    assert "fail" not in findings(target.home, CHATAPP_BIND="127.0.0.1:1").values()
    assert not (target.home / "restore-part").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_restores_belongs_to_the_owner_of_the_home(
    archive: Path, target: Settings
) -> None:
    target.home.mkdir(exist_ok=True)
    os.chown(target.home, NOBODY, NOBODY)
    assert commanded(target.home, "restore", str(archive)).returncode == 0
    owners = {path.relative_to(target.home): path.stat().st_uid for path in target.home.rglob("*")}
    assert set(owners.values()) == {NOBODY}, owners


def test_a_home_with_data_is_kept_unless_it_is_to_be_replaced(
    source: Source, archive: Path
) -> None:
    settings, files = source
    files[0].unlink()
    before = contents_of(settings.home)
    assert refused(settings, archive).key == "home_used"
    assert contents_of(settings.home) == before
    _, aside = restore(settings, archive, replace=True)
    assert files[0].exists()
    assert aside is not None
    assert (aside / "chatapp.db").exists()
    assert (aside / files[1].relative_to(settings.home)).exists()


def test_a_running_service_is_not_restored_over(
    archive: Path, source: Source, target: Settings
) -> None:
    target.home.mkdir()
    with try_lock(target.home / "lock", 1) or pytest.fail("locked"):
        assert refused(target, archive).key == "service_runs"
    restore(target, archive, replace=False)
    assert target.sqlite_file is not None
    with closing(sqlite3.connect(target.sqlite_file)) as connection:  # a web server alone
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("SELECT count(*) FROM users").fetchone()
        assert refused(target, archive, replace=True).key == "service_runs"


def test_a_damaged_archive_changes_nothing(archive: Path, target: Settings) -> None:
    data = bytearray(archive.read_bytes())
    data[data.index(b"document 1 ") + 40] ^= 1
    archive.write_bytes(data)
    fault = refused(target, archive)
    assert fault.key == "damaged"
    assert str(fault.params["parts"]).startswith("originals/")
    assert not target.home.exists()


def test_an_archive_of_a_newer_version_is_refused(
    archive: Path, target: Settings, tmp_path: Path
) -> None:
    extract(archive, verify(archive), tmp_path / "out")
    newer = tmp_path / "newer.tar"
    with open(newer, "wb") as file, open(tmp_path / "out" / "chatapp.db", "rb") as database:
        writer = Writer(file, "99")
        writer.add("chatapp.db", database)
        writer.seal(Manifest("sqlite", "9999", "2030-01-01"))
    assert refused(target, newer).key == "newer"
    assert not target.home.exists()


def test_a_database_of_another_kind_is_refused(archive: Path, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "other", database_url="postgresql+psycopg://nobody@/none")
    assert refused(other, archive).key == "for_sqlite"


@NEEDS_MOUNT
def test_a_full_disk_changes_nothing(archive: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 1) as disk:
        filler = fill(disk)
        filler.write_bytes(filler.read_bytes()[: 800 * 1024])
        assert refused(Settings(home=disk), archive).key == "disk_small"
        assert [path.name for path in disk.iterdir() if path.name != "lock"] == ["filler"]


def test_an_interrupted_restore_may_be_repeated(archive: Path, target: Settings) -> None:
    left = target.home / "restore-part"
    left.mkdir(parents=True)
    (left / "chatapp.db").write_bytes(b"a part")
    restore(target, archive, replace=False)
    assert not left.exists()
    assert archives.verify(archive)
    assert not list(archive.parent.glob(f"{BACKUP_PART}*"))
