"""A file whose reader ends early: it is blamed only for what it does itself."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chatapp.knowledge.ingest.pipeline import MAX_ATTEMPTS
from tests.support import documents
from tests.support.service import PATIENCE_SECONDS, wait_for
from tests.support.shelf import Shelf
from tests.support.worker import worker

ROWS, EMPTY_ROWS = 12_000, 200_000


@pytest.fixture(scope="module")
def large() -> bytes:
    """A workbook that takes some seconds to read, and not many more to embed."""
    row = b"<row>" + b"<c><v>12345.678</v></c>" * 10 + b"</row>"
    empty = b"<row>" + b"<c/>" * 10 + b"</row>"
    return documents.sheet_of([row * ROWS, empty * EMPTY_ROWS])


def parser(process: subprocess.Popen[bytes]) -> int | None:
    """Return the parser that a worker waits for, once it runs its own program."""
    with suppress(OSError):
        for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            if b"ingest.parse" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    return None


def cpu_seconds(pid: int) -> float:
    with suppress(OSError):
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def starts(shelf: Shelf, process: subprocess.Popen[bytes]) -> bool:
    return parser(process) is not None


def reads(shelf: Shelf, process: subprocess.Popen[bytes]) -> bool:
    pid = parser(process)
    return pid is not None and cpu_seconds(pid) > 0.4


def indexes(shelf: Shelf, process: subprocess.Popen[bytes]) -> bool:
    return shelf.count("chunks") > 0


def file(shelf: Shelf, row: dict[str, Any]) -> dict[str, Any]:
    return shelf.knowledge.file(shelf.user, shelf.base, row["id"])


def end_each_parser(shelf: Shelf, row: dict[str, Any], number: int, most: int = 100) -> int:
    """Send each parser of a file a signal until the file is ready or failed; return how many."""
    ended: set[int] = set()
    with worker(shelf.settings.home) as process:
        while file(shelf, row)["status"] not in ("ready", "failed"):
            pid = parser(process)
            if pid is not None and pid not in ended and len(ended) < most:
                ended.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(0.002)
    return len(ended)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGTERM, starts),
        (signal.SIGTERM, reads),
        (signal.SIGTERM, indexes),
        (signal.SIGINT, reads),
        (signal.SIGHUP, reads),
        (signal.SIGQUIT, reads),
    ],
)
def test_a_stop_of_the_group_puts_the_file_back(
    shelf: Shelf, large: bytes, number: int, moment: Callable[..., bool]
) -> None:
    row = shelf.put("large.xlsx", large)
    with worker(shelf.settings.home) as process:
        wait_for(lambda: moment(shelf, process))
        os.killpg(process.pid, number)
        assert process.wait(PATIENCE_SECONDS) == 0
    left = file(shelf, row)
    assert (left["status"], left["error"]) == ("queued", None)
    assert shelf.count("files WHERE attempts = 0") == 1, "it does not count as an attempt"


def test_a_stop_of_every_process_puts_the_file_back(shelf: Shelf, large: bytes) -> None:
    """As systemd stops a service: the parser may get the signal first."""
    row = shelf.put("large.xlsx", large)
    with worker(shelf.settings.home) as process:
        wait_for(lambda: reads(shelf, process))
        pid = parser(process)
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: parser(process) is None)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert file(shelf, row)["status"] == "queued"
    assert shelf.count("files WHERE attempts = 0") == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_parser_that_is_killed_now_and_then_is_started_again(shelf: Shelf, number: int) -> None:
    row = shelf.put("a.txt", "The leave of employees.")
    assert end_each_parser(shelf, row, number, MAX_ATTEMPTS - 1) == MAX_ATTEMPTS - 1
    assert file(shelf, row)["status"] == "ready"


def test_a_parser_that_is_always_killed_is_not_started_for_ever(shelf: Shelf) -> None:
    row = shelf.put("a.txt", "The leave of employees.")
    assert end_each_parser(shelf, row, signal.SIGKILL) == MAX_ATTEMPTS
    failed = file(shelf, row)
    assert (failed["status"], failed["error"]["key"]) == ("failed", "error.unreadable_file.ended")
    assert failed["error"]["retryable"]
    shelf.knowledge.retry_file(shelf.user, shelf.base, row["id"])
    assert shelf.work() == ["ready"]


def test_a_file_that_crashes_its_parser_twice_is_damaged(shelf: Shelf) -> None:
    once, twice = shelf.put("once.txt", "Leave."), shelf.put("twice.txt", "Keys.")
    assert end_each_parser(shelf, once, signal.SIGSEGV, 1) == 1
    assert file(shelf, once)["status"] == "ready"
    assert end_each_parser(shelf, twice, signal.SIGSEGV) == 2
    assert file(shelf, twice)["error"]["key"] == "error.unreadable_file"


def test_a_killed_worker_takes_its_parser_along(shelf: Shelf, large: bytes) -> None:
    row = shelf.put("large.xlsx", large)
    with worker(shelf.settings.home) as process:
        wait_for(lambda: reads(shelf, process))
        pid = parser(process)
        process.kill()
        process.wait()
        wait_for(lambda: not Path(f"/proc/{pid}").exists())
    with worker(shelf.settings.home):
        wait_for(lambda: file(shelf, row)["status"] == "ready")
