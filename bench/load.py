"""A load generator: reads many streams in one thread, and notes when each piece of each arrived. Standard library only.

Run as a program it takes a plan as JSON on one line of stdin, prints `streaming` when every stream has brought its first
piece, and when its stdin ends it writes what it saw to the plan's file. Times are CLOCK_MONOTONIC's, which all processes share.
"""

import gc
import json
import selectors
import socket
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.processes import helper

OPEN_SECONDS = 30
WAIT_SECONDS = 0.5
LONG_MS = 100
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Group:
    """Streams that are asked for alike. `mark` is what a piece of the answer holds on the wire."""

    name: str
    port: int
    path: str
    body: Mapping[str, object]
    mark: str
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
    """One stream: when it was asked for, when each piece came, and when it ended; None while it goes on."""

    began: float
    arrivals: list[float]
    ended: float | None


@dataclass(frozen=True, slots=True)
class Gaps:
    """The waits between two pieces of a stream, of many streams: milliseconds; the largest ended at this second."""

    pieces: int
    p50: float
    p99: float
    largest: float
    largest_at: float
    long: int  # how many took LONG_MS or more


def gaps(streams: Sequence[Seen], start: float, end: float) -> Gaps:
    """Return the gaps that ended between two moments, and those that had not ended by then."""
    found: list[tuple[float, float]] = []
    for seen in streams:
        first, last = bisect_right(seen.arrivals, start), bisect_right(seen.arrivals, end)
        times = [seen.arrivals[first - 1] if first else start, *seen.arrivals[first:last]]
        if seen.ended is None or seen.ended > end:
            times.append(end)
        found += [(1000 * (later - earlier), later - start) for earlier, later in zip(times, times[1:], strict=False)]
    found.sort()
    count = len(found)
    if not count:
        return Gaps(0, 0, 0, 0, 0, 0)
    longest, at = found[-1]
    p50, p99 = found[count // 2][0], found[min(count - 1, count * 99 // 100)][0]
    return Gaps(count, p50, p99, longest, at, sum(gap >= LONG_MS for gap, _ in found))


class Load:
    """Streams that are being read in a process of their own."""

    def __init__(self, process: subprocess.Popen[str], file: Path) -> None:
        self._process = process
        self._file = file
        self.pid = process.pid

    def end(self) -> dict[str, list[Seen]]:
        """Close all streams; return what was seen, by group."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(OPEN_SECONDS)
        return {name: [Seen(**each) for each in streams] for name, streams in json.loads(self._file.read_text()).items()}


@contextmanager
def load(groups: Sequence[Group], file: Path) -> Iterator[Load]:
    """Open all streams; go on when every one has brought its first piece."""
    with helper("load") as (process, said):
        assert process.stdin is not None
        process.stdin.write(json.dumps({"file": str(file), "groups": [asdict(group) for group in groups]}) + "\n")
        process.stdin.flush()
        if said.readline() != "streaming\n":
            raise RuntimeError("not every stream began")
        yield Load(process, file)


class _Stream:
    """One connection."""

    __slots__ = ("arrivals", "began", "ended", "group", "mark", "sock", "tail")

    def __init__(self, group: Group) -> None:
        self.group = group.name
        self.mark = group.mark.encode()
        self.arrivals: list[float] = []
        self.tail = b""
        self.ended: float | None = None
        self.began = time.monotonic()
        self.sock = socket.create_connection(("127.0.0.1", group.port), OPEN_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(group.request())
        self.sock.setblocking(False)

    def read(self) -> bool:
        """Take what has come; tell whether the stream goes on."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        now = time.monotonic()
        if not data or data == LAST_CHUNK or data.endswith(b"\r\n" + LAST_CHUNK):
            self.ended = now
        data = self.tail + data
        if self.mark in data:
            self.arrivals.append(now)
        self.tail = data[1 - len(self.mark) :]  # a mark may be cut; this much never holds a whole one
        return self.ended is None


class _Reader:
    """The loop over all streams."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.streams: list[_Stream] = []

    def open(self, group: Group) -> None:
        """Ask for a group's streams, reading the others meanwhile."""
        for _ in range(group.streams):
            stream = _Stream(group)
            self.streams.append(stream)
            self._selector.register(stream.sock, selectors.EVENT_READ, stream)
            until = time.monotonic() + group.apart_seconds
            while (left := until - time.monotonic()) > 0:
                self.step(left)

    def until_first_pieces(self) -> bool:
        """Read until every stream has brought a piece; tell whether all did in time."""
        deadline = time.monotonic() + OPEN_SECONDS
        while not all(stream.arrivals for stream in self.streams):
            if time.monotonic() > deadline:
                return False
            self.step(WAIT_SECONDS)
        return True

    def until_stdin_ends(self) -> None:
        """Read on."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while self.step(WAIT_SECONDS):
            pass

    def step(self, seconds: float) -> bool:
        """Read what comes within a time; tell whether to go on."""
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                return False
            if not key.data.read():
                self._selector.unregister(key.data.sock)
                key.data.sock.close()
        return True


def main() -> None:
    """Carry out the plan on stdin."""
    plan = json.loads(sys.stdin.readline())
    gc.freeze()
    gc.disable()
    reader = _Reader()
    for group in plan["groups"]:
        reader.open(Group(**group))
    if not reader.until_first_pieces():
        sys.exit(1)
    print("streaming", flush=True)
    reader.until_stdin_ends()
    seen: dict[str, list[dict[str, object]]] = {}
    for stream in reader.streams:
        row: dict[str, object] = {"began": stream.began, "arrivals": stream.arrivals, "ended": stream.ended}
        seen.setdefault(stream.group, []).append(row)
    Path(plan["file"]).write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
