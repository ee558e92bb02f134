"""A service (services.py) as a child of this process, where nobody keeps one: a worker on its own machine, an evaluation."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chatapp.watched import die_with_parent

START_SECONDS = 20
LEAVE_SECONDS = 2


class OwnService:
    """Starts a service when it is first asked for, and again where it has gone. `command` makes the command for an address."""

    def __init__(self, command: Callable[[str, int], Sequence[str]]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def address(self) -> str | None:
        """Return where it listens; None where it does not come up."""
        if not self._runs():
            self._start()
        return f"127.0.0.1:{self._port}" if self._runs() else None

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(LEAVE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._process = subprocess.Popen(
            self._command("127.0.0.1", self._port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parent.parent,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        )
        deadline = time.monotonic() + START_SECONDS
        while self._runs() and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
