"""HTTP requests to suppliers over pooled connections. Contains nothing about chat.

No redirect is followed and no proxy is read from the environment. Every wait, for a name, a
connection, a header or a byte of the body, ends at the deadline: the socket's time-out is set to
what remains before each read. Closing an exchange, or an exception thrown into one of its waits
(GreenletExit too), closes the TCP connection at once. Under gevent the patched sockets yield to the
hub; only gevent_socket.py and waiting.py treat them specially, to save a system call and a timer
per token.
"""

import functools
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeAlias
from urllib.parse import SplitResult

from urllib3.connection import HTTPConnection

from chatapp.chains.http.coding import GZIP, Inflation, codings, unreadable
from chatapp.chains.http.connection import (
    Route,
    Unreachable,
    connect,
    host_of,
    is_tunneled,
    new_connection,
    path_of,
    proxy_headers,
    split,
)
from chatapp.chains.http.framing import Body, Chunked, Plain
from chatapp.chains.http.gevent_socket import is_gevent, until_readable
from chatapp.chains.http.head import Head, read_head, write_head
from chatapp.chains.http.waiting import Alarm, Deadline

READ_BYTES = 64 * 1024
_FRAMING = ("accept-encoding", "content-length", "transfer-encoding")  # set here alone
IDLE_KEEP_SECONDS = 30.0  # for unused connections; suppliers close them after a minute

_Idle: TypeAlias = deque[tuple[float, HTTPConnection]]  # with when each was given back


class Broken(Exception):
    """The connection or its framing broke after the response had begun."""


