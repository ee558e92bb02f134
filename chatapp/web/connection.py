"""The socket of a stream: limits its send buffer and send timeout, and closes it.

A client that does not read, or is disconnected, must not occupy megabytes in the kernel or a
greenlet forever. gunicorn's gevent worker sets no send timeout, so it is set here, and `Runs`
closes the connection of a client that has not read the last chunk in time.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any

from chatapp.chains.http.gevent_socket import send_directly

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
