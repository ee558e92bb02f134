"""Starts, watches and ends the helper processes. Standard library only.

    arbiter ──stdin──▶ chatapp.children ──▶ chatapp.worker
            ◀─stdout──

The arbiter (gunicorn.conf.py) sends `start <address>` or `reload`, and gets one line of JSON back: what to show, or null
after a failure whose reason has been printed by then. The end of stdin means leave, and so do SIGTERM and SIGINT. Nothing
here may outlive the arbiter, however it ends, and a second service on the same home folder is refused.

This is a process of its own since an arbiter cannot do it: see the head of gunicorn.conf.py.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatapp.settings import Settings, terminal_language
from chatapp.words import say

TICK_SECONDS = 0.25
LOCK_SECONDS = 10  # how long a service that was killed may take to clear away
LEAVE_SECONDS = 2  # between asking a helper to leave and making it
STEADY_SECONDS = 60  # a helper that ran for so long has recovered
BACK_OFF_SECONDS = (0.5, 60)
LOOK_SECONDS = 300  # between two starts of a helper that nobody woke
RACE_SECONDS = 3  # a wake this shortly before a helper left may have been overlooked
PR_SET_PDEATHSIG = 1
LEAVE_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Helper:
    """A process to keep: one that `stays` is restarted whenever it ends, others when there is something to do."""

    name: str
    command: tuple[str, ...]
    nice: int = 0
    stays: bool = False


HELPERS = (Helper("worker", (sys.executable, "-m", "chatapp.worker"), nice=10),)


def main() -> int:
    """Serve the arbiter until it ends."""
    die_with_parent(signal.SIGTERM)
    home = Settings.from_env().home
    lock = take_home(home)
    if lock is None:
        return 1
    watched = [Watched(helper, home / "wake") for helper in HELPERS]
    for number in LEAVE_SIGNALS:
        signal.signal(number, lambda *_: sys.exit())  # a handler: an ignored signal would be inherited
    try:
        serve(watched)
    finally:
        for number in LEAVE_SIGNALS:
            signal.signal(number, lambda *_: None)
        for each in watched:
            each.ask_to_leave()
        for each in watched:
            each.end()
        lock.close()
    return 0


def serve(watched: list["Watched"]) -> None:
    """Answer the arbiter's requests and look after the helpers, until the arbiter has gone."""
    pending, prepared = b"", False
    while True:
        if select.select([sys.stdin], [], [], TICK_SECONDS)[0]:
            piece = os.read(sys.stdin.fileno(), 4096)
            if not piece:
                return
            *requests, pending = (pending + piece).split(b"\n")
            for request in requests:
                shown = prepare(*request.decode().split())
                prepared = prepared or shown is not None
                print(json.dumps(shown), flush=True)
        if prepared:
            for each in watched:
                each.look()


def prepare(verb: str, address: str = "") -> str | None:
    """Migrate and so on, in a process of its own; return what to show, None where it failed and has said why."""
    command = [sys.executable, "-m", "chatapp", "prepare"]
    if verb == "start":
        command += ["--greet", address]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    return done.stdout if done.returncode == 0 else None


def take_home(home: Path) -> IO[str] | None:
    """Lock the home folder for this service; None, with the reason printed, where another holds it."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(home / "lock", "a+", encoding="ascii")  # noqa: SIM115  it is held until we end
    except OSError:
        _complain("cli.home_unwritable", home=str(home))
        return None
    deadline = time.monotonic() + LOCK_SECONDS
    while not _locked(lock):
        lock.seek(0)
        holder = lock.read().strip()
        if _runs(holder) or time.monotonic() > deadline:
            _complain("cli.home_taken", home=str(home), pid=holder)
            return None
        time.sleep(TICK_SECONDS)
    lock.truncate(0)
    lock.write(str(os.getppid()))  # whoever wants to end the service ends the arbiter
    lock.flush()
    return lock


def helpers_run(home: Path) -> bool:
    """Tell whether some process looks after the helpers of this home folder."""
    try:
        with open(home / "lock", encoding="ascii") as lock:
            return not _locked(lock, fcntl.LOCK_SH)
    except OSError:
        return False


def die_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends, where the kernel can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


class Watched:
    """A helper, the process that runs it, and when to start the next."""

    def __init__(self, helper: Helper, wake: Path) -> None:
        self._helper = helper
        self._wake = wake
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due = 0.0
        self._failures = 0
        self._woken_at = 0.0

    def look(self) -> None:
        """Start the process when it is time to."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._process = None
            self._ended(status)
        if time.monotonic() >= self._due or (not self._failures and self._last_wake() > self._woken_at):
            self._start()

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

    def _start(self) -> None:
        def begin() -> None:
            die_with_parent(signal.SIGKILL)
            os.nice(self._helper.nice)

        self._woken_at = self._last_wake()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self._helper.command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,  # not ours: the arbiter waits for its end
            process_group=0,
            preexec_fn=begin,
        )

    def _ended(self, status: int) -> None:
        """Decide when the next one starts."""
        now = time.monotonic()
        if status == 0 and not self._helper.stays:
            self._failures = 0
            overlooked = self._last_wake() > max(self._woken_at, time.time() - RACE_SECONDS)
            self._due = now if overlooked else now + LOOK_SECONDS
            return
        self._failures = 1 if now - self._started > STEADY_SECONDS else self._failures + 1
        first, longest = BACK_OFF_SECONDS
        wait = min(first * 2 ** (self._failures - 1), longest)
        self._due = now + wait
        _complain("cli.helper_ended", name=self._helper.name, status=status, seconds=wait)

    def _last_wake(self) -> float:
        try:
            return self._wake.stat().st_mtime
        except OSError:
            return 0.0

    def _send(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _locked(lock: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _runs(pid: str) -> bool:
    return pid.isdigit() and (Path("/proc") / pid).exists() if sys.platform == "linux" else pid.isdigit()


def _complain(key: str, **words: str | int | float) -> None:
    print(say(terminal_language(), key, words), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
