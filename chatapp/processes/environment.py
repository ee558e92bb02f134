"""The environment variables that processes of a service pass on. Standard library only."""

import os
from pathlib import Path

PARENT_VARIABLE = "CHATAPP_PARENT"  # not a setting


def web_environ() -> dict[str, str]:
    """Return the environment for gunicorn as a child that this process prepares and watches."""
    return {**os.environ, PARENT_VARIABLE: str(os.getpid())}


def is_watched() -> bool:
    """Return whether this process was started with `web_environ` by its parent."""
    return os.environ.get(PARENT_VARIABLE) == str(os.getppid())


def helper_environ(root: Path) -> dict[str, str]:
    """Return the environment for a process that imports this package from a folder."""
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def inherits_sockets() -> bool:
    """Return whether gunicorn's sockets come from systemd or an earlier gunicorn."""
    return bool({"GUNICORN_FD", "LISTEN_FDS"} & os.environ.keys())
