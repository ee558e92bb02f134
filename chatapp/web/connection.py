"""The connections of clients that read a stream. Bodies that they send: bodies.py.

A client that does not read, or is disconnected, must not occupy megabytes in the kernel or a
greenlet forever. gunicorn's gevent worker sets no timeout, so it is set here, and `Runs` closes the
connection of a client that has not read the last chunk in time.
"""

import contextlib
import functools
import select
import socket
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.socket import wait_read

from chatapp.chains.http.gevent_socket import send_directly

WATCH_SECONDS = 0.25  # between two looks at a connection on which more data waits
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


def when_closed(environ: Mapping[str, Any], act: Callable[[], object]) -> Callable[[], None]:
    """Call `act` once the client has closed its connection; return what ends the watch."""
    sock: socket.socket | None = environ.get("gunicorn.socket")
    if sock is None or sock.fileno() < 0 or not hasattr(select, "POLLRDHUP"):
        return lambda: None
    return functools.partial(gevent.spawn(_watch, sock.fileno(), act).kill)


def _watch(fileno: int, act: Callable[[], object]) -> None:
    poll = get_original("select", "poll")()
    poll.register(fileno, select.POLLRDHUP)
    wait_read(fileno)
    while not poll.poll(0):  # the next request, or the end of TLS
        gevent.sleep(WATCH_SECONDS)
    act()
