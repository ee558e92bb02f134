"""The environment variables that processes of a service pass on. Standard library only."""

import os
from pathlib import Path

PARENT_VARIABLE = "CHATAPP_PARENT"  # not a setting
WAITS_VARIABLE = "CHATAPP_WAITS"  # nor is this: a file descriptor
GO_ON = b"1"


def web_environ(waits: int | None = None) -> dict[str, str]:
    """Return the environment for gunicorn as a child that this process prepares and watches.

    `waits`: the end of a pipe for `wait_until_prepared`.
    """
    pipe = {} if waits is None else {WAITS_VARIABLE: str(waits)}
    return {**os.environ, PARENT_VARIABLE: str(os.getpid()), **pipe}


def has_gunicorn_options() -> bool:
    """Return whether the environment has options for gunicorn."""
    return "GUNICORN_CMD_ARGS" in os.environ


def wait_until_prepared() -> bool:
    """Wait for the parent that has started this process early; return whether it may go on."""
    pipe = os.environ.pop(WAITS_VARIABLE, None)
    if pipe is None:
        return True
    with open(int(pipe), "rb", buffering=0) as waits:
        return waits.read(1) == GO_ON


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
