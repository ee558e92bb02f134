"""A model server that streams at an even pace: OpenAI's protocol, one thread, many streams.

A model named `typewriter-COUNT-RATE` sends COUNT words, RATE a second: the first at once, each
other at its own time after the request, so that a late word does not delay the next; late words go
out together. RATE 0 sends all at once. Each word is an event with exactly one TICK, so a reader can
count words in any protocol. A word costs about 10 µs, most of it in the kernel. Run as a program it
prints its port and ends when stdin closes. Standard library only.
"""

import gc
import heapq
import json
import re
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.processes import helper

TICK = "~"
WORDS = (
    "The",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "and",
    "rests",
    "in",
    "its",
    "shade",
    ".",
)
PACED = re.compile(r"typewriter-(\d+)-(\d+)")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
MOST_EVENTS = 4096  # of one poll, so that none takes long


def model_name(words: int, rate: int) -> str:
    """Return the name of the model with this many words at this rate."""
    return f"typewriter-{words}-{rate}"


@contextmanager
def model_server() -> Iterator[tuple[int, int]]:
    """Start a server in a process of its own; yield its port and process id."""
    with helper("model") as (process, said):
        yield int(said.readline()), process.pid


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    text = json.dumps(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "typewriter",
            "choices": [choice],
        }
    )
    return _chunk(b"data: " + text.encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


FIRST = HEAD + _event({"role": "assistant", "content": ""})
EACH = [_event({"content": f"{word}{TICK} "}) for word in WORDS]
LAST = _event({}, "stop") + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
WHOLE = {"id": "c1", "object": "chat.completion", "created": 1, "model": "typewriter"}


@dataclass(slots=True)
class _Client:
    """One connection: bytes received, bytes to send, and the answer in progress."""

    sock: socket.socket
    received: bytes = b""
    unsent: bytes = b""
    began: float = 0.0
    count: int = 0
    rate: float = 1.0
    said: int = 0
    gone: bool = False


class _Server:
    """The event loop: read what has arrived, send what is due."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(sys.stdin, select.EPOLLIN)
        self._clients: dict[int, _Client] = {}
        self._due: list[tuple[float, int, _Client]] = []
        self._number = 0  # of answers: equal times must not compare clients
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Serve until stdin ends."""
        listener, stdin = self._listener.fileno(), sys.stdin.fileno()
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for number, mask in self._poll.poll(wait, MOST_EVENTS):
                if number == stdin:
                    return
                if number == listener:
                    self._accept()
                elif client := self._clients.get(number):
                    if mask & select.EPOLLOUT:
                        self._send(client, b"")
                    if mask & ~select.EPOLLOUT and not client.gone:
                        self._read(client)
            if self._due:
                self._say_what_is_due()

    def _say_what_is_due(self) -> None:
        now, due = time.monotonic(), self._due
        while due and due[0][0] <= now:
            _, number, client = due[0]
            until = min(client.count, max(client.said, int((now - client.began) * client.rate)) + 1)
            if client.gone or until == client.count:
                heapq.heappop(due)
            else:
                heapq.heapreplace(due, (client.began + until / client.rate, number, client))
            if not client.gone:
                self._say(client, until)

    def _say(self, client: _Client, until: int) -> None:
        """Send the words up to `until`, and the end after the last one."""
        said, client.said = client.said, until
        data = (
            EACH[said % len(EACH)]
            if until == said + 1
            else b"".join(EACH[n % len(EACH)] for n in range(said, until))
        )
        self._send(client, data + LAST if until == client.count else data)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients[sock.fileno()] = _Client(sock)
            self._poll.register(sock, select.EPOLLIN)

    def _read(self, client: _Client) -> None:
        try:
            data = client.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.received += data
        head, blank, body = client.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length:\s*(\d+)", head)
        if blank and len(body) >= (needed := int(length[1]) if length else 0):
            client.received = body[needed:]
            self._answer(client, body[:needed])

    def _answer(self, client: _Client, body: bytes) -> None:
        request = json.loads(body) if body else {}
        asked = PACED.fullmatch(str(request.get("model")))
        if asked is None:
            self._whole(client, "404 Not Found", {"error": {"message": "There is no such model."}})
        elif not request.get("stream"):
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": "The quick fox."},
                "finish_reason": "stop",
            }
            self._whole(client, "200 OK", WHOLE | {"choices": [choice]})
        else:
            self._begin(client, int(asked[1]), int(asked[2]))

    def _begin(self, client: _Client, count: int, rate: int) -> None:
        client.began, client.said, client.count = time.monotonic(), 0, count
        client.rate = rate or float("inf")
        client.unsent += FIRST
        self._say(client, 1 if rate else count)
        if client.said < count:
            self._number += 1
            heapq.heappush(self._due, (client.began + 1 / rate, self._number, client))

    def _whole(self, client: _Client, status: str, value: dict[str, object]) -> None:
        body = json.dumps(value).encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._send(client, head.encode() + body)

    def _send(self, client: _Client, data: bytes) -> None:
        if client.unsent:
            data, client.unsent = client.unsent + data, b""
            self._poll.modify(client.sock, select.EPOLLIN)
        try:
            sent = client.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(client)
            return
        if sent < len(data):
            client.unsent = data[sent:]
            self._poll.modify(client.sock, select.EPOLLIN | select.EPOLLOUT)

    def _drop(self, client: _Client) -> None:
        if not client.gone:
            client.gone = True
            del self._clients[client.sock.fileno()]
            client.sock.close()


def main() -> None:
    """Serve until stdin ends."""
    server = _Server()
    print(server.port, flush=True)
    gc.freeze()
    gc.disable()
    server.serve()


if __name__ == "__main__":
    main()
