"""A load generator: one thread reads many streams and records when each piece arrived.

Run as a program it prints `ready`, takes a plan as one line of JSON on stdin, prints `streaming`
once every stream has its first piece and `ended` once all have ended or time is up, and writes
what it recorded to the plan's file when stdin closes. A piece is one read that holds the model's
TICK: words that arrive together are one piece. Times are CLOCK_MONOTONIC, which all processes
share. Standard library only.
"""

import contextlib
import gc
import json
import select
import socket
import subprocess
import sys
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from bench.model import MOST_EVENTS, TICK
from bench.processes import helper

OPEN_SECONDS = 30
WAIT_SECONDS = 0.5
OPEN_AT_ONCE = 20  # connections between two polls
LONG_MS = 100
REFUSAL_BYTES = 1000
LAST_CHUNK = b"0\r\n\r\n"
TICK_BYTE = TICK.encode()
BUFFER = 256 * 1024


@dataclass(frozen=True, slots=True)
class Group:
    """Streams with the same request."""

    name: str
    port: int
    path: str
    body: Mapping[str, object]
    streams: int
    apart_seconds: float = 0.0  # between two requests
    headers: dict[str, str] = field(default_factory=dict)

    def request(self) -> bytes:
        """Return the request's bytes."""
        body = json.dumps(self.body).encode()
        named = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "Content-Length": len(body),
            **self.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Seen:
    """One stream: start, arrival of each piece, end (None while it runs) and number of words.

    `refusal` is the start of the response if it holds no words.
    """

    began: float
    arrivals: list[float]
    ended: float | None
    words: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Waits between two pieces of a stream, over many streams, in milliseconds."""

    pieces: int
    p50: float
    p99: float
    largest: float
    largest_at: float
    long: int  # how many took LONG_MS or more


def gaps(streams: Sequence[Seen], start: float, end: float) -> Gaps:
    """Return the gaps that ended between two moments, and those still open at the second."""
    found: list[tuple[float, float]] = []
    for seen in streams:
        first, last = bisect_right(seen.arrivals, start), bisect_right(seen.arrivals, end)
        times = [seen.arrivals[first - 1] if first else start, *seen.arrivals[first:last]]
        if seen.ended is None or seen.ended > end:
            times.append(end)
        found += [
            (1000 * (later - earlier), later - start)
            for earlier, later in zip(times, times[1:], strict=False)
        ]
    found.sort()
    count = len(found)
    if not count:
        return Gaps(0, 0, 0, 0, 0, 0)
    longest, at = found[-1]
    p50, p99 = found[count // 2][0], found[min(count - 1, count * 99 // 100)][0]
    return Gaps(count, p50, p99, longest, at, sum(gap >= LONG_MS for gap, _ in found))


class Load:
    """Streams that another process reads."""

    def __init__(self, process: subprocess.Popen[str], said: IO[str], file: Path) -> None:
        self._process = process
        self._said = said
        self._file = file
        self.pid = process.pid
        self.wait("ready")

    def begin(self, groups: Sequence[Group], most_seconds: float | None) -> None:
        """Start the streams and read them for at most this long; None: until `end`."""
        assert self._process.stdin is not None
        plan = {
            "file": str(self._file),
            "groups": [asdict(group) for group in groups],
            "most_seconds": most_seconds,
        }
        self._process.stdin.write(json.dumps(plan) + "\n")
        self._process.stdin.flush()

    def wait(self, word: str) -> None:
        """Wait until the generator prints this word."""
        if f"{word}\n" not in iter(self._said.readline, ""):
            raise RuntimeError(f"the streams were never {word}")

    def end(self) -> dict[str, list[Seen]]:
        """Close all streams; return what was recorded, by group."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(OPEN_SECONDS)
        return {
            name: [Seen(**each) for each in streams]
            for name, streams in json.loads(self._file.read_text()).items()
        }


@contextmanager
def load(groups: Sequence[Group], file: Path) -> Iterator[Load]:
    """Open all streams; continue once each has its first piece."""
    with generator(file) as made:
        made.begin(groups, None)
        made.wait("streaming")
        yield made


@contextmanager
def generator(file: Path) -> Iterator[Load]:
    """Start a load generator that waits for `begin`."""
    with helper("load") as (process, said):
        yield Load(process, said, file)


