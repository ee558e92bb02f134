"""How gunicorn runs the service: `gunicorn` or `gunicorn wsgi:app` in this folder needs nothing else.

The arbiter starts `python -m chatapp.processes.supervisor` before anything listens, and talks to it in lines over two pipes; the end
of its stdin, however the arbiter ends, means leave. Three things to know before changing this:

- Under `--preload` the arbiter is patched by gevent when `on_starting` runs, and its hub never does: threads do not run, and
  even `os.close` only promises to. So nothing but `os.posix_spawn`, `os.pipe` and raw files here, and no `waitpid` either
  (gunicorn's own takes every status).
- SIGHUP reads this file again: what has to last is kept on `server`.
- Workers inherit the pipes by fork: they close them first thing, or the end of the arbiter would go unnoticed.

gunicorn has no hook for what should happen once in a while. Its main loop calls `murder_workers` in every round, each second
or when a signal comes, and nobody else does, neither a start nor a reload nor an end: `_look_after_children` puts itself there.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import io
import json
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

if sys.version_info < (3, 11):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts"))
    from sentences import sentence

    sys.exit(sentence("old_python", have=f"{sys.version_info[0]}.{sys.version_info[1]}"))

from chatapp import home as home_files
from chatapp.i18n import say
from chatapp.logs import is_worth_a_line
from chatapp.settings import (
    Settings,
    SettingsError,
    other_requests_allowed,
    raise_file_limit,
    streams_allowed,
    terminal_language,
)

try:
    SETTINGS = Settings.from_env()
except SettingsError as fault:
    sys.exit(str(fault))

ROOT = os.path.dirname(os.path.abspath(__file__))
GRACE_SECONDS = 30  # until the arbiter kills a worker that was told to leave
DRAIN_SECONDS = GRACE_SECONDS - 5  # the rest is for saving and leaving
QUIT_SECONDS = 1
GC_THRESHOLDS = (
    10_000,
    10,
    50,
)  # a live answer is many small objects, and none of them are garbage
LAST_WORDS_SECONDS = 0.1  # for readers to be told how their answers ended
STEADY_SECONDS = 60  # children that ran for so long have recovered
BETWEEN_STARTS_SECONDS = (1, 60)
HUB_SECONDS = 0.001  # 0 would not do: that is no full turn

raise_file_limit(SETTINGS.max_streams)

wsgi_app = "wsgi:app"
bind = SETTINGS.bind
workers = SETTINGS.workers
worker_class = "gevent"
worker_connections = streams_allowed(SETTINGS.max_streams) + other_requests_allowed(
    SETTINGS.max_streams
)
timeout = 60  # without a sign of life from a worker's hub
graceful_timeout = GRACE_SECONDS
keepalive = 5
control_socket_disable = True
forwarded_allow_ips = "127.0.0.1,::1"
loglevel = "warning"
accesslog = None


# the arbiter


def on_starting(server: Any) -> None:
    """Refuse what cannot work in one sentence, then lock the home folder and prepare it."""
    signal.signal(
        signal.SIGINT, lambda *_: sys.exit(130)
    )  # until gunicorn sets its own: no traceback for a Ctrl-C
    _refuse_taken_address(server)
    _start_children(server)
    server.greeting = _ask(server, "start", _shown(server.cfg.address[0]))
    if server.greeting is None:
        sys.exit(1)
    _look_after_children(server)


def when_ready(server: Any) -> None:
    """Say, now that it is true, where the service listens."""
    _leave_address(server)
    print(server.greeting.rstrip("\n"), end="\n\n", flush=True)


def on_reload(server: Any) -> None:
    """Prepare again, for what a new version may bring. The helpers go on, but for what the settings have changed."""
    _look_after_children(server)
    if _children_gone(server):
        _start_children(server)
    _leave_address(server)
    if _ask(server, "reload") is None:
        server.log.error("Preparing failed; the service goes on as it is.")


def on_exit(server: Any) -> None:
    """Send the helpers away, and wait until they have gone."""
    to_children, from_children = server.children
    to_children.close()
    from_children.readall()


def _leave_address(server: Any) -> None:
    """Leave in the home folder where the service listens, for the terminal's commands; `chatapp.processes.supervisor` takes it away."""
    address = (
        server.LISTENERS[0].sock.getsockname() if server.LISTENERS else server.cfg.address[0]
    )  # none with --reuse-port
    if isinstance(address, tuple):
        with contextlib.suppress(OSError):  # a full disk: the commands then need CHATAPP_BIND
            home_files.write_address(SETTINGS.home, home_files.WEB, _shown(address))


def _look_after_children(server: Any) -> None:
    """Look in every round of the arbiter's main loop, beside what it does there anyway."""
    server.murder_workers = functools.partial(_murder_workers_and_look, server)


def _murder_workers_and_look(server: Any) -> None:
    type(server).murder_workers(server)
    time.sleep(
        HUB_SECONDS
    )  # under --preload only gevent's hub learns that a worker has ended, and without this it never runs
    if _children_gone(server) and time.monotonic() >= server.children_due:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(say(terminal_language(), "cli.children_ended"), file=sys.stderr, flush=True)
        with contextlib.suppress(
            OSError
        ):  # no more files or processes just now: the arbiter has to live
            _start_children(server)
            _tell(server, "resume")
            _leave_address(server)


def _children_gone(server: Any) -> bool:
    """Tell whether the children have ended: unasked they say nothing, so only the end of their pipe can be read."""
    pipe = server.children[1]
    os.set_blocking(pipe.fileno(), False)
    try:
        return bool(pipe.read(1) == b"")
    finally:
        os.set_blocking(pipe.fileno(), True)


