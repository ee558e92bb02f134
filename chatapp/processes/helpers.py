"""One helper process: when it starts, where it listens, how it ends, and when the next one starts. Standard library only.

A helper may not outlive whoever started it, and of two that keep data only one may run: Chroma's process inherits the lock
of HOME/chroma.lock, which so lives exactly as long as the process, whatever ends it and whoever started it.
"""

import contextlib
import fcntl
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from chatapp import home as home_files
from chatapp.child import LOOPBACK, die_with_parent, free_port
from chatapp.i18n import say
from chatapp.settings import terminal_language

LEAVE_SECONDS = 2  # between asking a helper to leave and making it
STEADY_SECONDS = 60  # a helper that ran for so long has recovered
BACK_OFF_SECONDS = (0.5, 60)
LOOK_SECONDS = 300  # between two starts of a worker that nobody woke
RACE_SECONDS = 3  # a wake this shortly before a worker left may have been overlooked
ANSWER_SECONDS = 0.2  # for a service to say that it has started,
STILL_SECONDS = 2  # and, asked now and then, that it still goes on
ASK_SECONDS = 10
MOST_SILENCES = 3
LOCK_SECONDS = 10  # how long another Chroma may take to end before somebody is told
LOG_BYTES = 1024 * 1024  # a service's log begins anew beyond


