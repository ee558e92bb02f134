"""A watched process: started, restarted with back-off, ended together with its descendants.

Standard library only. A watched process does not outlive its parent. It runs in a process group of
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

GRACE_SECONDS = 2  # between SIGTERM and SIGKILL
STEADY_SECONDS = 60  # a process that ran this long starts without back-off
BACK_OFF_SECONDS = (0.5, 60)  # the first wait and the longest


class WatchedProcess:
    """A process to keep running; the supervisor calls `tick` several times a second."""

    niceness = 0
    dies_by = signal.SIGKILL  # what the kernel sends when the parent ends
    grace_seconds: float = GRACE_SECONDS
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
        """Start, check or replace the process; retry after errors of the system (disk full)."""
        try:
            self._check()
        except OSError as fault:
            if self._process is None and self._back_off():
                reason = fault.strerror or str(fault)
                print_error("cli.helper_refused", name=self.name, reason=reason, seconds=self._wait)

    def send(self, number: int) -> None:
        """Send a signal to the process."""
        if self._process is not None:
            self._process.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM to the process and its descendants."""
        self._send_to_group(signal.SIGTERM)

    def end(self) -> None:
        """Wait briefly, then kill the process and its descendants."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.grace_seconds)
            self._send_to_group(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _check(self) -> None:
        """Start the process when it is due."""
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
        print_error("cli.helper_ended", name=self.name, status=status, seconds=self._wait)

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
            if os.getppid() != parent:  # the parent ended before this call
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


def print_error(key: str, **params: str | int | float) -> None:
    """Print a text of the catalogue on standard error, if the terminal is still there."""
    with contextlib.suppress(OSError):
        print(say(terminal_language(), key, params), file=sys.stderr, flush=True)
