"""Native and hashing work off the hub, in a pool of our own: gevent's own also serves DNS, and must not queue behind us."""

from collections.abc import Callable
from typing import Any, TypeVar

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

WORK, PASSWORDS = "work", "passwords"  # who guesses passwords must not keep answers waiting
THREADS = {WORK: 4, PASSWORDS: 1}
T = TypeVar("T")
_pools: dict[str, ThreadPool] = {}


def run(fn: Callable[[], T], pool: str = WORK) -> T:
    """Run `fn` in a thread and wait for it without holding the hub; outside a gevent worker simply run it."""
    if not is_module_patched("socket"):
        return fn()
    if pool not in _pools:
        _pools[pool] = ThreadPool(THREADS[pool])
    value, fault = _pools[pool].apply(_caught, (fn,))
    if fault is not None:
        raise fault
    return value  # type: ignore[no-any-return]


def _caught(fn: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Return what `fn` returned or raised: gevent prints what a thread raises, though somebody waits to catch it."""
    try:
        return fn(), None
    except Exception as fault:
        return None, fault
