"""The connection that a stream is sent on: how much waits there for a reader, for how long, and how it is cut.

A reader that takes nothing, or whose machine is gone, must not hold megabytes in the kernel or a greenlet for ever. gunicorn's
gevent worker sets no limit to sending, so the socket gets one, and `Runs` cuts off who has not taken the last chunk in time.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any

from gevent.socket import socket as GeventSocket

SEND_BYTES = 128 * 1024  # what the kernel keeps for one reader; it would take up to 4 MB by itself


def bound(environ: Mapping[str, Any], seconds: int) -> Callable[[], None]:
    """Limit what waits for the reader of this request, and how long the kernel tries; return what cuts the connection."""
    sock: socket.socket | None = environ.get("gunicorn.socket")
    if sock is None:  # no gunicorn: Flask's own server, or a test's client
        return lambda: None
    if type(sock) is GeventSocket:
        sock.__class__ = _Sending
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        if sock.family != getattr(socket, "AF_UNIX", None) and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)

    def cut() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    return cut


def close_after_this(environ: Mapping[str, Any]) -> None:
    """Let the connection end with this answer: who is refused for want of room must not take any by staying connected."""
    sock: socket.socket | None = environ.get("gunicorn.socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RD)


class _Sending(GeventSocket):  # type: ignore[misc]
    """A socket that sends what fits at once: gevent asks for the buffer's size before every sendall, a system call a token."""

    __slots__ = ()

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send all of it, and wait only for what the kernel does not take at once."""
        try:
            sent = self._sock.send(data, flags)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            super().sendall(memoryview(data)[sent:], flags)
