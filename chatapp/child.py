"""What a child process needs: to end with its parent, a free port, and `OwnService` to run one. Standard library only."""

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

START_SECONDS = 20
LEAVE_SECONDS = 2
LOOPBACK = "127.0.0.1"
PR_SET_PDEATHSIG = 1  # linux/prctl.h


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
        return f"{LOOPBACK}:{self._port}" if self._runs() else None

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
        self._port = free_port()
        self._process = subprocess.Popen(
            self._command(LOOPBACK, self._port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parent.parent,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        )
        deadline = time.monotonic() + START_SECONDS
        while self._runs() and time.monotonic() < deadline:
            try:
                socket.create_connection((LOOPBACK, self._port), 1).close()
                return
            except OSError:
                time.sleep(0.05)


def die_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends, where the kernel can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def free_port() -> int:
    """Return a port that is free now; should another program be faster, the service ends, and the next one gets another."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
