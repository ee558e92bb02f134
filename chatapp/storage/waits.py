"""How long transactions wait until they begin: for a thread, a connection and the lock."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any

from chatapp.metrics.figures import DATABASE_WAIT

_since: ContextVar[float | None] = ContextVar("since", default=None)  # monotonic


def queued(call: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Return a call for a thread, which waits from now on; its log lines name the request."""
    context = copy_context()
    context.run(_since.set, time.monotonic())
    return partial(context.run, call, *arguments)


@contextmanager
def recorded_wait(*, writes: bool) -> Iterator[None]:
    """Record how long a transaction takes to begin; the first in a thread has waited for it too."""
    since = _since.get()
    if since is None:
        since = time.monotonic()
    else:
        _since.set(None)
    try:
        yield
    finally:
        DATABASE_WAIT.record(time.monotonic() - since, "write" if writes else "read")
