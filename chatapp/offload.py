"""Native and hashing work off the hub, in a pool of our own: gevent's own also serves DNS, and must not queue behind us."""

from collections.abc import Callable
from typing import TypeVar

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

THREADS = 4
T = TypeVar("T")
_pools: list[ThreadPool] = []


def run(fn: Callable[[], T]) -> T:
    """Run `fn` in a thread and wait for it without holding the hub; outside a gevent worker simply run it."""
    if not is_module_patched("socket"):
        return fn()
    if not _pools:
        _pools.append(ThreadPool(THREADS))
    return _pools[0].apply(fn)  # type: ignore[no-any-return]
