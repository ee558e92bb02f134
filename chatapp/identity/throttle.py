"""Throttle sign-ins per user name and client address."""

import time

from chatapp.errors import Unauthorized

FREE_ATTEMPTS = 5
WAIT_SECONDS = 30  # after the sixth attempt; each further one adds as much
LONGEST_WAIT_SECONDS = 600
MOST_PAIRS = 10_000


class Throttle:
    """Counts this process's attempts per name and address since the last success."""

    def __init__(self) -> None:
        self._attempts: dict[tuple[str, str], tuple[int, float]] = {}

    def count(self, name: str, client: str) -> None:
        """Count an attempt; raise Unauthorized if it comes too soon after many others."""
        count, last = self._attempts.get((name, client), (0, 0.0))
        pause = min(WAIT_SECONDS * (count - FREE_ATTEMPTS + 1), LONGEST_WAIT_SECONDS)
        wait = last + pause - time.monotonic()
        if count >= FREE_ATTEMPTS and wait > 0:
            raise Unauthorized("slow", retry_after=int(wait) + 1, seconds=int(wait) + 1)
        if len(self._attempts) >= MOST_PAIRS:
            self._attempts.clear()
        self._attempts[name, client] = (count + 1, time.monotonic())

    def reset(self, name: str, client: str) -> None:
        """Forget earlier attempts: the password was right."""
        self._attempts.pop((name, client), None)
