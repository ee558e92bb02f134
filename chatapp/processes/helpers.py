"""The helpers: which ones the settings ask for, how each is started, and how a hung one is found.

Restarts and their back-off are in watched.py. Standard library only.

Of two Chroma servers on one folder each would miss the other's vectors, so Chroma inherits the lock
of HOME/chroma.lock: it lasts exactly as long as that process.
"""

import contextlib
import math
import os
import signal
import socket
import sys
import time
from pathlib import Path

from chatapp.child import LOOPBACK, chroma_command, embedder_command, free_port
from chatapp.home import (
    CHROMA,
    EMBEDDER,
    model_folder,
    remove_address,
    try_lock,
    wake,
    write_address,
)
from chatapp.processes.heartbeat import START_SECONDS, Listener
from chatapp.processes.watched import WatchedProcess, print_error
from chatapp.settings import BUILTIN, Settings

WORKER = "worker"
HEALTH_PATHS = {CHROMA: "/api/v2/heartbeat", EMBEDDER: "/healthz"}  # 200 if healthy
IDLE_CHECK_SECONDS = 300  # between two starts of the worker without a wake
RACE_SECONDS = 3  # a wake this shortly before the worker ended may have been missed
FIRST_ANSWER_SECONDS = 0.2  # time limit of a health check while a server starts,
ANSWER_SECONDS = 2  # and later
CHECK_SECONDS = 10  # between two health checks
MOST_SILENCES = 3  # failed health checks in a row before a server is killed
OTHER_CHROMA_SECONDS = 10  # how long another Chroma may take to end before that is reported
LOG_BYTES = 1024 * 1024  # a server's log is emptied when it is larger


def expected(settings: Settings) -> tuple[str, ...]:
    """Return the names of the servers that the settings require, here or elsewhere."""
    embeds = settings.embedder == BUILTIN and model_folder() is not None
    return (CHROMA, EMBEDDER) if embeds else (CHROMA,)


def local_helpers(settings: Settings) -> tuple[str, ...]:
    """Return the names of the helpers that this home runs."""
    there = {name for name in expected(settings) if not (name == CHROMA and settings.chroma_url)}
    return tuple(name for name in settings.helpers if name in there | {WORKER})


class DocumentWorker(WatchedProcess):
    """The document worker. It ends when idle; a wake restarts it, and so does a regular check."""

    niceness = 10

    def __init__(self, home: Path) -> None:
        super().__init__(WORKER, home)
        self._woken_at = 0.0
        self._listener: Listener | None = None

    def _check(self) -> None:
        if self._process is None and not self._wait and self._last_wake() > self._woken_at:
            self._start_at = 0.0
        super()._check()
        if self._process is not None and self._listener is not None and self._listener.is_silent():
            print_error("cli.helper_hangs", name=self.name)
            self._send_to_group(signal.SIGKILL)

    def _start(self) -> None:
        self._woken_at = self._last_wake()
        self._listener, beat = Listener.open()
        try:
            command = (sys.executable, "-m", "chatapp.processes.worker", "--heartbeat", str(beat))
            self._run(command, sys.stderr, (beat,))
        except OSError:
            self._stop_listening()
            raise
        finally:
            os.close(beat)

    def _ended(self, status: int) -> None:
        self._stop_listening()
        if status != 0:
            super()._ended(status)
            return
        self._wait = 0.0
        missed = self._last_wake() > max(self._woken_at, time.time() - RACE_SECONDS)
        self._start_at = time.monotonic() + (0 if missed else IDLE_CHECK_SECONDS)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _last_wake(self) -> float:
        try:
            return (self._home / "wake").stat().st_mtime
        except OSError:
            return 0.0


