"""Starts, watches and ends the helper processes. Standard library only.

    arbiter ──stdin──▶ chatapp.processes.supervisor ──▶ Chroma, embedder, document worker (chatapp/processes/helpers.py)
            ◀─stdout──

The arbiter (gunicorn.conf.py) sends `start <address>` or `reload`, and gets one line of JSON back: what to show, or null
after a failure whose reason has been printed by then. `resume` is for one that was started in the place of another: the
helpers run, nothing is said. The end of stdin means leave, and so do SIGTERM and SIGINT. Nothing here may outlive the
arbiter, however it ends, and a second service on the same home folder is refused.

This is a process of its own since an arbiter cannot do it: see the head of gunicorn.conf.py.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from chatapp import home as home_files
from chatapp.child import die_with_parent
from chatapp.processes.helpers import Chroma, Embedder, Watched, Worker, complain, locked
from chatapp.settings import Settings, SettingsError

TICK_SECONDS = 0.25
LOCK_SECONDS = 10  # how long a service that was killed may take to clear away
LEAVE_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

SERVICES = {home_files.CHROMA: Chroma, home_files.EMBEDDER: Embedder}


def main() -> int:
    """Serve the arbiter until it ends."""
    die_with_parent(signal.SIGTERM)
    try:
        home = Settings.from_env().home
    except SettingsError as fault:
        sys.exit(str(fault))
    lock = take_home(home)
    if lock is None:
        return 1
    kept: dict[str, Watched] = {}
    for number in LEAVE_SIGNALS:
        signal.signal(
            number, lambda *_: sys.exit()
        )  # a handler: an ignored signal would be inherited
    try:
        serve(kept)
    finally:
        for number in LEAVE_SIGNALS:
            signal.signal(number, lambda *_: None)
        end(list(kept.values()))
        home_files.remove_address(home, home_files.WEB)
        lock.close()
    return 0


def serve(kept: dict[str, Watched]) -> None:
    """Answer the arbiter's requests and look after the helpers, until the arbiter has gone."""
    pending = b""
    while True:
        if select.select([sys.stdin], [], [], TICK_SECONDS)[0]:
            piece = os.read(sys.stdin.fileno(), 4096)
            if not piece:
                return
            *requests, pending = (pending + piece).split(b"\n")
            for request in requests:
                obey(kept, *request.decode().split())
        for each in kept.values():
            each.look()


def obey(kept: dict[str, Watched], verb: str, address: str = "") -> None:
    """Do what the arbiter asks for. Helpers run once everything is prepared."""
    if verb == "start":  # a service that was killed could not take its address away
        home_files.remove_address(Settings.from_env().home, home_files.WEB)
    if verb != "resume":
        shown = prepare(verb, address)
        print(json.dumps(shown), flush=True)
        if shown is None:
            return
    keep(kept, Settings.from_env())


def keep(kept: dict[str, Watched], settings: Settings) -> None:
    """Keep the helpers that the settings ask for: what runs already is not touched."""
    wanted = home_files.kept_here(settings)
    end([kept.pop(name) for name in SERVICES if name in kept and name not in wanted])
    for name in wanted:
        if name not in kept:
            kept[name] = SERVICES[name](settings.home)
    kept.setdefault("worker", Worker(settings.home))


def end(those: list[Watched]) -> None:
    """End helpers, all at once."""
    for each in those:
        each.ask_to_leave()
    for each in those:
        each.end()


def prepare(verb: str, address: str = "") -> str | None:
    """Migrate and so on, in a process of its own; return what to show, None where it failed and has said why."""
    command = [sys.executable, "-m", "chatapp", "prepare"]
    if verb == "start":
        command += ["--greet", address]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    return done.stdout if done.returncode == 0 else None


def take_home(home: Path) -> IO[str] | None:
    """Lock the home folder for this service; None, with the reason printed, where another holds it."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(home / "lock", "a+", encoding="ascii")  # noqa: SIM115  it is held until we end
    except OSError:
        complain("cli.home_unwritable", home=str(home))
        return None
    own = str(os.getppid())  # whoever wants to end the service ends the arbiter
    deadline = time.monotonic() + LOCK_SECONDS
    while not locked(lock):
        lock.seek(0)
        holder = lock.read().strip()
        if (holder != own and _runs(holder)) or time.monotonic() > deadline:
            complain("cli.home_taken", home=str(home), pid=holder)
            return None
        time.sleep(TICK_SECONDS)
    lock.truncate(0)
    lock.write(own)
    lock.flush()
    return lock


def _runs(pid: str) -> bool:
    return (
        pid.isdigit() and (Path("/proc") / pid).exists()
        if sys.platform == "linux"
        else pid.isdigit()
    )


if __name__ == "__main__":
    sys.exit(main())
