"""The parent of a service's processes. Standard library only: it must stay small and unpatched.

    python app.py             supervisor ─┬─ gunicorn's arbiter ── web workers
                                          ├─ Chroma
                                          ├─ embedder
                                          └─ document worker ── a parser for each file

    gunicorn wsgi:app         arbiter ─┬─ web workers
                                       └─ supervisor of the helpers alone ── Chroma, …

    python -m chatapp helpers          supervisor of the helpers alone ── Chroma, …

The supervisor holds the lock on the data folder, runs `python -m chatapp prepare` to its end before
anything listens, then starts the processes and restarts those that end or hang (watched.py). The
arbiter, which takes a second to load, is started beside `prepare` and waits for its end.
SIGHUP reloads gunicorn and follows changed settings, after a start that is under way; SIGTERM,
SIGINT and SIGQUIT end everything. All of these have handlers, since children would inherit ignored
signals. No process outlives the supervisor, even after SIGKILL: the kernel then ends its children.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import IO

from chatapp.child import adopt_orphans, die_with_parent
from chatapp.home import (
    WEB,
    HomeTaken,
    keep_private,
    remove_address,
    take_lock,
    why_unwritable,
)
from chatapp.processes.helpers import Helpers
from chatapp.processes.watched import print_error
from chatapp.processes.web_server import WebServer
from chatapp.setting_types import HELPERS
from chatapp.settings import Settings, SettingsError

TICK_SECONDS = 0.25
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
FORWARDED_SIGNALS = (signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1)
INFORMATION_OPTIONS = {"-h", "--help", "-v", "--version", "--check-config", "--print-config"}


def run_service(options: list[str]) -> int:
    """Run everything until a signal or gunicorn ends it; return the exit status."""
    if INFORMATION_OPTIONS & set(options):
        os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *options, "wsgi:app"])
    keep_private()
    signals = _begin_signals()
    settings = _settings()
    address = _listening_address(options)
    lock = lock_home(settings.home) if settings.helpers else None
    remove_address(settings.home, WEB)  # a killed service left it
    web = WebServer(settings.home, tuple(options))
    with web.waiting():
        prepare(lock, "--greet", address)
    return Supervisor(settings, web, signals, prepares=True).run()


def run_helpers(parent: int | None, lock: int | None) -> int:
    """Run the helpers alone until a signal, or until the given parent ends.

    With an inherited lock the home is already prepared.
    """
    if parent is not None:
        die_with_parent(signal.SIGTERM)
    keep_private()
    signals = _begin_signals()
    settings = _settings()
    held: IO[str] = lock_home(settings.home) if lock is None else open(lock, "a+")  # noqa: SIM115
    os.set_inheritable(held.fileno(), False)
    if lock is None:
        prepare(held, "--helpers")
    return Supervisor(settings, None, signals, prepares=lock is None, parent=parent).run()


class Supervisor:
    """The main loop: signals, gunicorn under `python app.py`, the helpers."""

    def __init__(
        self,
        settings: Settings,
        web: WebServer | None,
        signals: deque[int],
        *,
        prepares: bool,
        parent: int | None = None,
    ) -> None:
        self._home = settings.home
        self._web = web
        self._prepares = prepares
        self._parent = parent
        self._helpers = Helpers()
        self._follow(settings)
        self._signals = signals
        self._ending = False

    def run(self) -> int:
        """Run until everything has ended."""
        for number in END_SIGNALS:
            signal.signal(number, lambda number, _: self._signals.append(number))
        adopt_orphans()
        status = 0
        try:
            while not self._has_ended():
                self._tick()
                time.sleep(TICK_SECONDS)
                while self._signals:
                    self._handle(self._signals.popleft())
                status = (self._web.exit_status or 0) if self._web is not None else 0
        finally:
            self._helpers.end()
            if self._web is not None or self._parent is not None:
                remove_address(self._home, WEB)
        return status

    def _tick(self) -> None:
        if self._web is not None and not self._ending:
            self._web.tick()
        self._helpers.tick()
        self._reap_orphans()

    def _has_ended(self) -> bool:
        if self._web is None:
            return self._ending or self._parent not in (None, os.getppid())
        return self._web.exit_status is not None or (self._ending and self._web.has_ended())

    def _handle(self, number: int) -> None:
        if number in END_SIGNALS:
            self._ending = True
            if self._web is not None:
                self._web.shut_down(number)
        elif number == signal.SIGHUP:
            self._reload()
        elif self._web is not None:
            self._web.send(number)

    def _reload(self) -> None:
        """Prepare again, for a possibly newer version; reload gunicorn; follow the settings."""
        try:
            if self._prepares:
                prepare(None, *(["--helpers"] if self._web is None else []))
            settings = Settings.from_env()
        except (SystemExit, SettingsError) as fault:
            if isinstance(fault, SettingsError):
                print(fault, file=sys.stderr, flush=True)
            print_error("cli.reload_failed")
            return
        if self._web is not None:
            self._web.send(signal.SIGHUP)
        self._follow(settings)

    def _follow(self, settings: Settings) -> None:
        """Run the helpers of the settings; `python -m chatapp helpers` runs all if they say off."""
        alone = self._web is None and self._parent is None
        if alone and not settings.helpers:
            settings = replace(settings, helpers=HELPERS)
        self._helpers.follow(settings)

    def _reap_orphans(self) -> None:
        """Reap orphaned descendants, as PID 1 has to."""
        if sys.platform != "linux":
            return
        own = self._helpers.pids() | ({self._web.pid} if self._web is not None else set())
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in own:
                    return  # the next tick polls its exit status
                os.waitpid(ended.si_pid, 0)


def lock_home(home: Path) -> IO[str]:
    """Lock the home folder; exit with a sentence if it cannot be used."""
    try:
        return take_lock(home)
    except HomeTaken as taken:
        print_error("cli.home_taken", home=str(home), pid=taken.pid)
    except OSError:
        key, params = why_unwritable(home) or ("home_unwritable", {"home": str(home)})
        print_error(f"cli.{key}", **params)
    sys.exit(1)


def prepare(lock: IO[str] | None, *options: str) -> None:
    """Run `python -m chatapp prepare` to its end; exit if it fails, which prints why."""
    done = subprocess.run(
        [sys.executable, "-m", "chatapp", "prepare", *options],
        stdin=subprocess.DEVNULL,
        pass_fds=() if lock is None else (lock.fileno(),),
        process_group=0,
        preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        check=False,
    )
    if done.returncode != 0:
        sys.exit(1)


def _begin_signals() -> deque[int]:
    """Exit at signals that end; return where all others are kept for the main loop."""
    signals: deque[int] = deque()
    for number in END_SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    for number in (*FORWARDED_SIGNALS, signal.SIGHUP):
        signal.signal(number, lambda number, _: signals.append(number))
    return signals


def _settings() -> Settings:
    try:
        return Settings.from_env()
    except SettingsError as fault:
        sys.exit(str(fault))


def _listening_address(options: list[str]) -> str:
    """Return the address on which gunicorn will listen; exit if the child refuses it."""
    command = [sys.executable, "-m", "chatapp.processes.listening", *options]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        process_group=0,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout.strip()


def main() -> int:
    """`python -m chatapp.processes.supervisor [PARENT LOCK]`: the helpers alone."""
    parent, lock = map(int, sys.argv[1:]) if sys.argv[1:] else (None, None)
    return run_helpers(parent, lock)


if __name__ == "__main__":
    sys.exit(main())