class Server(WatchedProcess):
    """A helper with a port of its own; its output goes to HOME/<name>.log.

    One that runs but does not answer its health checks is killed, and so replaced.
    """

    niceness = 5

    def __init__(self, name: str, home: Path) -> None:
        super().__init__(name, home)
        self._log = home / f"{name}.log"
        self._port = 0
        self._answers = False
        self._checked_at = 0.0
        self._silences = 0
        remove_address(home, name)

    def end(self) -> None:
        """Wait briefly, then kill the process, and remove its address."""
        super().end()
        remove_address(self._home, self.name)

    def command(self, port: int) -> tuple[str, ...]:
        """Return the command that serves on a port."""
        raise NotImplementedError

    def _check(self) -> None:
        super()._check()
        self._cut_log()
        now = time.monotonic()
        if self._process is None or (self._answers and now < self._checked_at + CHECK_SECONDS):
            return
        self._checked_at = now
        if _is_healthy(self._port, HEALTH_PATHS[self.name], self._time_limit()):
            self._silences = 0
            if not self._answers:
                write_address(self._home, self.name, f"{LOOPBACK}:{self._port}")
                wake(self._home)
                self._answers = True
        else:
            self._silences += self._answers
            never_answered = not self._answers and now > self._started_at + START_SECONDS
            if self._silences >= MOST_SILENCES or never_answered:
                self._send_to_group(signal.SIGKILL)

    def _time_limit(self) -> float:
        return ANSWER_SECONDS if self._answers else FIRST_ANSWER_SECONDS

    def _start(self) -> None:
        self._start_with()

    def _start_with(self, *inherited: int) -> None:
        self._port = free_port()
        with open(self._log, "ab") as log:
            self._run(self.command(self._port), log, inherited)

    def _ended(self, status: int) -> None:
        self._answers, self._silences = False, 0
        remove_address(self._home, self.name)
        super()._ended(status)

    def _report_end(self, status: int) -> None:
        print_error(
            "cli.service_ended",
            name=self.name,
            status=status,
            seconds=self._wait,
            file=str(self._log),
        )

    def _cut_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._log.stat().st_size > LOG_BYTES:
                os.truncate(self._log, 0)


class Embedder(Server):
    """The built-in embedding model."""

    def __init__(self, home: Path) -> None:
        super().__init__(EMBEDDER, home)

    def command(self, port: int) -> tuple[str, ...]:
        """Return the command that serves on a port."""
        return embedder_command(LOOPBACK, port)


class Chroma(Server):
    """Chroma's server, alone on its folder."""

    def __init__(self, home: Path) -> None:
        super().__init__(CHROMA, home)
        self._folder = home / "vectors"
        self._inode: int | None = None
        self._report_after: float | None = None
        self._reported_no_folder = False

    def command(self, port: int) -> tuple[str, ...]:
        """Return the command that serves on a port."""
        return chroma_command(self._folder, LOOPBACK, port)

    def _check(self) -> None:
        """End a Chroma whose folder was removed: it answers, but will never write again."""
        if self._answers and self._current_inode() != self._inode:
            self.terminate()
        before = self._answers
        super()._check()
        if self._answers and not before:
            self._inode = self._current_inode()

    def _start(self) -> None:
        if self._folder.exists() and not self._folder.is_dir():
            self._report_no_folder()
            return
        self._reported_no_folder = False
        file = self._home / "chroma.lock"
        lock = try_lock(file, None)
        if lock is None:
            self._report_other(file.read_text("ascii").strip())
            return
        with lock:
            self._report_after = None
            self._start_with(lock.fileno())
            lock.write(str(self.pid))

    def _report_no_folder(self) -> None:
        if not self._reported_no_folder:
            print_error("cli.vectors_no_folder", folder=str(self._folder))
        self._reported_no_folder = True

    def _report_other(self, holder: str) -> None:
        now = time.monotonic()
        if self._report_after is None:
            self._report_after = now + OTHER_CHROMA_SECONDS
        elif now > self._report_after:
            self._report_after = math.inf
            print_error("cli.vectors_taken", folder=str(self._folder), pid=holder)

    def _current_inode(self) -> int | None:
        try:
            return (self._folder / "chroma.sqlite3").stat().st_ino
        except OSError:
            return None


KINDS = {CHROMA: Chroma, EMBEDDER: Embedder, WORKER: DocumentWorker}


class Helpers:
    """All helpers of one home folder."""

    def __init__(self) -> None:
        self._running: dict[str, WatchedProcess] = {}

    def follow(self, settings: Settings) -> None:
        """Start and end helpers as the settings ask; those that run already are not restarted."""
        wanted = local_helpers(settings)
        _end([self._running.pop(name) for name in KINDS if name in self._running.keys() - wanted])
        for name in wanted:
            if name not in self._running:
                self._running[name] = KINDS[name](settings.home)

    def tick(self) -> None:
        """Start, check and replace them."""
        for each in self._running.values():
            each.tick()

    def pids(self) -> set[int]:
        """Return the helpers' process ids."""
        return {each.pid for each in self._running.values() if each.pid is not None}

    def end(self) -> None:
        """End them all."""
        _end(list(self._running.values()))


def _end(processes: list[WatchedProcess]) -> None:
    """End processes at the same time."""
    for each in processes:
        each.terminate()
    for each in processes:
        each.end()


def _is_healthy(port: int, path: str, seconds: float) -> bool:
    """Return whether a server on this machine answers a health check with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((LOOPBACK, port), seconds) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
