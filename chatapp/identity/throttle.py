"""Passwords that were tried, by name and by where from: whoever has been wrong often waits before the next one is checked."""

import time

from chatapp.errors import Unauthorized

FREE_ATTEMPTS = 5
WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 600
MOST_KEPT = 10_000


class Attempts:
    """The attempts that this process has seen since each one's last success."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[int, float]] = {}

    def begin(self, name: str, client: str) -> None:
        """Count an attempt; raise Unauthorized where it comes too soon after many others."""
        count, last = self._made.get((name, client), (0, 0.0))
        wait = (
            last
            + min(WAIT_SECONDS * (count - FREE_ATTEMPTS + 1), LONGEST_WAIT_SECONDS)
            - time.monotonic()
        )
        if count >= FREE_ATTEMPTS and wait > 0:
            raise Unauthorized("slow", retry_after=int(wait) + 1, seconds=int(wait) + 1)
        if len(self._made) >= MOST_KEPT:
            self._made.clear()
        self._made[name, client] = (count + 1, time.monotonic())

    def forget(self, name: str, client: str) -> None:
        """Begin anew: the password was right."""
        self._made.pop((name, client), None)
