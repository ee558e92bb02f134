"""Native threads for hashing and native libraries, so that they do not block the hub.

The pools are our own: gevent's own pool also resolves host names, which must not queue behind us.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from gevent.monkey import get_original, is_module_patched
from gevent.threadpool import ThreadPool

# Password guessing must not delay answers, nor may the pages of documents. Modules that import each
# other are imported in one thread: with two, one of them may see a module half loaded.
WORK, PASSWORDS, PAGES, MODELS = "work", "passwords", "pages", "models"
THREADS = {WORK: 4, PASSWORDS: 1, PAGES: 2, MODELS: 1}
# To start a process and to wait for it in a thread: gevent's functions only work in the hub's.
posix_spawn, waitpid = get_original("os", ("posix_spawn", "waitpid"))
T = TypeVar("T")
_pools: dict[str, ThreadPool] = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a function returned, or the exception it raised."""

    value: Any = None
    fault: BaseException | None = None

    def get(self) -> Any:
        """Return the value, or raise the exception."""
        if self.fault is not None:
            raise self.fault
        return self.value


def outcome(fn: Callable[[], Any]) -> Outcome:
    """Run `fn` and catch what it raises: gevent prints exceptions that leave a thread."""
    try:
        return Outcome(fn())
    except Exception as fault:
        return Outcome(fault=fault)


def run(fn: Callable[[], T], pool: str = WORK) -> T:
    """Run `fn` in a thread without blocking the hub; outside a gevent worker, call it."""
    if not is_module_patched("socket"):
        return fn()
    if pool not in _pools:
        _pools[pool] = ThreadPool(THREADS[pool])
    return _pools[pool].apply(outcome, (fn,)).get()  # type: ignore[no-any-return]
