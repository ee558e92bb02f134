"""Native and hashing work off the hub, in a pool of our own: gevent's own also serves DNS, and must not queue behind us."""

from collections.abc import Callable
from typing import TypeVar

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
    return _pools[pool].apply(fn)  # type: ignore[no-any-return]
