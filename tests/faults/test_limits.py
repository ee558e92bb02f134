"""Too many readers, above the setting and above the limit of open files (row 45), and bodies that
do not arrive."""

import contextlib
import json
import select
import socket
import time
from pathlib import Path

import pytest

from tests.faults.invariants import check
from tests.faults.reader import Reader, letters
from tests.faults.stage import Stage
from tests.support.service import TOKEN, wait_for

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
    raw = socket.create_connection(("127.0.0.1", stage.service.port), timeout=20)
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
        live = Reader(stage.service, "long", llm_config=stage.config("typewriter-400-8"))
        live.ask(letters(5))
        readers = [opened.enter_context(attach(stage, live.message_id)) for _ in range(STREAMS)]
        wait_for(lambda: streams(stage) == STREAMS, what="as many as the limit allows")
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
        wait_for(lambda: streams(stage) < STREAMS, what="there is room again")
        assert refused.ask().end is not None
        refused.seen.clear()
        check(stage, refused)
        assert live.stop() == 204
        check(stage, live)


def streams(stage: Stage) -> int:
    return sum(int(said["streams"]) for said in stage.inside().values())


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


QUESTION = b'{"question": "slow", "llm_config": {"supplier": "builtin"}}'
FORM = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhalf of'
SLOW = 200


def begin(stage: Stage, path: str, body: bytes, *headers: str) -> socket.socket:
    """Send the head of a POST request and the first bytes of its body."""
    raw = socket.create_connection(("127.0.0.1", stage.service.port), timeout=60)
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {TOKEN}",
        *(headers or ("Content-Type: application/json", "Content-Length: 1000")),
    ]
    raw.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return raw


def response(raw: socket.socket) -> tuple[str, str]:
    """Return the status and the code of the error of a response that ends the connection."""
    received = b""
    while data := raw.recv(65536):
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    return status(head.decode()), json.loads(body)["error"]["code"] if body else ""


def test_half_sent_bodies_leave_places_for_others(tmp_path: Path) -> None:
    """More bodies than places are waited for, for longer than this test takes."""
    with (
        Stage(tmp_path, pulse=False, FAULTS_FILES=str(FILES), CHATAPP_BODY_SECONDS="600") as stage,
        contextlib.ExitStack() as opened,
    ):
        (worker,) = stage.service.workers()
        live = Reader(stage.service, "long", llm_config=stage.config("typewriter-2000-20"))
        live.ask(letters(5))
        paths = ("/chat/stream", "/api/auth/login", "/api/sessions", "/chat")
        slow = [
            opened.enter_context(begin(stage, paths[n % len(paths)], b"{"[: n % 2]))
            for n in range(SLOW)
        ]
        assert stage.service.get("/healthz").status == 200
        assert stage.service.post("/api/sessions", {"title": "another"}).status == 201
        base = stage.service.post("/api/knowledge", {"name": "another"}).json["id"]
        document = tmp_path / "leave.txt"
        document.write_text("27 days of leave.\n" * 20_000)
        assert stage.service.upload(base, document).status == 202
        check(stage, Reader(stage.service, "meanwhile", llm_config=stage.config("echo")).follow())
        refused = [raw for raw in slow if select.select([raw], [], [], 0)[0]]
        assert {response(raw) for raw in refused} == {("408", "request_timeout")}
        assert len(refused) >= SLOW / 2
        assert "Too many open files" not in stage.service.output()
        assert live.stop() == 204
        check(stage, live.follow())
        assert stage.service.workers() == [worker], "the same worker as before"


def test_a_body_that_does_not_arrive_is_refused(tmp_path: Path) -> None:
    with Stage(tmp_path, pulse=False, CHATAPP_BODY_SECONDS="2") as stage:
        base = stage.service.post("/api/knowledge", {"name": "half"}).json["id"]
        upload = f"/api/knowledge/{base}/files"
        form = ("Content-Type: multipart/form-data; boundary=b", "Content-Length: 1000000")
        chunked = ("Content-Type: application/json", "Transfer-Encoding: chunked")
        halves = [
            begin(stage, "/chat/stream", b""),
            begin(stage, "/chat/stream", QUESTION[:20]),
            begin(stage, "/api/auth/login", b'{"name"'),
            begin(stage, upload, FORM, *form),
            begin(stage, upload, b"", *form),
            begin(stage, "/chat", b"10\r\n{", *chunked),
        ]
        dripping = begin(stage, "/chat/stream", b"")
        sent = 0
        while not select.select([dripping], [], [], 0.2)[0]:  # 5 bytes a second
            dripping.sendall(b" ")
            sent += 1
        for raw in (*halves, dripping):
            with raw:
                assert response(raw) == ("408", "request_timeout")
        assert sent < 500
        assert not list((tmp_path / "originals").glob("incoming-*"))
        assert stage.service.get(upload).json["items"] == []


def test_a_body_that_arrives_slowly_is_accepted(tmp_path: Path) -> None:
    """It takes longer than the limit, but never stops."""
    with Stage(tmp_path, pulse=False, CHATAPP_BODY_SECONDS="2") as stage:
        body = QUESTION + b" " * 60_000
        length = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        with begin(stage, "/chat", b"", *length) as raw:
            for at in range(0, len(body), 5000):
                select.select([raw], [], [], 0.3)
                raw.sendall(body[at : at + 5000])
            assert status(raw.recv(65536).decode()) == "200"