class Watched:
    """A process to keep. `look` is called several times a second, and does what is to be done."""

    _sentence = "cli.helper_ended"

    def __init__(self, name: str, home: Path, nice: int) -> None:
        self.name = name
        self._home = home
        self._log = home / f"{name}.log"
        self._nice = nice
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due = 0.0
        self._wait = 0.0  # between the last failure and the next start

    def look(self) -> None:
        """Do what is to be done now; what the system refuses, on a full disk for one, is tried again."""
        try:
            self._look()
        except OSError as fault:
            if self._process is None and self._back_off():
                complain(
                    "cli.helper_refused",
                    name=self.name,
                    reason=fault.strerror or str(fault),
                    seconds=self._wait,
                )

    def ask_to_leave(self) -> None:
        """Send SIGTERM."""
        self._send(signal.SIGTERM)

    def end(self) -> None:
        """Wait a moment, then kill the process and all it has started."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LEAVE_SECONDS)
            self._send(signal.SIGKILL)
            self._process.wait()

    def _look(self) -> None:
        """Start the process when it is time to."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._process = None
            self._ended(status)
        if time.monotonic() >= self._due:
            self._started = time.monotonic()
            self._start()

    def _start(self) -> None:
        raise NotImplementedError

    def _ended(self, status: int) -> None:
        if self._back_off():
            complain(
                self._sentence,
                name=self.name,
                status=status,
                seconds=self._wait,
                file=str(self._log),
            )

    def _back_off(self) -> bool:
        """Decide when to start the next one, and whether to tell: of the first failure, and of the one after the longest wait."""
        now = time.monotonic()
        first, longest = BACK_OFF_SECONDS
        before = 0.0 if now - self._started > STEADY_SECONDS else self._wait
        self._wait = min(max(first, before * 2), longest)
        self._due = now + self._wait
        return not before or before < self._wait == longest

    def _run(
        self, command: tuple[str, ...], output: IO[bytes] | IO[str], *inherited: int
    ) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def begin() -> None:
            die_with_parent(signal.SIGKILL)
            if os.getppid() != parent:  # it ended before that
                os.kill(os.getpid(), signal.SIGKILL)
            os.nice(self._nice)

        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,  # not ours: the arbiter waits for its end
            stderr=output,
            pass_fds=inherited,
            process_group=0,
            preexec_fn=begin,
        )
        return self._process

    def _send(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


class Worker(Watched):
    """The document worker: leaves when there is nothing to do, and is started again at a wake, or to look around."""

    def __init__(self, home: Path) -> None:
        super().__init__("worker", home, nice=10)
        self._woken_at = 0.0

    def _look(self) -> None:
        if self._process is None and not self._wait and self._last_wake() > self._woken_at:
            self._due = 0.0
        super()._look()

    def _start(self) -> None:
        self._woken_at = self._last_wake()
        self._run((sys.executable, "-m", "chatapp.processes.worker"), sys.stderr)

    def _ended(self, status: int) -> None:
        if status != 0:
            super()._ended(status)
            return
        self._wait = 0.0
        overlooked = self._last_wake() > max(self._woken_at, time.time() - RACE_SECONDS)
        self._due = time.monotonic() + (0 if overlooked else LOOK_SECONDS)

    def _last_wake(self) -> float:
        try:
            return (self._home / "wake").stat().st_mtime
        except OSError:
            return 0.0


class Service(Watched):
    """A process that listens on a port of its own and stays; what it says goes into HOME/<name>.log."""

    _sentence = "cli.service_ended"

    def __init__(self, name: str, home: Path, nice: int) -> None:
        super().__init__(name, home, nice)
        self._port = 0
        self._answers = False
        self._asked_at = 0.0
        self._silences = 0
        home_files.remove_address(home, name)

    def end(self) -> None:
        """Wait a moment, then kill the process."""
        super().end()
        home_files.remove_address(self._home, self.name)

    def _look(self) -> None:
        """Say where the service is, and wake the document worker, once it answers."""
        super()._look()
        self._cut_log()
        if self._process is None or (
            self._answers and time.monotonic() < self._asked_at + ASK_SECONDS
        ):
            return
        self._asked_at = time.monotonic()
        if _answers(
            self._port,
            home_files.HEALTH_PATHS[self.name],
            STILL_SECONDS if self._answers else ANSWER_SECONDS,
        ):
            self._silences = 0
            if not self._answers:
                home_files.write_address(self._home, self.name, f"{LOOPBACK}:{self._port}")
                home_files.wake(self._home)
                self._answers = True
        elif self._answers:
            self._silences += 1
            if self._silences >= MOST_SILENCES:  # it runs, but whoever asks it waits
                self._send(signal.SIGKILL)

    def _start(self, *inherited: int) -> None:
        self._port = free_port()
        with open(self._log, "ab") as log:
            self._run(
                home_files.command(self.name, self._home, LOOPBACK, self._port), log, *inherited
            )

    def _ended(self, status: int) -> None:
        self._answers, self._silences = False, 0
        home_files.remove_address(self._home, self.name)
        super()._ended(status)

    def _cut_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._log.stat().st_size > LOG_BYTES:
                os.truncate(self._log, 0)


class Embedder(Service):
    """The built-in model that turns texts into vectors."""

    def __init__(self, home: Path) -> None:
        super().__init__(home_files.EMBEDDER, home, nice=5)


class Chroma(Service):
    """Chroma's server, alone on its folder."""

    def __init__(self, home: Path) -> None:
        super().__init__(home_files.CHROMA, home, nice=5)
        self._folder = home / "vectors"
        self._kept: int | None = None
        self._patience: float | None = None  # until when another process is waited for

    def _look(self) -> None:
        """Send away a Chroma whose folder was taken from under it: it answers, but will never write again."""
        if self._answers and self._inode() != self._kept:
            self.ask_to_leave()
        before = self._answers
        super()._look()
        if self._answers and not before:
            self._kept = self._inode()

    def _start(self, *inherited: int) -> None:
        with open(self._home / "chroma.lock", "a+", encoding="ascii") as lock:
            if not locked(lock):
                lock.seek(0)
                self._wait_for(lock.read().strip())
                return
            self._patience = None
            lock.truncate(0)
            super()._start(lock.fileno(), *inherited)
            assert self._process is not None
            lock.write(str(self._process.pid))

    def _wait_for(self, holder: str) -> None:
        now = time.monotonic()
        if self._patience is None:
            self._patience = now + LOCK_SECONDS
        elif now > self._patience:
            self._patience = math.inf
            complain("cli.vectors_taken", folder=str(self._folder), pid=holder)

    def _inode(self) -> int | None:
        try:
            return (self._folder / "chroma.sqlite3").stat().st_ino
        except OSError:
            return None


def locked(lock: IO[str]) -> bool:
    """Lock a file; tell whether that was possible."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def complain(key: str, **words: str | int | float) -> None:
    """Tell whoever started the service, in a sentence, if the terminal is still there."""
    with contextlib.suppress(OSError):
        print(say(terminal_language(), key, words), file=sys.stderr, flush=True)


def _answers(port: int, path: str, seconds: float) -> bool:
    """Tell whether what listens on a port of this machine says that it is well."""
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((LOOPBACK, port), seconds) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
