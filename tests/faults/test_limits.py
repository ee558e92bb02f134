"""Too many readers, above the setting and above the limit of open files (row 45)."""

import contextlib
import select
import socket
import time
from pathlib import Path

import pytest

from tests.faults.invariants import check
from tests.faults.reader import Reader, letters
from tests.faults.stage import Stage
from tests.support.service import PATIENCE_SECONDS, TOKEN, wait_for

pytestmark = pytest.mark.server
STREAMS = 20
FILES, MANY = 256, 300


def read_heads(readers: list[socket.socket], seconds: float) -> dict[int, str]:
    """Wait for the status lines and headers of many answers; return them by place."""
    heads: dict[int, str] = {}
    deadline = time.monotonic() + seconds
    waiting = {reader: place for place, reader in enumerate(readers)}
    while waiting and time.monotonic() < deadline:
        ready, _, _ = select.select(list(waiting), [], [], 0.2)
        for reader in ready:
            with contextlib.suppress(OSError):
                heads[waiting[reader]] = reader.recv(4096).decode("utf-8", "replace")
            waiting.pop(reader)
    return heads


def attach(stage: Stage, message_id: str) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", stage.service.port), timeout=PATIENCE_SECONDS)
    raw.sendall(
        f"GET /chat/stream/{message_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    return raw


def status(head: str) -> str:
    return head.split(" ", 2)[1] if head else ""


def test_a_stream_above_the_limit_gets_a_retry_time(tmp_path: Path) -> None:
    """At the limit other requests work; refused streams leave nothing; an end frees a place."""
    with (
        Stage(tmp_path, CHATAPP_MAX_STREAMS=str(STREAMS)) as stage,
        contextlib.ExitStack() as opened,
    ):
        live = Reader(stage.service, "long", llm_config=stage.patient("typewriter-4000-8"))
        live.ask(letters(5))
        wait_for(lambda: held(stage, "readers") == 0, what="its reader's place is free")
        readers = [opened.enter_context(attach(stage, live.message_id)) for _ in range(STREAMS)]
        wait_for(lambda: held(stage, "readers") == STREAMS, what="as many as the limit allows")
        refused = Reader(stage.service, "one more", llm_config=stage.config("echo")).ask()
        back = live.another().resume()
        for reader in (refused, back):
            assert (reader.status, int(reader.headers["Retry-After"]) > 0) == (503, True)
        assert stage.sql("SELECT count(*) FROM messages WHERE content = ?", refused.question) == [
            (0,)
        ]
        refused.began = (
            time.monotonic()
        )  # check() examines /healthz from here: all streams are open
        for _ in range(10):
            assert stage.service.get("/sign-in").status == 200
        readers[0].close()
        wait_for(lambda: held(stage, "streams") < STREAMS, what="there is room again")
        assert refused.ask().end is not None
        refused.seen.clear()
        check(stage, refused)
        assert live.stop() == 204
        check(stage, live)


def held(stage: Stage, what: str) -> int:
    return sum(int(said[what]) for said in stage.inside().values())


def test_readers_above_the_limit_of_open_files_are_refused_and_nothing_breaks(
    tmp_path: Path,
) -> None:
    """Row 45: of 300 readers under a limit of 256 files some stream, others get Retry-After."""
    with (
        Stage(tmp_path, pulse=False, FAULTS_FILES=str(FILES), CHATAPP_IDLE_SECONDS="60") as stage,
        contextlib.ExitStack() as opened,
    ):
        (worker,) = stage.service.workers()
        live = Reader(stage.service, "long", llm_config=stage.config("hang-mid")).ask(letters(5))
        readers = [opened.enter_context(attach(stage, live.message_id)) for _ in range(MANY)]
        heads = read_heads(readers, 15)
        assert len(heads) == MANY, f"{MANY - len(heads)} of {MANY} have no answer"
        assert {status(head) for head in heads.values()} == {"200", "503"}
        assert all(
            "retry-after" in head.lower() for head in heads.values() if status(head) == "503"
        )
        for reader in readers:
            reader.close()
        active = Reader(stage.service, "after it", llm_config=stage.config("echo")).follow()
        check(stage, active)
        assert stage.service.workers() == [worker], "the same worker as before"
        assert live.stop() == 204
        check(stage, live)
