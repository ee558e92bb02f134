"""Time limits of an exchange with a supplier.

gevent makes a timer for each wait that has a limit. Under gevent, one timer (`Alarm`) serves all
waits of an exchange instead; other sockets get their time-out set before each wait.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any

from gevent import get_hub, getcurrent


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to wait for the connection, the first token, each next token, the whole answer."""

    connect: float
    first_token: float
    idle: float
    answer: float


class Deadline:
    """The time at which waiting ends: the limit of the next token or of the whole answer."""

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
        """Allow so many seconds from now for the next token."""
        self._next = monotonic() + seconds
        self._wait = seconds

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Allow at most so many seconds inside the block; afterwards the earlier limit holds."""
        before = self._next, self._wait
        self.allow(min(seconds, self.remaining()))
        try:
            yield
        finally:
            self._next, self._wait = before

    def remaining(self) -> float:
        """Return the seconds left; TimeoutError where none are."""
        left = self.at - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @property
    def at(self) -> float:
        """The end, by the monotonic clock."""
        return self._next if self._next < self._last else self._last

    @property
    def waited(self) -> int:
        """The limit in force, in whole seconds, for an error message."""
        return max(1, round(self.limits.answer if self._last < self._next else self._wait))


class Alarm:
    """Ends a greenlet's waits at a deadline, with one timer for them all."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._waits: Any = None
        self._timer: Any = None
        self._rings_at = inf

    def __enter__(self) -> None:
        """Start a wait; TimeoutError where no time is left."""
        left = self._deadline.remaining()
        if self._deadline.at < self._rings_at:
            self._set(left)
        self._waits = getcurrent()

    def __exit__(self, *_: object) -> None:
        self._waits = None

    def stop(self) -> None:
        """Close the timer."""
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
        """End the wait, or set the timer again where the deadline has moved."""
        self.stop()
        if (waits := self._waits) is None:  # the next wait sets the timer
            return
        try:
            self._set(self._deadline.remaining())
        except TimeoutError as late:
            self._waits = None
            waits.throw(late)
