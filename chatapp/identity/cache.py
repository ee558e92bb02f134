"""Values that cost a look-up and are asked for all the time: each is looked up once and kept for a moment, in this process.

Who asks while somebody else is looking waits for that look-up, so that a burst of questions makes one, and fails with it. What
was not found is not kept, nor is a look-up that failed.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True, eq=False)
class _Look(Generic[V]):
    """One look-up: its end, what it found and until when that holds, or why it failed."""

    done: Event = field(default_factory=Event)
    found: V | None = None
    until: float = 0.0
    fault: Exception | None = None


class Kept(Generic[K, V]):
    """At most `most` values, each for so many seconds."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._looks: dict[K, _Look[V]] = {}

    def get(self, key: K, look_up: Callable[[], V | None]) -> V | None:
        """Return what is kept under a key, else what `look_up` finds."""
        look = self._looks.get(key)
        if look is not None and not look.done.is_set():
            look.done.wait()
            if look.fault is not None:  # a thousand that look again at once would only fail later
                raise look.fault
        if look is not None and look.found is not None and monotonic() < look.until:
            return look.found
        return self._look_up(key, look_up)

    def clear(self) -> None:
        """Forget everything, also what is being looked up just now: something has changed."""
        self._looks.clear()

    def _look_up(self, key: K, look_up: Callable[[], V | None]) -> V | None:
        if len(self._looks) >= self._most:
            self._looks.clear()
        look = self._looks[key] = _Look()
        try:
            look.found = look_up()
            look.until = monotonic() + self._seconds
            return look.found
        except Exception as fault:
            look.fault = fault
            raise
        finally:
            look.done.set()
            if look.found is None and self._looks.get(key) is look:
                del self._looks[key]
