"""The TTL cache: one lookup per key, shared by concurrent misses, and cleared on change."""

import threading
import time

import pytest

from chatapp.identity.cache import TTLCache
from tests.support.service import PATIENCE_SECONDS, wait_for

LONG, NEVER = 60.0, 0.0


def test_a_value_is_looked_up_once() -> None:
    cache: TTLCache[str, int] = TTLCache(LONG, 10)
    looks: list[int] = []

    def load() -> int:
        looks.append(1)
        return len(looks)

    assert [cache.get("a", load), cache.get("a", load), cache.get("b", load)] == [1, 1, 2]


def test_an_expired_value_is_looked_up_again() -> None:
    cache: TTLCache[str, int] = TTLCache(NEVER, 10)
    assert [cache.get("a", lambda: 1), cache.get("a", lambda: 2)] == [1, 2]


def test_clear_takes_effect_at_once() -> None:
    cache: TTLCache[str, int] = TTLCache(LONG, 10)
    cache.get("a", lambda: 1)
    cache.clear()
    assert cache.get("a", lambda: 2) == 2


def test_a_missing_value_is_not_cached() -> None:
    cache: TTLCache[str, int] = TTLCache(LONG, 10)
    assert cache.get("a", lambda: None) is None
    assert cache.get("a", lambda: 2) == 2


def test_a_failed_lookup_is_not_cached() -> None:
    cache: TTLCache[str, int] = TTLCache(LONG, 10)

    def fail() -> int:
        raise OSError

    with pytest.raises(OSError):
        cache.get("a", fail)
    assert cache.get("a", lambda: 2) == 2


def test_the_size_is_limited() -> None:
    cache: TTLCache[int, int] = TTLCache(LONG, 3)
    for number in range(4):
        cache.get(number, lambda: 1)
    assert cache.get(0, lambda: 2) == 2


class Slow:
    """A lookup that waits for a signal."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.began, self.may_end = threading.Event(), threading.Event()
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        self.began.set()
        assert self.may_end.wait(PATIENCE_SECONDS)
        return self.value


def test_concurrent_misses_share_one_lookup() -> None:
    cache: TTLCache[str, int] = TTLCache(LONG, 10)
    slow = Slow(1)
    got: list[int | None] = []
    threads = [threading.Thread(target=lambda: got.append(cache.get("a", slow))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert slow.began.wait(PATIENCE_SECONDS)
    slow.may_end.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert got == [1] * 5
    assert slow.looks == 1


def test_concurrent_misses_share_a_failure() -> None:
    cache: TTLCache[str, int] = TTLCache(LONG, 10)
    slow = Slow(1)
    got: list[str] = []

    def fails() -> int:
        slow()
        raise TimeoutError("late")

    def ask() -> None:
        try:
            cache.get("a", fails)
        except TimeoutError as fault:
            got.append(str(fault))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert slow.began.wait(PATIENCE_SECONDS)
    wait_for(lambda: all(thread.is_alive() for thread in threads))
    time.sleep(0.1)  # all but the first wait by now
    slow.may_end.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert got == ["late"] * 5
    assert slow.looks == 1
    assert cache.get("a", lambda: 2) == 2, "the next one looks again"


def test_a_lookup_that_was_running_at_clear_is_not_cached() -> None:
    cache: TTLCache[str, int] = TTLCache(LONG, 10)
    slow = Slow(1)
    first = threading.Thread(target=lambda: cache.get("a", slow))
    first.start()
    assert slow.began.wait(PATIENCE_SECONDS)
    cache.clear()
    assert cache.get("a", lambda: 2) == 2
    slow.may_end.set()
    first.join(PATIENCE_SECONDS)
    wait_for(lambda: not first.is_alive())
    assert cache.get("a", lambda: 3) == 2
