"""A client as docs/api.md describes it: asks, may lose its connection, resumes, keeps all text."""

import contextlib
import http.client
import json
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

from chatapp.core.sse import Decoder
from tests.support.service import PATIENCE_SECONDS, TOKEN, Service, wait_for

Until = Callable[["Reader"], bool]
AGAIN_SECONDS = 0.2
ANSWERS = ("complete", "stopped", "failed", "interrupted")


def never(_: "Reader") -> bool:
    return False


def letters(count: int) -> Until:
    """Read until this much text has arrived."""
    return lambda reader: len(reader.text) >= count


class Reader:
    """One question and its answer over any number of connections."""

    def __init__(self, service: Service, question: str = "", **body: Any) -> None:
        self.service = service
        self.question = f"{question} {uuid.uuid4()}"
        self.body = {"question": self.question, "client_message_id": str(uuid.uuid4()), **body}
        self.text = self.reasoning = ""
        self.place = ""
        self.context: dict[str, Any] = {}
        self.end: dict[str, Any] | None = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self.seen: list[dict[str, Any]] = []
        self.ports: list[int] = []
        self.arrivals: list[float] = []  # of text
        self.fault: BaseException | None = None  # the error of the last connection
        self.read_size = 65_536  # bytes
        self.began = self.ended = time.monotonic()

    @property
    def message_id(self) -> str:
        return str(self.context["message_id"])

    @property
    def kinds(self) -> list[str]:
        return [body["type"] for body in self.seen]

    def ask(self, until: Until = never, **headers: str) -> "Reader":
        """POST the question, and read until the end or a condition."""
        return self._read("POST", "/chat/stream", until, json.dumps(self.body).encode(), headers)

    def resume(self, until: Until = never, place: str | None = None) -> "Reader":
        """GET what follows the last position."""
        place = self.place if place is None else place
        return self._read(
            "GET",
            f"/chat/stream/{self.message_id}",
            until,
            None,
            {"Last-Event-ID": place} if place else {},
        )

    def follow(self, seconds: float = PATIENCE_SECONDS, until: Until = never) -> "Reader":
        """Ask or reconnect until the answer has ended or a condition holds."""
        deadline = time.monotonic() + seconds
        while self.end is None and not until(self):
            assert time.monotonic() < deadline, f"no end within {seconds} s: {self!r}"
            if self.context:
                self.resume(until)
            else:
                self.ask(until)
            if self.end is None and not until(self):
                time.sleep(AGAIN_SECONDS)
        return self

    def another(self) -> "Reader":
        """Return another reader of the same answer, from its beginning."""
        other = Reader(self.service)
        other.question, other.body, other.context = self.question, self.body, self.context
        return other

    def stored(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Return the answer's row, once it has a final status."""

        def final() -> dict[str, Any] | None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                row: dict[str, Any] = self.service.get(f"/api/messages/{self.message_id}").json
                return row if row["status"] in ANSWERS else None
            return None

        found: dict[str, Any] = wait_for(final, f"a final status of {self!r}", seconds)
        return found

    def stop(self) -> int:
        return self.service.request("DELETE", f"/chat/stream/{self.message_id}").status

    def _read(
        self, method: str, path: str, until: Until, body: bytes | None, headers: dict[str, str]
    ) -> "Reader":
        self.fault = None
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        try:
            connection.connect()
            self.ports.append(connection.sock.getsockname()[1])
            given = {
                "Authorization": f"Bearer {TOKEN}",
                "Content-Type": "application/json",
                **headers,
            }
            connection.request(
                method, path, body, {name.replace("_", "-"): value for name, value in given.items()}
            )
            response = connection.getresponse()
            self.status, self.headers = response.status, dict(response.getheaders())
            if response.status == 200:
                self._take(response, until)
            else:
                self.seen.append({"type": "refused", **_refusal(response)})
        except (OSError, http.client.HTTPException) as fault:
            self.fault = fault
        finally:
            connection.close()
            self.ended = time.monotonic()
        return self

    def _take(self, response: http.client.HTTPResponse, until: Until) -> None:
        decoder = Decoder()
        while self.end is None and (data := response.read1(self.read_size)):
            for message in decoder.feed(data):
                self._keep(json.loads(message.data), message.last_id)
            if until(self):
                return

    def _keep(self, body: dict[str, Any], last_id: str) -> None:
        self.seen.append(body)
        self.place = last_id or self.place
        if body["type"] == "chunk":
            self.text += body["data"]
            self.arrivals.append(time.monotonic())
        elif body["type"] == "reasoning":
            self.reasoning += body["data"]
        elif body["type"] == "reset":
            self.text = self.reasoning = self.place = ""
        elif body["type"] == "context":
            self.context = body
        elif body["type"] in ("done", "error"):
            self.end = body

    def __repr__(self) -> str:
        end = self.end and (self.end.get("code") or self.end["data"].get("finish_reason"))
        shown = (
            f"{self.body.get('llm_config')} status={self.status} end={end}"
            f" text={self.text[:40]!r}… fault={self.fault!r}"
        )
        return f"<{self.context.get('message_id', 'unanswered')} {shown}>"


def _refusal(response: http.client.HTTPResponse) -> dict[str, Any]:
    """Return the service's error; a proxy has pages of its own."""
    said = response.read()
    if response.headers.get_content_type() != "application/json":
        return {"status": response.status}
    found: dict[str, Any] = json.loads(said)
    return found


def silent_connection(
    service: Service, body: dict[str, Any], receive_bytes: int = 0
) -> socket.socket:
    """Send a question over a socket that is never read, optionally with a small buffer."""
    raw = socket.socket()
    if receive_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    raw.connect(("127.0.0.1", service.port))
    data = json.dumps(body).encode()
    head = (
        f"POST /chat/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    raw.sendall(head.encode() + data)
    return raw
