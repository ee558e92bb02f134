"""How long a supplier is waited for, and how a gevent socket is: no system call and no timer for every token.

gevent asks the kernel before it waits, in vain, once a token, and makes a timer for each wait that has a limit. Here a wait
comes first, and one timer serves all waits of an exchange. Sockets that are not gevent's know nothing of this.
"""

import functools
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any

from gevent import get_hub, getcurrent
from gevent.socket import socket as GeventSocket


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
        self._sock: socket.socket | None = None

    def watch(self, sock: socket.socket | None) -> None:
        """Name the socket that is waited for, which `abort` shuts down; None for none."""
        self._sock = sock

    def abort(self) -> None:
        """End all waits at once, also one that another thread is in."""
        self._last = -inf
        if (sock := self._sock) is not None:
            with suppress(OSError):  # not SSLSocket's own, which forgets its TLS state first
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

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
        left = self.at - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @property
    def at(self) -> float:
        """When it is over, by the monotonic clock."""
        return self._next if self._next < self._last else self._last

    @property
    def waited(self) -> int:
        """The limit that is in force, in whole seconds, to tell a person."""
        return max(1, round(self.limits.answer if self._last < self._next else self._wait))


def in_gevent(sock: socket.socket) -> bool:
    """Say whether waiting for this socket lets others run."""
    return isinstance(sock, GeventSocket)


def until_readable(sock: socket.socket) -> Callable[[], None]:
    """Return what waits until a socket can be read, where there is something better than to try."""
    if isinstance(sock, ssl.SSLSocket) or not in_gevent(sock):
        return lambda: (
            None
        )  # trying waits; and what a TLS connection has read already would be waited for in vain
    waits: Callable[[], None] = functools.partial(sock._wait, sock._read_event)  # type: ignore[attr-defined]
    return waits


class Alarm:
    """Ends a greenlet's waits at a deadline, with one timer for them all."""

    def __init__(self, deadline: Deadline) -> None:
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
