"""The connection that a stream is sent on: its send buffer, its timeout, and closing it.

A client that does not read, or is disconnected, must not hold megabytes in the kernel or a greenlet
forever. gunicorn's gevent worker sets no send timeout, so the socket gets one, and `Runs` closes
the connection of a client that has not read the last chunk in time.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any

from chatapp.chains.http.gevent_socket import send_directly

SEND_BYTES = 128 * 1024  # send buffer of one stream; the kernel's default grows to 4 MB


def bound(environ: Mapping[str, Any], seconds: int) -> Callable[[], None]:
    """Limit the send buffer and the send timeout; return a function that closes the connection."""
    sock: socket.socket | None = environ.get("gunicorn.socket")
    if sock is None:  # not under gunicorn: Flask's development server or a test client
        return lambda: None
    send_directly(sock)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        if sock.family != getattr(socket, "AF_UNIX", None) and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)

    def cut() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    return cut


def close_after_this(environ: Mapping[str, Any]) -> None:
    """Close the connection after this response: a refused client must not occupy one."""
    sock: socket.socket | None = environ.get("gunicorn.socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RD)
