"""Streams without a connection: the real reader over the bytes that a test gives it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatapp.chains.call import Target
from chatapp.chains.completions import Answer, Completions
from chatapp.chains.endpoint import Parameters
from chatapp.chains.http.connection import Route
from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chains.http.transport import Request
from chatapp.chains.http.waiting import Deadline, Limits
from chatapp.chains.openai_chat import new_chat

CHAT = new_chat("compatible", False, Parameters("m"))  # reads the chunks that are more than text
LIMITS = Limits(connect=5.0, first_token=300.0, idle=60.0, answer=1800.0)


class GivenExchange:
    """A response whose body arrives in these parts; `end` is raised behind them."""

    def __init__(self, parts: Iterable[bytes], end: Exception | None, status: int = 200) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {}
        self.unreadable = ""
        self._parts = iter(parts)
        self._end = end

    def read(self) -> bytes:
        """Return the next part; empty at the clean end."""
        for part in self._parts:
            if part:
                return part
        if self._end is not None:
            raise self._end
        return b""

    def read_all(self, most: int) -> bytes:
        """Return the rest."""
        return b"".join(iter(self.read, b""))[:most]

    def close(self) -> None:
        """Do nothing."""


class GivenTransport:
    """Answers each request with the same parts; `waited` has the time limit of each part's wait."""

    def __init__(self, parts: Iterable[bytes], end: Exception | None = None) -> None:
        self._parts = list(parts)
        self._end = end
        self.waited: list[int] = []

    def send(self, route: Route, request: Request, deadline: Deadline) -> GivenExchange:
        """Return the response."""
        return GivenExchange(self._watched(deadline), self._end)

    def _watched(self, deadline: Deadline) -> Iterator[bytes]:
        for part in self._parts:
            self.waited.append(deadline.waited)
            yield part
        self.waited.append(deadline.waited)


def answer_of(parts: Iterable[bytes], end: Exception | None = None) -> Answer:
    """Return the answer that the real reader makes of a body."""
    return asked(GivenTransport(parts, end))


def asked(transport: Any) -> Answer:
    """Return the answer to a request over a transport."""
    target = Target(Route("http://127.0.0.1:9/v1"), "Canned")
    return Completions(transport, ReadDelay(), target, LIMITS).ask({"model": "m"}, CHAT._read_chunk)
