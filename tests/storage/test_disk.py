"""A database on a full or read-only disk: what it raises and logs, and how it recovers."""

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chatapp.errors import DiskFull
from chatapp.storage.database import open_database
from chatapp.storage.disk import Reserve, disk_fault, disk_of
from tests.support.service import PATIENCE_SECONDS
from tests.support.small_disk import MB, NEEDS_MOUNT, fill, small_disk

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_quota_is_a_full_disk(number: int) -> None:
    fault = disk_fault(OSError(number, os.strerror(number)))
    assert isinstance(fault, DiskFull) and fault.key == "error.disk_full"


def test_other_errors_are_told_apart() -> None:
    fault = disk_fault(OSError(errno.EROFS, "read-only"))
    assert fault is not None and fault.key == "error.disk_full.read_only"
    assert disk_fault(OSError(errno.EACCES, "not allowed")) is None


# No file may grow beyond a limit, so the WAL cannot; SQLite only knows of an error of the system.
LIMITED = """
import json, logging, resource, signal, sys, time
if sys.argv[2] == "gevent":
    from chatapp.storage.native_locks import patch_all
    patch_all()
import gevent
from sqlalchemy import text
from chatapp.errors import DiskFull
from chatapp.storage.database import open_database
from chatapp.storage.disk import CHECK_SECONDS

lines = []
class Lines(logging.Handler):
    def emit(self, record):
        lines.append((record.getMessage(), bool(record.exc_info)))
logging.getLogger("chatapp").addHandler(Lines())
database = open_database(f"sqlite:///{sys.argv[1]}/some.db")
create = lambda t: t.execute(text("CREATE TABLE texts (n INTEGER PRIMARY KEY, said TEXT)")) and None
database.write(create)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

def add(n):
    some = text("INSERT INTO texts VALUES (:n, hex(zeroblob(50000)))")
    return lambda t: t.execute(some, {"n": n}).rowcount

def tried(way, n):
    try:
        return way(add(n))
    except DiskFull as full:
        return full.key

found = {"before": tried(database.write, 0)}
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
found["full"] = [tried(database.write, n) for n in range(1, 5)]
batched = lambda fn: database.write_batched(fn, "one")
together = [gevent.spawn(tried, batched, n) for n in range(5, 9)]
gevent.joinall(together)
found["together"] = [each.value for each in together]
database.write_in_background(add(9))
gevent.sleep(0)
found["read"] = database.read(lambda t: t.execute(text("SELECT count(*) FROM texts")).scalar())
found["why"] = database.check_disk().key
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
deadline = time.monotonic() + 60
while database.watch_disk() is not None and time.monotonic() < deadline:
    gevent.sleep(0.05)
found["after"] = tried(database.write, 10)
found["lines"] = lines
database.close()
print(json.dumps(found))
"""


@pytest.mark.parametrize("way", ["gevent", "plain"])
def test_a_disk_without_space_for_the_wal(tmp_path: Path, way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), way],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    full = "error.disk_full"
    assert (found["before"], found["after"]) == (1, 1)
    assert found["full"] == found["together"] == [full] * 4
    assert found["read"] == 1, "nothing of what failed was kept, and reading works"
    assert found["why"] == full
    [(began, traced), (ended, _)] = found["lines"]
    assert began.endswith("is full") and ended.endswith("can be written to again")
    assert not traced and done.stderr == ""


@NEEDS_MOUNT
def test_a_read_only_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as folder:
        database = open_database(f"sqlite:///{folder}/some.db")
        database.write(lambda t: t.execute(text("CREATE TABLE numbers (n)")) and None)
        database.close()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        again = open_database(f"sqlite:///{folder}/some.db")
        with pytest.raises(DiskFull) as refused:
            again.write(lambda t: t.execute(text("INSERT INTO numbers VALUES (1)")) and None)
        assert refused.value.detail == "read_only"
        with pytest.raises(DiskFull):
            again.write_deletion(lambda t: t.execute(text("DELETE FROM numbers")) and None)
        again.close()


@NEEDS_MOUNT
def test_a_disk_with_the_number_of_a_former_one_is_another(tmp_path: Path) -> None:
    with small_disk(tmp_path / "former", 8) as folder:
        former = disk_of(folder)
        fill(folder)
        assert former.check() is not None
    with small_disk(tmp_path / "disk", 8) as folder:
        other = disk_of(folder)
        assert other is not former and other.fault is None
        assert disk_of(folder / "below") is other
        fill(folder)
        assert other.check() is not None


@NEEDS_MOUNT
def test_deletions_are_written_in_the_reserve_and_leave_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as folder:
        database = open_database(f"sqlite:///{folder}/some.db")
        database.fill_reserve()
        reserve = folder / "some.db-reserve"
        size = reserve.stat().st_size
        assert size >= MB // 4
        database.write(lambda t: t.execute(text("CREATE TABLE texts (n, said)")) and None)
        some = text("INSERT INTO texts VALUES (:n, hex(zeroblob(500)))")
        database.write(lambda t: t.execute(some, [{"n": n} for n in range(1000)]) and None)
        fill(folder)
        with pytest.raises(DiskFull):
            database.write(lambda t: t.execute(some, [{"n": n} for n in range(9000)]) and None)
        for n in range(0, 1000, 100):
            gone = text(f"DELETE FROM texts WHERE n BETWEEN {n} AND {n + 98}")
            database.write_deletion(lambda t, gone=gone: t.execute(gone) and None)  # type: ignore[misc]
            assert reserve.stat().st_size == size
            fill(folder)
        left = database.read(lambda t: t.execute(text("SELECT count(*) FROM texts")).scalar())
        assert left == 10
        database.close()


@NEEDS_MOUNT
def test_a_reserve_takes_what_there_is(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 40) as folder:
        reserve = Reserve(folder / "reserve")
        (folder / "other").write_bytes(b"x" * 39 * MB)
        assert not reserve.fill()
        assert 0 < (folder / "reserve").stat().st_size < 2 * MB
        (folder / "other").unlink()
        assert reserve.fill()
        assert (folder / "reserve").stat().st_size == 2 * MB
        fill(folder)
        with reserve.released():
            (folder / "another").write_bytes(b"x" * MB)
        assert not reserve.fill(), "the space was used meanwhile"


@NEEDS_MOUNT
def test_a_disk_is_full_while_another_process_uses_the_reserve(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 40) as folder, ThreadPoolExecutor(1) as pool:
        database = open_database(f"sqlite:///{folder}/some.db")
        database.fill_reserve()
        fill(folder)
        with Reserve(folder / "some.db-reserve").released():
            found = pool.submit(database.check_disk)
            assert wait([found], 0.5).not_done, "it waits until the reserve is filled again"
        fault = found.result(PATIENCE_SECONDS)
        assert fault is not None and fault.code == "disk_full"
        database.close()
