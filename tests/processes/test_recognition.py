"""Text recognition with the real worker, the real process and the real models."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chatapp.home import RECOGNITION_FOLDER
from chatapp.knowledge.recognition.sandboxed import (
    MEMORY_BYTES,
    RecogniserEnded,
    RecogniserProcess,
)
from tests.support.pictures import needs_chinese, needs_models, page, saved, scan
from tests.support.service import wait_for
from tests.support.shelf import Shelf
from tests.support.worker import worker

pytestmark = needs_models

FIRST, SECOND = "Employees get fifteen days of leave.", "Keys are kept at the desk."
THIRD = "Travel is booked by the office."
CHINESE = "每位员工每年享有十五天带薪年假。"


def file(shelf: Shelf, row: dict[str, Any]) -> dict[str, Any]:
    return shelf.knowledge.file(shelf.user, shelf.base, row["id"])


def ended(shelf: Shelf, row: dict[str, Any]) -> dict[str, Any] | None:
    found = file(shelf, row)
    return found if found["status"] in ("ready", "failed") else None


def recogniser(process: subprocess.Popen[bytes]) -> int | None:
    """Return the process that recognises text for a worker."""
    with suppress(OSError):
        for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            if b"recognition.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    return None


@needs_chinese
def test_pictures_and_scans_are_found_by_their_words(shelf: Shelf) -> None:
    picture = shelf.put("照片.png", saved(page([CHINESE]), "PNG"))
    pages = shelf.put("scan.pdf", scan([FIRST], [SECOND]))
    with worker(shelf.settings.home):
        for row in (picture, pages):
            assert wait_for(lambda row=row: ended(shelf, row))["status"] == "ready"
    assert [found.text for found in shelf.search("年假")] == [CHINESE]
    assert [(found.text, found.page) for found in shelf.search("keys")] == [(SECOND, 2)]
    assert file(shelf, pages)["media_type"] == "application/pdf"
    assert file(shelf, picture)["media_type"] == "image/png"


def test_a_killed_worker_goes_on_at_its_page(shelf: Shelf) -> None:
    row = shelf.put("scan.pdf", scan([FIRST], [SECOND], [THIRD]))
    with worker(shelf.settings.home) as process:
        wait_for(lambda: file(shelf, row)["recognised"] >= 1)
        child = recogniser(process)
        process.kill()
        process.wait()
        wait_for(lambda: child is None or not Path(f"/proc/{child}").exists())
    assert shelf.search("leave"), "the first page is found already"
    with worker(shelf.settings.home):
        assert wait_for(lambda: ended(shelf, row))["status"] == "ready"
    assert (file(shelf, row)["chunks"], file(shelf, row)["skipped"]) == (3, 0)


def test_a_recogniser_that_is_killed_now_and_then_is_started_again(shelf: Shelf) -> None:
    row = shelf.put("scan.pdf", scan([FIRST], [SECOND]))
    killed: set[int] = set()
    with worker(shelf.settings.home) as process:
        while (last := ended(shelf, row)) is None:
            pid = recogniser(process)
            if pid is not None and pid not in killed and len(killed) < 2:
                killed.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    assert len(killed) == 2
    assert (last["status"], last["chunks"], last["skipped"]) == ("ready", 2, 0)


def test_switched_off_it_refuses_scans_and_pictures(shelf: Shelf) -> None:
    row = shelf.put("scan.pdf", scan([FIRST]))
    with worker(shelf.settings.home, CHATAPP_OCR="off"):
        failed = wait_for(lambda: ended(shelf, row))
    assert failed["error"]["key"] == "error.unreadable_file.recognition_off"


# --- the process


def test_a_process_answers_for_one_page_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(scan([FIRST], [SECOND]))
    process = RecogniserProcess(RECOGNITION_FOLDER, 50)
    try:
        read = process.read(path, 2, lambda: None)
        assert read["text"] == SECOND and read["turned"] == 0
        assert [line[:2] for line in read["lines"]] == [[0, len(SECOND)]]
        assert process.read(path, 1, lambda: None)["text"] == FIRST
    finally:
        process.close()


def test_damaged_files_and_pages_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    process = RecogniserProcess(RECOGNITION_FOLDER, 100)
    try:
        for data, why in ((b"nothing", "damaged"), (saved(page([FIRST]), "PNG")[:900], "damaged")):
            path.write_bytes(data)
            assert process.read(path, 1, lambda: None) == {"unreadable": why}
            process.close()
        path.write_bytes(scan([FIRST]))
        assert process.read(path, 7, lambda: None) == {"unreadable": "damaged"}
    finally:
        process.close()


def test_a_page_that_takes_too_long_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatapp.knowledge.recognition.sandboxed.PAGE_CPU_SECONDS", 0.05)
    path = tmp_path / "scan"
    path.write_bytes(scan([FIRST]))
    process = RecogniserProcess(RECOGNITION_FOLDER, 100)
    with pytest.raises(RecogniserEnded) as caught:
        process.read(path, 1, lambda: None)
    assert caught.value.by == "limit"


def test_a_process_without_memory_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = MEMORY_BYTES // 4
    monkeypatch.setattr("chatapp.knowledge.recognition.sandboxed.MEMORY_BYTES", few)
    path = tmp_path / "scan"
    path.write_bytes(scan([FIRST]))
    process = RecogniserProcess(RECOGNITION_FOLDER, 100)
    try:
        assert process.read(path, 1, lambda: None) == {"unreadable": "limits"}
    except RecogniserEnded as caught:
        assert caught.by == "limit"
    finally:
        process.close()


def test_a_process_does_not_outlive_what_it_was_started_for(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def enough() -> None:
        raise Enough

    path = tmp_path / "scan"
    path.write_bytes(scan([FIRST]))
    process = RecogniserProcess(RECOGNITION_FOLDER, 100)
    with pytest.raises(Enough):
        process.read(path, 1, enough)
    found = ["pgrep", "-P", str(os.getpid()), "-f", "recognition.process"]
    assert subprocess.run(found, capture_output=True, check=False).stdout == b""
