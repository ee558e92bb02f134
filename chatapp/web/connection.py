"""The connections of clients: limits on reading a stream and on sending a body.

A client that does not read, does not send, or is disconnected must not occupy megabytes in the
kernel or a greenlet forever. gunicorn's gevent worker sets no timeouts for either, so they are set
here, and `Runs` closes the connection of a client that has not read the last chunk in time.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from chatapp.chains.http.gevent_socket import receive_now, send_directly
from chatapp.errors import RequestTimeout

BODY_BYTES_PER_SECOND = 500  # of waiting for a body, beyond the time limit
RECEIVE_BYTES, MOST_RECEIVED = 8192, 1024 * 1024  # at once, as gunicorn does
SEND_BYTES = 128 * 1024  # send buffer of one stream; the kernel's default grows to 4 MB


def limit_sending(environ: Mapping[str, Any], seconds: int) -> Callable[[], None]:
    """Limit send buffer and send timeout; return a function that closes the connection."""
    sock: socket.socket | None = environ.get("gunicorn.socket")
    if sock is None:  # not under gunicorn: Flask's development server or a test client
        return lambda: None
    send_directly(sock)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        if sock.family != getattr(socket, "AF_UNIX", None) and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)

    def close() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    return close


def close_after_response(environ: Mapping[str, Any]) -> None:
    """Close the connection after this response, so that a refused client does not occupy it."""
    sock: socket.socket | None = environ.get("gunicorn.socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RD)


class Bodies:
    """The bodies of requests that a worker waits for.

    One that does not grow for `seconds`, or by less than BODY_BYTES_PER_SECOND, is refused. At most
    `most` wait at a time: beyond, the one that is nearest to its limit is refused early, so that
    slow clients leave places for others.
    """

    def __init__(self, seconds: int, most: int) -> None:
        self.seconds = seconds
        self._most = most
        self._waiting: set[_Body] = set()

    def watch(self, unreader: Any) -> None:
        """Limit the body that gunicorn reads with an unreader, until `release`."""
        unreader.chunk = _Body(self, unreader.sock).chunk

    def release(self, unreader: Any) -> None:
        """Let gunicorn read the head of the next request by its own rules."""
        unreader.__dict__.pop("chunk", None)

    def wait(self, body: "_Body", size: int) -> bytes:
        """Wait for the next bytes; raise RequestTimeout."""
        if len(self._waiting) >= self._most:
            refused = min(self._waiting, key=_Body.left)
            self._waiting.discard(refused)
            refused.refuse()
        self._waiting.add(body)
        try:
            return body.receive(size)
        finally:
            self._waiting.discard(body)


class _Body:
    """One body: what has arrived, and for how long it was waited for."""

    def __init__(self, bodies: Bodies, sock: socket.socket) -> None:
        self._bodies = bodies
        self._sock = sock
        self._received = 0
        self._waited = 0.0
        self._waits_since = 0.0
        self._refused = False

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes, as gunicorn's `SocketUnreader.chunk` does."""
        size = min(max(size_hint or 0, RECEIVE_BYTES), MOST_RECEIVED)
        data = receive_now(self._sock, size)
        if data is None:
            data = self._bodies.wait(self, size)
        if self._refused:  # its connection ended with what had arrived before
            raise RequestTimeout
        self._received += len(data)
        return data

    def left(self) -> float:
        """Return for how many seconds it may still be waited for."""
        waited = self._waited + monotonic() - self._waits_since
        return self._bodies.seconds + self._received / BODY_BYTES_PER_SECOND - waited

    def refuse(self) -> None:
        """End the wait of another greenlet."""
        self._refused = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def receive(self, size: int) -> bytes:
        """Wait for the next bytes; raise RequestTimeout."""
        self._waits_since = monotonic()
        before = self._sock.gettimeout()
        self._sock.settimeout(max(0.001, min(self._bodies.seconds, self.left())))
        try:
            return self._sock.recv(size)
        except OSError as fault:  # a timeout, or gevent's error of a wait that `refuse` ended
            if self._refused or isinstance(fault, TimeoutError):
                raise RequestTimeout from fault
            raise
        finally:
            self._sock.settimeout(before)
            self._waited += monotonic() - self._waits_since
