"""The addresses on which gunicorn will listen, and errors for those that are unavailable.

`python -m chatapp.processes.listening OPTION…` checks gunicorn's options and prints the first
address: `python app.py` needs it before anything starts, and must not import gunicorn.
"""

import errno
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chatapp.home import UNIX, running, url_of
from chatapp.i18n import say
from chatapp.processes.environment import inherits_sockets
from chatapp.settings import Settings, terminal_language

LET_GO_SECONDS = 2  # a service that was killed may keep its port until its last worker has ended


def main() -> None:
    """Print where gunicorn will listen with these options."""
    from gunicorn.app.wsgiapp import WSGIApplication

    cfg = WSGIApplication().cfg
    if cfg.daemon:
        sys.exit(say(terminal_language(), "cli.daemon_refused"))
    refuse_taken(cfg, Settings.from_env().home)
    print(shown(cfg.address[0]))


def refuse_taken(cfg: Any, home: Path) -> None:
    """Exit with a sentence if an address of gunicorn's configuration is unavailable.

    gunicorn itself would try five times and print tracebacks.
    """
    if cfg.reuse_port or inherits_sockets():
        return
    addresses: Sequence[Any] = cfg.address
    for address in addresses:
        if not isinstance(address, tuple):
            _refuse_socket(Path(os.fsdecode(address)))
            continue
        until = time.monotonic() + LET_GO_SECONDS
        while fault := _fault(address):
            if fault.errno != errno.EADDRINUSE:
                denied = isinstance(fault, PermissionError)
                _refuse("cli.port_not_allowed" if denied else "cli.address_unknown", address)
            if (running(home) or "").endswith(f":{address[1]}"):
                _refuse("cli.runs_already", address)
            if time.monotonic() > until:
                _refuse("cli.port_taken", address)
            time.sleep(0.05)


def _fault(address: tuple[str, int]) -> OSError | None:
    """Return why nobody can listen on an address."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as fault:
            return fault
    return None


def shown(address: Any) -> str:
    """Return an address of gunicorn's as "host:port" or "unix:path"."""
    if not isinstance(address, tuple):
        return f"{UNIX}{os.fsdecode(address)}"
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def _refuse_socket(path: Path) -> None:
    """Exit with a sentence if a Unix socket is in use, which gunicorn would replace, or cannot be.

    A killed service leaves a socket on which nothing listens.
    """
    if not os.access(path.parent, os.W_OK | os.X_OK):
        sys.exit(say(terminal_language(), "cli.socket_unwritable", {"folder": str(path.parent)}))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    sys.exit(say(terminal_language(), "cli.socket_taken", {"path": str(path)}))


def _refuse(key: str, address: tuple[str, int]) -> None:
    host, port = address[:2]
    other = f"{host}:{port + 1 if port >= 1024 else 8000}"
    params = {"host": host, "port": port, "other": other, "url": url_of(shown(address))}
    sys.exit(say(terminal_language(), key, params))


if __name__ == "__main__":
    main()
