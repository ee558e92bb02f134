"""gunicorn under `python app.py`. Standard library only.

A hung arbiter is not detected: its workers keep serving. The arbiter kills hung workers (its
`timeout`); a hung arbiter is killed when the service ends.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatapp.home import WEB, has_greeting, remove_address
from chatapp.processes.environment import GO_ON, has_gunicorn_options, web_environ
from chatapp.processes.watched import WatchedProcess, print_error

GRACE_SECONDS = 35  # gunicorn.conf.py gives its workers 30
QUICK_SECONDS = 5  # after SIGINT or SIGQUIT workers save their answers and end
GROUP_TICK_SECONDS = 0.05


class WebServer(WatchedProcess):
    """gunicorn's arbiter. The arbiter itself watches the workers."""

    dies_by = signal.SIGQUIT  # its workers save their answers, and it ends within seconds
    # The defaults would end or stop it. The arbiter and its workers set handlers of their own.
    ignored_at_first = (signal.SIGHUP, signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU)

    def __init__(self, home: Path, options: tuple[str, ...]) -> None:
        super().__init__("gunicorn", home)
        self._options = options
        self.exit_status: int | None = None  # set when it has exited by itself
        self._deadline: float | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Start it early, and let it listen after this block; it ends if the block fails.

        With options of gunicorn it starts afterwards: under --preload, or with another
        configuration, it would not wait.
        """
        if self._options or has_gunicorn_options():
            yield
            return
        waits, goes_on = os.pipe()
        with open(goes_on, "wb", buffering=0) as end:
            with open(waits, "rb"), contextlib.suppress(OSError):  # `tick` tries again
                self._run(self._command(), inherited=(waits,), environ=web_environ(waits))
            try:
                yield
            except BaseException:
                self._send_to_group(signal.SIGKILL)
                raise
            with contextlib.suppress(BrokenPipeError):  # it has ended; `tick` sees why
                end.write(GO_ON)

    def shut_down(self, number: int) -> None:
        """Forward a signal that ends gunicorn, and set the deadline."""
        seconds = GRACE_SECONDS if number == signal.SIGTERM else QUICK_SECONDS
        limit = time.monotonic() + seconds
        self._deadline = limit if self._deadline is None else min(limit, self._deadline)
        self.send(number)

    def has_ended(self) -> bool:
        """Return whether it has ended after `shut_down`; kill it after the deadline."""
        if self._process is None:
            return True
        if self._process.poll() is not None:
            self._end_group()
            return True
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._send_to_group(signal.SIGKILL)
        return False

    def _start(self) -> None:
        self._run(self._command(), environ=web_environ())

    def _command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "gunicorn", *self._options, "wsgi:app")

    def _ended(self, status: int) -> None:
        """Restart gunicorn if it was killed; if it exits by itself, the service ends."""
        self._end_group()
        remove_address(self._home, WEB)
        if status >= 0 or has_greeting(self._home):
            self.exit_status = status if status >= 0 else 128 - status
            self._start_at = float("inf")
        else:
            super()._ended(status)

    def _report_end(self, status: int) -> None:
        print_error("cli.web_ended", status=status, seconds=self._wait)

    def _end_group(self) -> None:
        """End workers whose arbiter has died: they would keep the port and their answers."""
        assert self._process is not None
        group = self._process.pid
        for number, seconds in ((signal.SIGQUIT, QUICK_SECONDS), (signal.SIGKILL, 1)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
                deadline = time.monotonic() + seconds
                while time.monotonic() < deadline:
                    reap_group(group)
                    os.killpg(group, 0)
                    time.sleep(GROUP_TICK_SECONDS)


def reap_group(group: int) -> None:
    """Reap a group's orphaned processes."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
