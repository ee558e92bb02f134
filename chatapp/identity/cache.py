"""A TTL cache in this process; concurrent misses of a key share one lookup, and its failure.

A lookup that finds nothing or fails is not cached.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True, eq=False)
class _Lookup(Generic[V]):
    """One lookup: whether it has ended, and its value with an expiry or its exception."""

    done: Event = field(default_factory=Event)
    value: V | None = None
    expires_at: float = 0.0
    fault: Exception | None = None


class TTLCache(Generic[K, V]):
    """At most `most` values, each for so many seconds."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._lookups: dict[K, _Lookup[V]] = {}

    def get(self, key: K, load: Callable[[], V | None]) -> V | None:
        """Return the cached value of a key, else what `load` returns."""
        found = self._lookups.get(key)
        if found is not None and not found.done.is_set():
            found.done.wait()
            if found.fault is not None:  # retrying for each waiting caller would only fail later
                raise found.fault
        if found is not None and found.value is not None and monotonic() < found.expires_at:
            return found.value
        return self._load(key, load)

    def drop(self, key: K) -> None:
        """Drop the value of a key."""
        self._lookups.pop(key, None)

    def clear(self) -> None:
        """Drop everything; lookups that are running are not cached either."""
        self._lookups.clear()

    def _load(self, key: K, load: Callable[[], V | None]) -> V | None:
        if len(self._lookups) >= self._most:
            self._lookups.clear()
        lookup = self._lookups[key] = _Lookup()
        try:
            lookup.value = load()
            lookup.expires_at = monotonic() + self._seconds
            return lookup.value
        except Exception as fault:
            lookup.fault = fault
            raise
        finally:
            lookup.done.set()
            if lookup.value is None and self._lookups.get(key) is lookup:
                del self._lookups[key]
