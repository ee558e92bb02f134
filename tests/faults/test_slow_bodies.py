"""Bodies of requests that arrive slowly, or not at all, and too many of them."""

import contextlib
import http.client
import json
import resource
import select
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.invariants import check
from tests.faults.reader import Reader, letters
from tests.faults.stage import Stage
from tests.support.service import PATIENCE_SECONDS, TOKEN, Service

pytestmark = pytest.mark.server
QUESTION = b'{"question": "slow", "llm_config": {"supplier": "builtin"}}'
FORM = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhalf of'
PATHS = ("/chat/stream", "/api/auth/login", "/api/sessions", "/chat")
FEW_FILES = 256
SOMEBODY_ELSE = "127.0.0.2"


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage that waits four seconds for the next part of a body."""
    home = tmp_path_factory.mktemp("home")
    with Stage(home, pulse=False, CHATAPP_BODY_SECONDS="4") as stage:
        yield stage


def begin(
    stage: Stage, path: str, body: bytes, *headers: str, source: str = "127.0.0.1"
) -> socket.socket:
    """Send the head of a POST request and the first bytes of its body."""
    address = ("127.0.0.1", stage.service.port)
    raw = socket.create_connection(address, timeout=PATIENCE_SECONDS, source_address=(source, 0))
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
    assert b"Connection: close" in head
    return status(head.decode()), json.loads(body)["error"]["code"] if body else ""


def status(head: str) -> str:
    return head.split(" ", 2)[1] if head else ""


def refusals(slow: list[socket.socket]) -> Counter[tuple[str, str]]:
    """Return the refusals that have arrived."""
    waiting = select.poll()
    for raw in slow:
        waiting.register(raw, select.POLLIN)
    ready = {number for number, _ in waiting.poll(0)}
    return Counter(response(raw) for raw in slow if raw.fileno() in ready)


class Elsewhere(Service):
    """The same service, asked from another address."""

    @contextlib.contextmanager
    def connection(self, timeout: float = 60) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=timeout, source_address=(SOMEBODY_ELSE, 0)
        )
        with contextlib.closing(connection):
            yield connection


@pytest.mark.parametrize(("files", "bodies"), [(0, 3000), (FEW_FILES, 400)])
def test_half_sent_bodies_of_one_address_change_nothing_for_others(
    tmp_path: Path, files: int, bodies: int
) -> None:
    """They are waited for longer than this test takes."""
    with (
        Stage(tmp_path, pulse=False, FAULTS_FILES=str(files), CHATAPP_BODY_SECONDS="600") as stage,
        contextlib.ExitStack() as opened,
    ):
        (worker,) = stage.service.workers()
        live = Reader(stage.service, "long", llm_config=stage.patient("typewriter-2000-20"))
        live.ask(letters(5))
        slow = [
            opened.enter_context(begin(stage, PATHS[n % len(PATHS)], b"{"[: n % 2]))
            for n in range(bodies)
        ]
        stage.service.__class__ = Elsewhere
        assert stage.service.get("/healthz").status == 200
        assert stage.service.post("/api/sessions", {"title": "another"}).status == 201
        base = stage.service.post("/api/knowledge", {"name": "another"}).json["id"]
        document = tmp_path / "leave.txt"
        document.write_text("27 days of leave.\n" * 20_000)
        assert stage.service.upload(base, document).status == 202
        check(stage, Reader(stage.service, "meanwhile", llm_config=stage.config("echo")).follow())
        refused = refusals(slow)
        assert set(refused) == {("429", "too_many_requests")}
        assert refused.total() >= bodies - 32
        assert "Too many open files" not in stage.service.output()
        assert live.stop() == 204
        check(stage, live.follow())
        assert stage.service.workers() == [worker], "the same worker as before"


def test_half_sent_bodies_of_many_addresses_leave_places(tmp_path: Path) -> None:
    """Above the total, those of the address that has most are refused."""
    with (
        Stage(
            tmp_path, pulse=False, FAULTS_FILES=str(FEW_FILES), CHATAPP_BODY_SECONDS="600"
        ) as stage,
        contextlib.ExitStack() as opened,
    ):
        slow = [
            opened.enter_context(begin(stage, "/chat", b"{", source=f"127.0.1.{n % 20 + 1}"))
            for n in range(200)
        ]
        assert stage.service.get("/healthz").status == 200
        check(stage, Reader(stage.service, "meanwhile", llm_config=stage.config("echo")).follow())
        refused = refusals(slow)
        assert set(refused) == {("408", "request_timeout")}
        assert refused.total() >= 200 - 32


def test_bodies_are_counted_by_the_address_that_a_trusted_proxy_gives(tmp_path: Path) -> None:
    with (
        Stage(tmp_path, pulse=False, CHATAPP_SLOW_BODIES="2", CHATAPP_BODY_SECONDS="600") as stage,
        contextlib.ExitStack() as opened,
    ):

        def slow(client: str) -> socket.socket:
            head = ("Content-Type: application/json", "Content-Length: 9")
            return opened.enter_context(
                begin(stage, "/chat", b"{", *head, f"X-Forwarded-For: {client}")
            )

        networks = ("203.0.113.1", "203.0.113.2", "2001:db8::1")
        waiting = [slow(client) for client in networks * 2]
        for client in ("203.0.113.1", "198.51.100.7, 203.0.113.2", "2001:db8::ffff"):
            assert response(slow(client)) == ("429", "too_many_requests")
        waiting.append(slow("2001:db8:0:1::1"))
        assert not refusals(waiting)


def test_a_body_takes_no_longer_than_allowed_in_all(tmp_path: Path) -> None:
    with Stage(tmp_path, pulse=False, CHATAPP_UPLOAD_SECONDS="2") as stage:
        length = ("Content-Type: application/json", "Content-Length: 100000000")
        with begin(stage, "/api/sessions", b"", *length[:1], "Content-Length: 1000000") as raw:
            while not select.select([raw], [], [], 0.1)[0]:
                raw.sendall(b" " * 1000)  # faster than the lowest rate
            assert response(raw) == ("408", "request_timeout")


def test_a_body_that_does_not_arrive_is_refused(brief: Stage) -> None:
    base = brief.service.post("/api/knowledge", {"name": "half"}).json["id"]
    upload = f"/api/knowledge/{base}/files"
    form = ("Content-Type: multipart/form-data; boundary=b", "Content-Length: 1000000")
    chunked = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    halves = [
        begin(brief, "/chat/stream", b""),
        begin(brief, "/chat/stream", QUESTION[:20]),
        begin(brief, "/api/auth/login", b'{"name"'),
        begin(brief, upload, FORM, *form),
        begin(brief, upload, b"", *form),
        begin(brief, "/chat", b"10\r\n{", *chunked),
    ]
    dripping = begin(brief, "/chat/stream", b"")
    sent = 0
    while not select.select([dripping], [], [], 0.2)[0]:  # 5 bytes a second
        dripping.sendall(b" ")
        sent += 1
    for raw in (*halves, dripping):
        with raw:
            assert response(raw) == ("408", "request_timeout")
    assert sent < 500
    assert not list((brief.home / "originals").glob("incoming-*"))
    assert brief.service.get(upload).json["items"] == []


def test_a_body_that_arrives_slowly_is_accepted(brief: Stage) -> None:
    """It takes longer than the limit, but never stops."""
    body = QUESTION + b" " * 60_000
    length = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    with begin(brief, "/chat", b"", *length) as raw:
        for at in range(0, len(body), 5000):
            select.select([raw], [], [], 0.4)
            raw.sendall(body[at : at + 5000])
        assert status(raw.recv(65536).decode()) == "200"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_refused_body_does_not_reset_the_connection(brief: Stage, is_chunked: bool) -> None:
    """What follows is read and discarded, so that the client reads why it was refused."""
    body = b'{"title": "' + b"x" * 20_000_000 + b'"}'
    for token, expected in ((TOKEN, (413, "too_large")), ("wrong", (401, "unauthorized"))):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        content = iter([body[:9_000_000], body[9_000_000:]]) if is_chunked else body
        with brief.service.connection() as connection:
            connection.request("POST", "/api/sessions", content, headers)
            reply = connection.getresponse()
            assert (reply.status, json.load(reply)["error"]["code"]) == expected
    assert brief.service.get("/healthz").status == 200


def test_an_unread_body_does_not_cost_the_connection(brief: Stage) -> None:
    with brief.service.connection() as connection:
        for _ in range(3):
            connection.request("POST", "/api/sessions", b"{}", {"Authorization": "Bearer wrong"})
            socket_before = connection.sock
            assert connection.getresponse().read()
            assert connection.sock is socket_before is not None
