"""A model server that streams at an even pace: OpenAI's protocol, one thread, any number of streams. Standard library only.

A model named `typewriter-COUNT-RATE` says COUNT words, RATE a second, each due at its own time after the request, so that one
late word delays no other. It costs some 20 µs a word. Run as a program it prints its port, and leaves when its stdin ends.
"""

import gc
import heapq
import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.processes import helper

WORDS = ("The", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "rests", "in", "its", "shade", ".")
PACED = re.compile(r"typewriter-(\d+)-(\d+)")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def model_server() -> Iterator[tuple[int, int]]:
    """Start one in a process of its own; give its port and its process id."""
    with helper("model") as (process, said):
        yield int(said.readline()), process.pid


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    text = json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "typewriter", "choices": [choice]})
    return _chunk(b"data: " + text.encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


FIRST = HEAD + _event({"role": "assistant", "content": ""})
EACH = [_event({"content": f"{word} "}) for word in WORDS]
LAST = _event({}, "stop") + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
WHOLE = {"id": "c1", "object": "chat.completion", "created": 1, "model": "typewriter"}


@dataclass
class _Client:
    """One connection: what it has sent, what it has still to be sent, and the answer that is on its way."""

    sock: socket.socket
    received: bytes = b""
    unsent: bytes = b""
    began: float = 0.0
    count: int = 0
    rate: float = 1.0
    said: int = 0
    gone: bool = False


class _Server:
    """The loop: what has arrived is read, what is due is sent."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._due: list[tuple[float, int, _Client]] = []
        self._number = 0  # of what is due: equal times must not compare clients
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Serve until stdin ends."""
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, mask in self._selector.select(wait):
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif mask & selectors.EVENT_WRITE:
                    self._send(key.data, b"")
                else:
                    self._read(key.data)
            self._say_what_is_due()

    def _say_what_is_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            client = heapq.heappop(self._due)[2]
            if client.gone:
                continue
            self._send(client, EACH[client.said % len(EACH)])
            client.said += 1
            if client.said == client.count:
                self._send(client, LAST)
            else:
                self._plan(client)

    def _plan(self, client: _Client) -> None:
        self._number += 1
        heapq.heappush(self._due, (client.began + (client.said + 1) / client.rate, self._number, client))

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(sock, selectors.EVENT_READ, _Client(sock))

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
            choice = {"index": 0, "message": {"role": "assistant", "content": "The quick fox."}, "finish_reason": "stop"}
            self._whole(client, "200 OK", WHOLE | {"choices": [choice]})
        else:
            client.began, client.said = time.monotonic(), 0
            client.count, client.rate = int(asked[1]), float(asked[2])
            self._send(client, FIRST)
            self._plan(client)

    def _whole(self, client: _Client, status: str, value: dict[str, object]) -> None:
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._send(client, head.encode() + body)

    def _send(self, client: _Client, data: bytes) -> None:
        data = client.unsent + data
        try:
            sent = client.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(client)
            return
        waited, client.unsent = bool(client.unsent), data[sent:]
        if waited != bool(client.unsent):
            more = selectors.EVENT_WRITE if client.unsent else 0
            self._selector.modify(client.sock, selectors.EVENT_READ | more, client)

    def _drop(self, client: _Client) -> None:
        if not client.gone:
            client.gone = True
            self._selector.unregister(client.sock)
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
