"""How a gevent socket is waited for: no system call and no timer for every token.

gevent asks the kernel before it waits, in vain, once a token, and makes a timer for each wait that has a limit. Here a wait
comes first, and one timer serves all waits of an exchange. Sockets that are not gevent's know nothing of this.
"""

import functools
import socket
import ssl
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

from gevent import get_hub, getcurrent
from gevent.socket import socket as GeventSocket


class Ends(Protocol):
    """Says when waiting has to end."""

    @property
    def at(self) -> float:
        """When it is over, by the monotonic clock."""

    def remaining(self) -> float:
        """Seconds that are left; TimeoutError where none are."""


def in_gevent(sock: socket.socket) -> bool:
    """Say whether waiting for this socket lets others run."""
    return isinstance(sock, GeventSocket)


def until_readable(sock: socket.socket) -> Callable[[], None]:
    """Return what waits until a socket can be read, where there is something better than to try."""
    if isinstance(sock, ssl.SSLSocket) or not in_gevent(sock):
        return lambda: None  # trying waits; and what a TLS connection has read already would be waited for in vain
    waits: Callable[[], None] = functools.partial(sock._wait, sock._read_event)  # type: ignore[attr-defined]
    return waits


class Alarm:
    """Ends a greenlet's waits at a deadline, with one timer for them all."""

    def __init__(self, deadline: Ends) -> None:
        self._deadline = deadline
        self._waits: Any = None
        self._timer: Any = None
        self._rings_at = inf

    def __enter__(self) -> None:
        """Begin to wait; TimeoutError where no time is left."""
        left = self._deadline.remaining()
        if self._deadline.at < self._rings_at:
            self._set(left)
        self._waits = getcurrent()

    def __exit__(self, *_: object) -> None:
        self._waits = None

    def stop(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self._rings_at = inf

    def _set(self, left: float) -> None:
        self.stop()
        self._rings_at = self._deadline.at
        self._timer = get_hub().loop.timer(left)
        self._timer.start(self._ring)

    def _ring(self) -> None:
        """End the wait, or look again when the deadline has moved on meanwhile."""
        self.stop()
        if (waits := self._waits) is None:  # the next wait sets it anew
            return
        try:
            self._set(self._deadline.remaining())
        except TimeoutError as late:
            self._waits = None
            waits.throw(late)
