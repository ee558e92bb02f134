"""Shutdown of workers, and clocks (rows 31, 33 and 44); rows 32 and 34 are in kills.py.

/healthz is not polled here: while the new workers load, requests wait.
"""

import ast
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.invariants import check
from tests.faults.reader import Reader, letters
from tests.faults.stage import DRAIN_SECONDS, Stage
from tests.support.service import PATIENCE_SECONDS, ROOT, wait_for

pytestmark = pytest.mark.server
SHORT, LONG = "numbered-60-30", "numbered-4000-30"  # two seconds, and more than the drain time
HANDLED = 40  # requests after which a worker shuts down
WALL_CLOCK = ("time.time", "datetime.now", "datetime.utcnow", "now")
TIMED = (
    "chains",
    "core",
    "chat/runs",
    "web/chat.py",
    "web/bodies.py",
    "web/connection.py",
    "storage/database.py",
    "storage/threads.py",
)
MAY_READ_THE_CLOCK = {"chat/runs/stops.py": "the age of an unclaimed file"}


def shut_down(stage: Stage, how: str) -> None:
    """Shut the workers down and wait for the new ones."""
    assert stage.service.process is not None
    before = set(stage.service.workers())
    if how == "31-sigterm":
        stage.service.process.send_signal(signal.SIGTERM)
        assert stage.service.process.wait(PATIENCE_SECONDS) == 0
        stage.service.process = None
        stage.service.start()
        return
    if how == "33-sighup":
        stage.service.process.send_signal(signal.SIGHUP)
    else:
        for _ in range(HANDLED * stage.workers * 2):
            stage.service.get("/healthz")
    wait_for(
        lambda: not before & set(stage.service.workers()),
        what="the old workers have ended",
    )
    wait_for(lambda: len(stage.service.workers()) == stage.workers, what="the new ones are here")


@pytest.mark.parametrize("how", ["33-sighup", "31-sigterm"])
def test_a_shutdown_ends_streams_in_order(stage: Stage, how: str) -> None:
    leaves_in_order(stage, how)


def test_a_worker_with_max_requests_ends_its_streams_in_order(tmp_path: Path) -> None:
    arguments = ("--max-requests", str(HANDLED))
    with Stage(
        tmp_path, pulse=False, arguments=arguments, FAULTS_DRAIN_SECONDS=str(DRAIN_SECONDS)
    ) as stage:
        leaves_in_order(stage, "33-max-requests")


def leaves_in_order(stage: Stage, how: str) -> None:
    """Short answers complete, long ones are saved as interrupted; all readers get the end."""
    with ThreadPoolExecutor(8) as pool:
        asked = [
            Reader(stage.service, how, llm_config=stage.config(name))
            for name in (SHORT, SHORT, LONG, LONG)
        ]
        work: list[Future[Reader]] = [pool.submit(reader.follow) for reader in asked]
        wait_for(lambda: all(letters(20)(reader) for reader in asked), what="all are being written")
        left = Reader(stage.service, how, llm_config=stage.config(LONG)).ask(letters(20))
        with stage.unwatched():  # requests wait while the new workers load
            shut_down(stage, how)
        for future in work:
            future.result(PATIENCE_SECONDS)
    states = [check(stage, reader)["status"] for reader in (*asked, left)]
    assert states == ["complete", "complete", "interrupted", "interrupted", "interrupted"]
    for reader in (*asked[2:], left):
        assert reader.end is not None and reader.end["code"] == "interrupted"
        (request,) = stage.requests(reader.question)
        assert request.closed_at is not None
        numbers = [int(number) for number in reader.text.split()]
        assert numbers == list(range(len(numbers)))
        assert len(request.sent) - len(numbers) <= 3, (
            "all received text is saved, except the last pieces in transit"
        )
    assert Reader(stage.service, "after", llm_config=stage.config("echo")).follow().end is not None


def test_a_reader_gets_an_end_if_the_kill_came_before_the_first_save(stage: Stage) -> None:
    """In its first 200 ms only the start of an answer is in the database."""
    with stage.unwatched():
        readers = [
            Reader(stage.service, "at once", llm_config=stage.config("hang-before-headers"))
            for _ in range(8)
        ]
        with ThreadPoolExecutor(len(readers)) as pool:
            list(pool.map(lambda reader: reader.ask(lambda each: "context" in each.kinds), readers))
            stage.kill_all()
        stage.service.start()
        for reader in readers:
            assert check(stage, reader.follow())["status"] == "interrupted"


def test_waits_are_measured_by_a_clock_that_cannot_jump() -> None:
    """Row 44: no wait, limit or order uses the wall clock."""
    package = ROOT / "chatapp"
    files = [
        file
        for part in TIMED
        for file in (
            [package / part] if part.endswith(".py") else sorted((package / part).rglob("*.py"))
        )
    ]
    assert len(files) > 20
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = file.relative_to(package).as_posix()
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in WALL_CLOCK
                and name not in MAY_READ_THE_CLOCK
            ):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert not found
