"""One request to a supplier: connections, their time limits, and nothing about chat.

Rules of this file: no redirect is followed and no proxy is read from the environment. Every wait, for a name, a connection,
a header or a byte of the body, ends at a deadline, because the socket's own time-out is set to what remains before each
read. Closing an exchange, or an exception that is thrown into one of its waits (GreenletExit too), closes the TCP
connection at once. Sockets are plain ones, so under gevent all of this yields to the hub without knowing about it.
"""

import functools
import http.client
import io
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import SplitResult

from urllib3.connection import HTTPConnection

from chatapp.chains.connection import Route, Unreachable, connect, new_connection, path_of, proxy_headers, split
from chatapp.chains.framing import Body, Chunked, Plain

READ_BYTES = 64 * 1024
IDLE_KEEP_SECONDS = 30.0  # an unused connection is kept so long: suppliers hang up after a minute


class Broken(Exception):
    """The connection or its framing broke after the answer had begun."""


class Garbled(Exception):
    """What came is not HTTP."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds: for the connection, the first token, the next token, the whole answer."""

    connect: float
    first_token: float
    idle: float
    answer: float


class Deadline:
    """When waiting has to end: with the whole answer's limit or with that of the next token, whichever is nearer."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        now = monotonic()
        self._last = now + limits.answer
        self._next = now + limits.first_token
        self._wait = limits.first_token

    def allow(self, seconds: float) -> None:
        """Give the next token so long from now."""
        self._next = monotonic() + seconds
        self._wait = seconds

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give what is waited for inside at most so long, and what follows the time that it had."""
        before = self._next, self._wait
        self.allow(min(seconds, self.remaining()))
        try:
            yield
        finally:
            self._next, self._wait = before

    def remaining(self) -> float:
        """Seconds that are left; TimeoutError where none are."""
        left = min(self._next, self._last) - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @property
    def waited(self) -> int:
        """The limit that is in force, in whole seconds, to tell a person."""
        return max(1, round(self.limits.answer if self._last < self._next else self._wait))


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `path` is appended to the route's base URL."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Transport:
    """Connections by route. They are made when needed and kept for a short while; at most `keep` unused ones of a route."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._idle: dict[Route, deque[tuple[float, HTTPConnection]]] = {}

    def send(self, route: Route, request: Request, deadline: Deadline) -> "Exchange":
        """Send a request and return the exchange once the status and headers are there.

        Raises Unreachable, Garbled, or TimeoutError where the answer's head does not come in time.
        """
        target = split(route.base_url)
        connection = self._reuse(route) or new_connection(route, target)
        try:
            return self._exchange(connection, route, target, request, deadline)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close all unused connections."""
        for idle in self._idle.values():
            while idle:
                idle.pop()[1].close()

    def _exchange(
        self, connection: HTTPConnection, route: Route, target: SplitResult, request: Request, deadline: Deadline
    ) -> "Exchange":
        if connection.sock is None:
            connect(connection, route, target, min(deadline.limits.connect, deadline.remaining()))
        try:
            connection.timeout = deadline.remaining()
            whole = connection.proxy is not None and target.scheme == "http"
            path = path_of(target, request.path)
            url = f"http://{target.netloc.rpartition('@')[2]}{path}" if whole else path
            headers = {**request.headers, "Accept-Encoding": "identity"}
            if whole and connection.proxy:
                headers |= proxy_headers(connection.proxy.auth)
            connection.response_class = functools.partial(_Response, deadline)  # type: ignore[assignment]
            connection.request(request.method, url, body=request.body, headers=headers)
            response = http.client.HTTPConnection.getresponse(connection)
        except TimeoutError:
            raise
        except (OSError, http.client.RemoteDisconnected) as error:
            raise Unreachable(final=False) from error
        except (http.client.HTTPException, ValueError) as error:
            raise Garbled from error
        return Exchange(connection, response, functools.partial(self._give_back, route))

    def _reuse(self, route: Route) -> HTTPConnection | None:
        idle = self._idle.get(route)
        while idle:
            _, connection = idle.pop()
            if connection.is_connected:
                return connection
            connection.close()
        return None

    def _give_back(self, route: Route, connection: HTTPConnection) -> None:
        idle = self._idle.setdefault(route, deque())
        now = monotonic()
        idle.append((now, connection))
        while len(idle) > self._keep or idle and idle[0][0] < now - IDLE_KEEP_SECONDS:
            idle.popleft()[1].close()
        for other in [other for other, held in list(self._idle.items()) if held and held[-1][0] < now - IDLE_KEEP_SECONDS]:
            for _, unused in self._idle.pop(other, ()):
                unused.close()


class Exchange:
    """An answer whose head has arrived: status, headers, and the body as it comes."""

    def __init__(
        self, connection: HTTPConnection, response: http.client.HTTPResponse, give_back: Callable[[HTTPConnection], None]
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = dict(response.headers.items())
        self._connection: HTTPConnection | None = connection
        self._response = response
        self._give_back = give_back
        self._body: Body = Chunked() if response.chunked else Plain(response.length)

    def read(self) -> bytes:
        """Wait for the next bytes of the body and return all that are there; empty only at the clean end.

        Raises Broken, or TimeoutError at the deadline.
        """
        while not self._body.ended:
            try:
                data = self._response.fp.read1(READ_BYTES)
                body = self._body.feed(data)
            except TimeoutError:
                raise
            except (OSError, ValueError) as error:
                raise Broken from error
            if body:
                return body
        return b""

    def read_all(self, most: int) -> bytes:
        """Return the rest of the body, at most about `most` bytes of it."""
        parts: list[bytes] = []
        while most > 0 and (data := self.read()):
            parts.append(data)
            most -= len(data)
        return b"".join(parts)

    def close(self) -> None:
        """Close the connection, or keep it for the next request where the body has been read to its end."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        reusable = self._body.ended and not self._response.will_close
        self._response.close()
        if reusable and connection.sock is not None:
            self._give_back(connection)
        else:
            connection.close()


class _Timed(io.RawIOBase):
    """A socket's raw reader that waits no longer than the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline
        self._set = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._deadline.remaining()
        # Setting it is a system call: a time-out that is at most a fiftieth too long stays.
        if not left <= self._set <= left * 1.02:
            self._sock.settimeout(left)
            self._set = left
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer whose every read, also that of its head, waits no longer than the deadline."""

    def __init__(self, deadline: Deadline, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, deadline))
