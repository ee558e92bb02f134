"""Native locks for what native threads share with gevent's hub.

A native thread that waits for one of gevent's locks may never be woken, and neither may greenlets
that wait for that thread. Threads here import modules, log and use SQLAlchemy (threads.py,
database.py). Their locks are held briefly and no greenlet is switched meanwhile, so native ones do
not block the hub. The lock of a module is held until it is imported: import large ones in a thread.
"""

import _thread
import importlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType
from typing import Any

from gevent import monkey


def patch_all() -> None:
    """Patch the standard library as gevent does, unless it is, and make these locks native."""
    if not monkey.is_module_patched("socket"):
        with without_plugins():
            monkey.patch_all()
        use_native_locks()


@contextmanager
def without_plugins() -> Iterator[None]:
    """Patch without gevent's plug-ins: for each of 25 events it searches all installed packages."""
    entry_points = metadata.entry_points
    metadata.entry_points = lambda **_: metadata.EntryPoints()  # type: ignore[assignment]
    try:
        yield
    finally:
        metadata.entry_points = entry_points


def use_native_locks() -> None:
    """Replace gevent's locks; call it after each `monkey.patch_all`, before SQLAlchemy is imported
    and before there are threads."""
    native = ModuleType("_thread")
    vars(native).update(vars(_thread) | monkey.saved["_thread"])
    imports: Any = importlib._bootstrap
    for reference in [*imports._module_locks.values()]:  # of what is being imported now
        held = reference()
        if held is not None and held.owner == _thread.get_ident():
            held.owner = native.get_ident()
    imports._thread = native
    logging._lock = native.RLock()  # type: ignore[attr-defined]
    logging.Handler.createLock = _create_lock  # type: ignore[assignment, method-assign]
    for reference in logging._handlerList:  # type: ignore[attr-defined]
        if (handler := reference()) is not None:
            handler.createLock()
    # SQLAlchemy makes its own on import; nobody waits for later ones but those of a pool (`_Pool`).
    patched = threading.Lock, threading.RLock
    threading.Lock, threading.RLock = native.allocate_lock, native.RLock
    try:
        import sqlalchemy.orm  # noqa: F401
    finally:
        threading.Lock, threading.RLock = patched


def _create_lock(handler: logging.Handler) -> None:
    handler.lock = _thread.RLock()
    logging._register_at_fork_reinit_lock(handler)  # type: ignore[attr-defined]
