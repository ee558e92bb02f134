"""A watched process: started, restarted with back-off, ended with all it has started.

Standard library only. A watched process may not outlive its parent, and runs in a process group of
its own, so that Ctrl-C reaches the parent alone.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from chatapp.child import die_with_parent
from chatapp.i18n import say
from chatapp.settings import terminal_language

LEAVE_SECONDS = 2  # between SIGTERM and SIGKILL
STEADY_SECONDS = 60  # a process that ran for so long has recovered
BACK_OFF_SECONDS = (0.5, 60)


class WatchedProcess:
    """A process to keep running; the supervisor calls `tick` several times a second."""

    niceness = 0
    dies_by = signal.SIGKILL  # what the kernel sends when the parent ends
    leave_seconds: float = LEAVE_SECONDS
    ignored_at_first: tuple[int, ...] = ()  # signals, until it sets its own handlers

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._wait = 0.0  # between the last failure and the next start

    @property
    def pid(self) -> int | None:
        """The process id, None while nothing runs."""
        return self._process.pid if self._process is not None else None

    def tick(self) -> None:
        """Start, check or replace the process; what the system refuses (disk full) is retried."""
        try:
            self._check()
        except OSError as fault:
            if self._process is None and self._back_off():
                reason = fault.strerror or str(fault)
                complain("cli.helper_refused", name=self.name, reason=reason, seconds=self._wait)

    def send(self, number: int) -> None:
        """Send a signal to the process."""
        if self._process is not None:
            self._process.send_signal(number)

    def ask_to_leave(self) -> None:
        """Send SIGTERM to the process and to all it has started."""
        self._send_to_group(signal.SIGTERM)

    def end(self) -> None:
        """Wait a moment, then kill the process and all it has started."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.leave_seconds)
            self._send_to_group(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _check(self) -> None:
        """Start the process when it is time to."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._ended(status)
            self._process = None
        if time.monotonic() >= self._start_at:
            self._started_at = time.monotonic()
            self._start()

    def _start(self) -> None:
        raise NotImplementedError

    def _ended(self, status: int) -> None:
        """Set the time of the next start, and report the end."""
        if self._back_off():
            self._report_end(status)

    def _report_end(self, status: int) -> None:
        complain("cli.helper_ended", name=self.name, status=status, seconds=self._wait)

    def _back_off(self) -> bool:
        """Set the time of the next start; return whether to report the failure.

        Reported are the first failure and the one after the longest wait.
        """
        now = time.monotonic()
        first, longest = BACK_OFF_SECONDS
        before = 0.0 if now - self._started_at > STEADY_SECONDS else self._wait
        self._wait = min(max(first, before * 2), longest)
        self._start_at = now + self._wait
        return not before or before < self._wait == longest

    def _run(
        self,
        command: tuple[str, ...],
        output: IO[bytes] | IO[str] | None = None,
        inherited: tuple[int, ...] = (),
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        parent, niceness, dies_by = os.getpid(), self.niceness, self.dies_by
        ignored_at_first = self.ignored_at_first

        def begin() -> None:
            die_with_parent(dies_by)
            if os.getppid() != parent:  # it ended before that
                os.kill(os.getpid(), signal.SIGKILL)
            os.nice(niceness)
            for number in ignored_at_first:
                signal.signal(number, signal.SIG_IGN)

        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environ,
            pass_fds=inherited,
            process_group=0,
            preexec_fn=begin,
        )
        return self._process

    def _send_to_group(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def complain(key: str, **params: str | int | float) -> None:
    """Print a sentence on standard error, if the terminal is still there."""
    with contextlib.suppress(OSError):
        print(say(terminal_language(), key, params), file=sys.stderr, flush=True)
