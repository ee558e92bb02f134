"""gunicorn.conf.py, plus a socket in the home folder on which each worker reports what it holds.

It reports counts: greenlets, streams (answers written or read, whichever is more), readers, and
database connections outside the pool. FAULTS_DRAIN_SECONDS shortens the drain time, and
FAULTS_FILES lowers the limit of open files before the product reads it.
"""

import contextlib
import gc
import importlib.util
import json
import os
import resource
import socket
import threading
import weakref
from pathlib import Path
from typing import Any

# Not gc.get_objects: a tuple that another thread is making must not be referred to (SystemError).
STARTED: "weakref.WeakSet[Any]" = weakref.WeakSet()

if files := int(os.environ.get("FAULTS_FILES", "0")):
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

found = importlib.util.spec_from_file_location("product_conf", Path.cwd() / "gunicorn.conf.py")
assert found is not None and found.loader is not None
product = importlib.util.module_from_spec(found)
found.loader.exec_module(product)
globals().update(
    {name: value for name, value in vars(product).items() if not name.startswith("__")}
)

if seconds := int(os.environ.get("FAULTS_DRAIN_SECONDS", "0")):
    vars(product)["DRAIN_SECONDS"] = seconds
    graceful_timeout = seconds + 5


def post_worker_init(worker: Any) -> None:
    """Run the product's hook, and open the socket."""
    from gevent import Greenlet

    Greenlet.add_spawn_callback(STARTED.add)
    product.post_worker_init(worker)
    # A greenlet: threads are patched here.
    threading.Thread(target=_report, args=(worker,), daemon=True).start()


def _report(worker: Any) -> None:
    path = Path(os.environ["CHATAPP_HOME"]) / f"inside-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        while True:
            asker, _ = listener.accept()
            # who asked may be gone, and other threads start greenlets: the next one is answered
            with asker, contextlib.suppress(OSError, RuntimeError):
                asker.sendall(json.dumps(_held(worker)).encode())


def _held(worker: Any) -> dict[str, Any]:
    services = worker.wsgi.extensions["chatapp"]
    gc.collect()
    alive = [each for each in list(STARTED) if each.started and not each.dead]
    return {
        "greenlets": len(alive),
        "streams": services.runs.streams,
        "readers": services.runs.readers,
        "connections": services.database.engine.pool.checkedout(),
        "what": sorted(str(each)[:200] for each in alive),
    }