def _start_children(server: Any) -> None:
    """Start them, in the place of others if need be, and set how long the next start has to wait."""
    now = time.monotonic()
    first, longest = BETWEEN_STARTS_SECONDS
    last, wait = getattr(server, "children_started", (0.0, 0.0))
    wait = first if not wait or now - last > STEADY_SECONDS else min(wait * 2, longest)
    server.children_started, server.children_due = (now, wait), now + wait
    theirs_in, to_children = _pipe()
    from_children, theirs_out = _pipe()
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "chatapp.processes.supervisor"],
        {**os.environ, "PYTHONPATH": path},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, theirs_in.fileno(), 0),
            (os.POSIX_SPAWN_DUP2, theirs_out.fileno(), 1),
        ],
        setpgroup=0,  # Ctrl-C reaches the arbiter alone, which ends the rest in order
    )
    theirs_in.close()
    theirs_out.close()
    for end in getattr(server, "children", ()):
        end.close()
    server.children = (to_children, from_children)


def _pipe() -> tuple[io.FileIO, io.FileIO]:
    reader, writer = os.pipe()
    return io.FileIO(reader, "r"), io.FileIO(writer, "w")


def _ask(server: Any, *words: str) -> str | None:
    """Send a line to the children and return what they say; None where they failed, and have said why."""
    _tell(server, *words)
    answer = b""
    while not answer.endswith(b"\n"):
        piece = server.children[1].read(65536)
        if not piece:
            return None
        answer += piece
    said: str | None = json.loads(answer)
    return said


def _tell(server: Any, *words: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        server.children[0].write((" ".join(words) + "\n").encode())


def _refuse_taken_address(server: Any) -> None:
    """Try every address before anything is started; gunicorn itself would try five times, with tracebacks of log lines."""
    if server.cfg.reuse_port or {"GUNICORN_FD", "LISTEN_FDS"} & set(os.environ):
        return
    for address in server.cfg.address:
        if not isinstance(address, tuple):
            continue
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except PermissionError:
                _end("cli.port_not_allowed", address)
            except OSError as fault:
                _end(
                    _whose(address[1])
                    if fault.errno == errno.EADDRINUSE
                    else "cli.address_unknown",
                    address,
                )


def _whose(port: int) -> str:
    """Return the key that says whether a port is taken by the service of this same home folder, or by another program."""
    return (
        "cli.runs_already"
        if (home_files.running(SETTINGS.home) or "").endswith(f":{port}")
        else "cli.port_taken"
    )


def _end(key: str, address: tuple[str, int]) -> None:
    other = f"{address[0]}:{address[1] + 1 if address[1] >= 1024 else 8000}"
    url = home_files.url_of(_shown(address))
    sys.exit(
        say(
            terminal_language(),
            key,
            {"host": address[0], "port": address[1], "other": other, "url": url},
        )
    )


def _shown(address: Any) -> str:
    if not isinstance(address, tuple):
        return f"unix:{address}"
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


# the workers


def post_fork(server: Any, worker: Any) -> None:
    """Let go of the arbiter's pipes, and of its handlers: they would swallow signals until gunicorn sets the worker's."""
    for end in server.children:
        end.close()
    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda *_: sys.exit())
    signal.signal(signal.SIGINT, _nothing)
    quit_now = worker.handle_quit
    # gunicorn lets SIGINT end a worker too; from a terminal it reaches all, and the second end is a traceback
    worker.handle_quit = lambda number, frame: (
        quit_now(number, frame) if number == signal.SIGQUIT else None
    )


def _nothing(number: int, frame: Any) -> None:
    """Ignore a signal in a way that no other process inherits."""


def post_worker_init(worker: Any) -> None:
    """Begin, and wait for the moment when the worker is told to leave: in greenlets, as threads are patched here."""
    worker.log.error_log.addFilter(is_worth_a_line)
    for target in (_begin, _drain_when_leaving):
        threading.Thread(target=target, args=(worker,), daemon=True).start()


def worker_int(worker: Any) -> None:
    """Save what there is, soon, and end at once: somebody pressed Ctrl-C.

    gunicorn would raise SystemExit from a greenlet, and that may meet the end that the main one is already coming to: a
    traceback of the interpreter's last moment.
    """
    _drain(worker, QUIT_SECONDS)
    time.sleep(LAST_WORDS_SECONDS)
    os._exit(0)


def worker_exit(server: Any, worker: Any) -> None:
    """Hold the worker while answers are written: gunicorn lets it go when the last connection has closed."""
    _drain(worker, DRAIN_SECONDS)


def _begin(worker: Any) -> None:
    """Load what the first question needs, and look after answers that others left behind."""
    services = _services(worker)
    if services is not None:
        services.runs.begin()
        services.suppliers.preload()
        # What is loaded by now stays. Looking through it again and again held all streams for 100 ms, twice a minute.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)


def _drain_when_leaving(worker: Any) -> None:
    while worker.alive:
        time.sleep(0.2)
    _drain(worker, DRAIN_SECONDS)


def _drain(worker: Any, seconds: float) -> None:
    """Let live answers end for that long, then save them as interrupted; of several calls the first sets the time."""
    services = _services(worker)
    if services is not None:
        services.runs.drain(seconds)


def _services(worker: Any) -> Any:
    app = getattr(worker, "wsgi", None)  # none in a worker that is still loading
    return getattr(app, "extensions", {}).get("chatapp")