class _Stream:
    """One connection."""

    __slots__ = ("arrivals", "began", "ended", "group", "refusal", "request", "sock", "words")

    def __init__(self, group: Group, request: bytes) -> None:
        self.group = group.name
        self.request = request
        self.arrivals: list[float] = []
        self.words = 0
        self.refusal = ""
        self.ended: float | None = None
        self.began = time.monotonic()
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BlockingIOError):
            self.sock.connect(("127.0.0.1", group.port))


class _Reader:
    """The event loop over all streams."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._poll = select.epoll()
        self._poll.register(sys.stdin, select.EPOLLIN)
        self._open: dict[int, _Stream] = {}
        self._buffer = bytearray(BUFFER)
        self._plan: deque[tuple[float, Group, bytes]] = (
            deque()
        )  # what is still to be asked, and when
        self.streams: list[_Stream] = []
        due = time.monotonic()
        for group in groups:
            request = group.request()
            for _ in range(group.streams):
                self._plan.append((due, group, request))
                due += group.apart_seconds
        self.waiting = len(self._plan)  # streams that have not begun

    @property
    def reading(self) -> bool:
        """Return whether any stream is still open or planned."""
        return bool(self._plan or self._open)

    def step(self) -> bool:
        """Send and read what is due, or wait briefly; return False once stdin has closed."""
        wait = WAIT_SECONDS
        if self._plan:
            wait = min(wait, max(0.0, self._plan[0][0] - time.monotonic()))
        for number, mask in self._poll.poll(wait, MOST_EVENTS):
            stream = self._open.get(number)
            if stream is None:
                return False
            if stream.request:
                self._ask(stream, mask)
            else:
                self._read(stream)
        for _ in range(OPEN_AT_ONCE):
            if not self._plan or self._plan[0][0] > time.monotonic():
                break
            stream = _Stream(*self._plan.popleft()[1:])
            self.streams.append(stream)
            self._open[stream.sock.fileno()] = stream
            self._poll.register(stream.sock, select.EPOLLOUT)
        return True

    def _ask(self, stream: _Stream, mask: int) -> None:
        """Send the request once the connection is up."""
        if mask & (select.EPOLLERR | select.EPOLLHUP):
            self._end(stream, time.monotonic())
            return
        stream.sock.sendall(stream.request)
        stream.request = b""
        self._poll.modify(stream.sock, select.EPOLLIN)

    def _read(self, stream: _Stream) -> None:
        """Read what has arrived."""
        buffer = self._buffer
        try:
            size = stream.sock.recv_into(buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        now = time.monotonic()
        if words := buffer.count(TICK_BYTE, 0, size):
            if not stream.words:
                self.waiting -= 1
            stream.words += words
            stream.arrivals.append(now)
        elif not stream.words and not stream.refusal:
            stream.refusal = buffer[: min(size, REFUSAL_BYTES)].decode("latin-1")
        if not size or buffer.endswith(LAST_CHUNK, 0, size):
            self._end(stream, now)

    def _end(self, stream: _Stream, now: float) -> None:
        if not stream.words:
            self.waiting -= 1
        stream.ended = now
        del self._open[stream.sock.fileno()]
        stream.sock.close()


def main() -> None:
    """Run the plan read from stdin."""
    print("ready", flush=True)
    plan = json.loads(sys.stdin.readline())
    gc.freeze()
    gc.disable()
    reader = _Reader([Group(**group) for group in plan["groups"]])
    until = time.monotonic() + (plan["most_seconds"] or OPEN_SECONDS)
    while going_on := reader.step():
        if not reader.waiting or time.monotonic() > until:
            break
    if plan["most_seconds"] is None and reader.waiting:
        sys.exit(1)
    print("streaming", flush=True)
    while (
        going_on and reader.reading and (plan["most_seconds"] is None or time.monotonic() < until)
    ):
        going_on = reader.step()
    print("ended", flush=True)
    while going_on:
        going_on = reader.step()
    seen: dict[str, list[dict[str, object]]] = {}
    for stream in reader.streams:
        row = {name: getattr(stream, name) for name in ("began", "arrivals", "ended", "words")}
        row["refusal"] = "" if stream.words else stream.refusal
        seen.setdefault(stream.group, []).append(row)
    Path(plan["file"]).write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
