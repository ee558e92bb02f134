"""Uses of gevent's socket internals, which save system calls and timers for every token.

The only module that uses private names of gevent (`_sock`, `_wait`, `_read_event`); its test fails
when gevent changes them.
"""

import functools
import socket
import ssl
from collections.abc import Callable

from gevent.socket import socket as GeventSocket


class DirectSocket(GeventSocket):  # type: ignore[misc]
    """A socket whose `sendall` tries to send before it waits.

    gevent asks for the size of the send buffer before every `sendall`: a system call per token.
    """

    __slots__ = ()

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send all data; wait only for what the send buffer has no space for."""
        try:
            sent = self._sock.send(data, flags)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            super().sendall(memoryview(data)[sent:], flags)


def is_gevent(sock: socket.socket) -> bool:
    """Return whether waiting for this socket lets other greenlets run."""
    return isinstance(sock, GeventSocket)


def send_directly(sock: socket.socket) -> None:
    """Make a gevent socket a DirectSocket; leave any other as it is."""
    if type(sock) is GeventSocket:
        sock.__class__ = DirectSocket


def receive_now(sock: socket.socket, size: int) -> bytes | None:
    """Return what has arrived, at most `size` bytes; None where `recv` would have to wait."""
    if isinstance(sock, ssl.SSLSocket) or not is_gevent(sock):
        return None
    try:
        return sock._sock.recv(size)  # type: ignore[attr-defined,no-any-return]
    except BlockingIOError:
        return None


def until_readable(sock: socket.socket) -> Callable[[], None]:
    """Return a function that waits until a socket is readable, without a timer of its own.

    `recv` of a gevent socket first tries to read, which fails once per token. For all other
    sockets, and for TLS, which may have buffered the data already, `recv` itself has to wait.
    """
    if isinstance(sock, ssl.SSLSocket) or not is_gevent(sock):
        return lambda: None
    wait: Callable[[], None] = functools.partial(sock._wait, sock._read_event)  # type: ignore[attr-defined]
    return wait