class Garbled(Exception):
    """The response is not HTTP."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `path` is appended to the route's base URL."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)  # with the key
    body: bytes | None = None


class Transport:
    """Connections by route, opened on demand; at most `keep` unused ones of a route are kept."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._idle: dict[Route, _Idle] = {}

    def send(self, route: Route, request: Request, deadline: Deadline) -> "Exchange":
        """Send a request and return the exchange once status and headers have arrived.

        Raises Unreachable, Garbled, or TimeoutError where they do not arrive in time.
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
        self,
        connection: HTTPConnection,
        route: Route,
        target: SplitResult,
        request: Request,
        deadline: Deadline,
    ) -> "Exchange":
        if connection.sock is None:
            connect(connection, route, target, min(deadline.limits.connect, deadline.remaining()))
        sock = _TimedSocket(connection.sock, deadline)
        try:
            head, rest = sock.ask(_written(connection, route, target, request))
        except TimeoutError:
            raise
        except OSError as error:
            raise Unreachable(final=False) from error
        except ValueError as error:
            raise Garbled from error
        return Exchange(connection, sock, head, rest, functools.partial(self._give_back, route))

    def _reuse(self, route: Route) -> HTTPConnection | None:
        idle = self._idle.get(route)
        while idle:
            try:
                _, connection = idle.pop()
            except IndexError:  # another thread took the last one
                break
            if _is_open(connection):
                return connection
            connection.close()
        return None

    def _give_back(self, route: Route, connection: HTTPConnection) -> None:
        idle = self._idle.setdefault(route, deque())
        now = monotonic()
        idle.append((now, connection))
        with suppress(IndexError):  # another thread took the connection looked at
            self._close_unused(idle, now)

    def _close_unused(self, idle: _Idle, now: float) -> None:
        """Close the connections of a route that are too many or too old, and all old ones."""
        while len(idle) > self._keep or idle and idle[0][0] < now - IDLE_KEEP_SECONDS:
            idle.popleft()[1].close()
        for other in [
            other
            for other, held in list(self._idle.items())
            if held and held[-1][0] < now - IDLE_KEEP_SECONDS
        ]:
            for _, unused in self._idle.pop(other, ()):
                unused.close()


class Exchange:
    """A response whose head has arrived: status, headers, and the body as it arrives.

    `unreadable` names a coding of the body that is not supported; reading it raises Broken.
    """

    def __init__(
        self,
        connection: HTTPConnection,
        sock: "_TimedSocket",
        head: Head,
        rest: bytes,
        give_back: Callable[[HTTPConnection], None],
    ) -> None:
        self.status = head.status
        self.headers = head.headers
        self._connection: HTTPConnection | None = connection
        self._sock = sock
        self._closes = head.closes
        self._give_back = give_back
        self._body: Body = Chunked() if head.chunked else Plain(head.length)
        self._arrived = rest  # body bytes that arrived with the head
        self.unreadable = unreadable(head.headers)
        named = () if self.unreadable else codings(head.headers)
        self._inflation = Inflation(named) if named else None
        self._begun = False

    def read(self) -> bytes:
        """Wait for the next bytes of the body and return all available; empty only at a clean end.

        Raises Broken, or TimeoutError at the deadline.
        """
        try:
            while True:
                if self._inflation is not None and self._inflation.pending:
                    body = self._inflation.feed(b"")
                elif self._body.ended:
                    if self._inflation is not None:
                        self._inflation.end()
                    return b""
                else:
                    data, self._arrived = self._arrived or self._sock.receive(), b""
                    body = self._body.feed(data)
                    if body and (self._inflation is not None or not self._begun):
                        body = self._unpacked(body)
                if body:
                    return body
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            raise Broken from error

    def _unpacked(self, body: bytes) -> bytes:
        """Undo the coding of a body's bytes; the first ones may show one that no header names."""
        if not self._begun:
            self._begun = True
            if self.unreadable:
                raise ValueError("coding")
            if self._inflation is None and body.startswith(GZIP[:1]):  # no text begins so
                self._inflation = Inflation(("gzip",))
        return body if self._inflation is None else self._inflation.feed(body)

    def read_all(self, most: int) -> bytes:
        """Return the rest of the body, at most about `most` bytes."""
        parts: list[bytes] = []
        while most > 0 and (data := self.read()):
            parts.append(data)
            most -= len(data)
        return b"".join(parts)

    def close(self) -> None:
        """Close the connection; return it to the pool where the body has been read to its end."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._sock.close()
        if self._body.ended and not self._closes and connection.sock is not None:
            self._give_back(connection)
        else:
            connection.close()


class _TimedSocket:
    """A connection's socket, whose waits end at the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._set = 0.0
        self._until_readable = until_readable(sock)
        self._alarm = Alarm(deadline) if is_gevent(sock) else None
        deadline.watch(sock)

    def ask(self, data: bytes) -> tuple[Head, bytes]:
        """Send a request; return the response's head and first body bytes. ValueError: not HTTP."""
        self._limit()
        self._sock.sendall(data)
        if self._alarm is not None:  # ends the waits from now on
            self._sock.settimeout(None)
        try:
            return self._receive_head()
        except BaseException:
            self.close()
            raise

    def receive(self) -> bytes:
        """Wait for bytes; empty at the end of the connection."""
        if self._alarm is None:
            self._limit()
            return self._sock.recv(READ_BYTES)
        with self._alarm:
            self._until_readable()
            return self._sock.recv(READ_BYTES)

    def close(self) -> None:
        """Stop watching the deadline."""
        self._deadline.watch(None)
        if self._alarm is not None:
            self._alarm.stop()

    def _receive_head(self) -> tuple[Head, bytes]:
        data = b""
        while (found := read_head(data)) is None:
            more = self.receive()
            if not more and not data:
                raise ConnectionResetError
            if not more:
                raise ValueError("cut")
            data += more
        return found

    def _limit(self) -> None:
        left = self._deadline.remaining()
        # Setting it may be a system call, so a time-out that is at most 2 % too long stays.
        if not left <= self._set <= left * 1.02:
            self._sock.settimeout(left)
            self._set = left


def _written(
    connection: HTTPConnection, route: Route, target: SplitResult, request: Request
) -> bytes:
    """Return the bytes of a request; ValueError for values that cannot be sent."""
    path = path_of(target, request.path)
    headers = {n: value for n, value in request.headers.items() if n.lower() not in _FRAMING}
    headers["Accept-Encoding"] = "identity"
    if not any(name.lower() == "host" for name in headers):
        headers = {"Host": host_of(target), **headers}
    if connection.proxy is not None and not is_tunneled(route, target):
        path = f"http://{_authority(route, target)}{path}"
        headers |= proxy_headers(connection.proxy.auth)
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    return write_head(request.method, path, headers) + (request.body or b"")


def _authority(route: Route, target: SplitResult) -> str:
    if not route.pinned:
        return host_of(target)
    host = f"[{route.pinned}]" if ":" in route.pinned else route.pinned
    return f"{host}:{target.port or 80}"


def _is_open(connection: HTTPConnection) -> bool:
    """Return whether an unused connection is still open and silent."""
    sock = connection.sock
    if sock is None or isinstance(sock, ssl.SSLSocket):
        return connection.is_connected
    try:
        sock.settimeout(0)
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except (OSError, ValueError):  # a tunnel through a TLS proxy takes no flags
        return False
    return False
