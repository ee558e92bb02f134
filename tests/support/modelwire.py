"""The model server's wire: one connection, and one chat turn on it. Standard library only."""

import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any


class Gone(Exception):
    """The client closed its connection."""


@dataclass
class Logged:
    """One request. `closed_at` is when the client closed before the answer's end (monotonic).

    `sent` holds the send time of each piece, for behaviours that record it.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    t_start: float
    t_end: float | None = None
    closed_at: float | None = None
    connection: int = 0
    sent: list[float] = field(default_factory=list)

    @property
    def closed_by_client(self) -> bool:
        """Whether the client closed before the answer's end."""
        return self.closed_at is not None

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body.get("model", "")) if isinstance(self.body, dict) else ""


class Wire:
    """One connection: reads requests, writes answers, detects at once that the client closes."""

    def __init__(self, sock: socket.socket, stopping: threading.Event, number: int) -> None:
        self.sock = sock
        self.number = number
        self.keep = True
        self._stopping = stopping
        self._buffer = b""

    def read_request(self) -> Logged | None:
        """Return the next request, None at the end of the connection."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive(0.2):
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = int(headers.get("content-length", 0))
        while len(self._buffer) < length:
            if not self._receive(0.2):
                return None
        raw, self._buffer = self._buffer[:length], self._buffer[length:]
        return Logged(
            method,
            path,
            headers,
            json.loads(raw) if raw else None,
            time.monotonic(),
            connection=self.number,
        )

    def pending(self, seconds: float = 0.2) -> bool:
        """Wait for a request; return whether one, or the end of the connection, has come."""
        return bool(self._buffer) or not self._receive(seconds) or bool(self._buffer)

    def send(self, data: bytes) -> None:
        """Send raw bytes. Raises Gone."""
        try:
            self.sock.settimeout(30)
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error

    def wait(self, seconds: float | None = None) -> None:
        """Wait, forever without a time. Raises Gone as soon as the client closes."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            left = 0.2 if end is None else min(0.2, end - time.monotonic())
            if not self._receive(max(left, 0.0001)):
                raise Gone

    def whole(
        self, status: int, body: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        """Send an answer of known length."""
        named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = (
            f"HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n{named}\r\n"
        )
        self.send(head.encode() + body)

    def json(self, status: int, body: Any, **headers: str) -> None:
        """Send a JSON answer."""
        self.whole(status, json.dumps(body).encode(), **headers)

    def begin(self, kind: str = "text/event-stream") -> None:
        """Send the head of a streamed answer."""
        self.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )

    def chunk(self, data: bytes) -> None:
        """Send one chunk."""
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """Send the end of a chunked body."""
        self.send(b"0\r\n\r\n")

    def close(self, reset: bool = False) -> None:
        """Close the connection with a reset."""
        self.keep = False
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _receive(self, seconds: float) -> bool:
        """Read what has arrived; False if the client or this server has ended."""
        try:
            self.sock.settimeout(seconds)
            data = self.sock.recv(65536)
        except TimeoutError:
            return not self._stopping.is_set()
        except OSError:
            return False
        self._buffer += data
        return bool(data)


@dataclass
class Turn:
    """A behaviour's input: connection, request, and how often this model was asked before."""

    wire: Wire
    request: Logged
    before: int
    base_url: str

    @property
    def question(self) -> str:
        """The last message of the user."""
        messages = self.request.body.get("messages") or [{}]
        content = messages[-1].get("content") or ""
        return (
            content
            if isinstance(content, str)
            else "".join(part.get("text", "") for part in content)
        )

    def event(self, body: Any, ends: bytes = b"\n") -> None:
        """Send one event; JSON text is sent unescaped where UTF-8 allows it."""
        text = json.dumps(body, ensure_ascii=False)
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = json.dumps(body).encode()
        self.wire.chunk(b"data: " + data + ends + ends)

    def delta(self, reason: str | None = None, **delta: Any) -> None:
        """Send one delta."""
        self.event(
            completion("chat.completion.chunk", self.request.model, {"delta": delta}, reason)
        )

    def finish(self, reason: str = "stop", done: bool = True) -> None:
        """Send the end of an answer: finish_reason, usage if requested, [DONE]."""
        self.delta(reason)
        if (self.request.body.get("stream_options") or {}).get("include_usage"):
            self.usage()
        if done:
            self.wire.chunk(b"data: [DONE]\n\n")
        self.wire.end()

    def usage(self) -> None:
        """Send the usage."""
        self.event({"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": USAGE})

    def text(self, *words: str) -> None:
        """Send words as deltas; the first carries the role, as suppliers send it."""
        self.wire.begin()
        self.delta(role="assistant", content="")
        for word in words:
            self.delta(content=word)


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def completion(kind: str, model: str, said: dict[str, Any], reason: str | None) -> dict[str, Any]:
    """Return a completion, whole or one chunk."""
    choice = {"index": 0, **said, "finish_reason": reason}
    return {"id": "c1", "object": kind, "created": 1, "model": model, "choices": [choice]}
