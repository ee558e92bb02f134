"""gunicorn's settings and hooks; `gunicorn wsgi:app` in this folder reads them.

Under `python app.py` the parent prepares the home folder and runs the helpers. Otherwise the
arbiter prepares it before anything listens, and spawns `python -m chatapp helpers`, which ends with
the arbiter. That process is not watched; SIGHUP restarts it if it has ended.

Under `--preload` gevent has patched the arbiter, and its hub never runs: threads do not run and
patched calls block forever. Hence `os.posix_spawn`, the original `waitpid`, and plain files here.
SIGHUP reads this file again, so state that has to survive is an attribute of `server`.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not when it is read again
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback for a Ctrl-C during the imports

import threading
import time
from pathlib import Path
from typing import IO, Any

if sys.version_info < (3, 11):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts"))
    from sentences import sentence

    sys.exit(sentence("old_python", have=f"{sys.version_info[0]}.{sys.version_info[1]}"))

from gevent.monkey import get_original
from gunicorn.app.wsgiapp import WSGIApplication

from chatapp.home import WEB, keep_private, remove_address, take_greeting, write_address
from chatapp.logs import formatter, is_worth_a_line
from chatapp.open_files import other_requests_allowed, raise_file_limit, streams_allowed
from chatapp.processes.environment import helper_environ, is_watched, wait_until_prepared
from chatapp.processes.listening import refuse_taken, shown
from chatapp.processes.supervisor import lock_home
from chatapp.processes.watched import print_error
from chatapp.settings import Settings, SettingsError
from chatapp.web.bodies import Bodies

try:
    SETTINGS = Settings.from_env()
except SettingsError as fault:
    sys.exit(str(fault))

ROOT = Path(__file__).absolute().parent
GRACE_SECONDS = 30  # from SIGTERM until the arbiter kills a worker
DRAIN_SECONDS = GRACE_SECONDS - 5  # for live answers to end; leaves 5 s to save and exit
QUIT_SECONDS = 1  # the same after Ctrl-C
HELPERS_SECONDS = 10  # for the helpers to end
# A live answer is many small objects, none of them garbage.
GC_THRESHOLDS = (10_000, 10, 50)
HEAD_BYTES = 128 * 1024  # single sign-on of a large company sends cookies of 30 KB and more
ADDRESS_BYTES = 8190  # gunicorn allows no more
END_EVENT_SECONDS = 0.1  # for the terminal events to be sent before the worker exits
HUB_SECONDS = 0.001  # sleep(0) does not run the hub's whole loop

keep_private()  # `umask` would also close a Unix socket to the proxy's user
raise_file_limit(SETTINGS.max_streams)

wsgi_app = "wsgi:app"
bind = SETTINGS.bind
workers = SETTINGS.workers
worker_class = "chatapp.web.worker.Worker"
worker_connections = streams_allowed(SETTINGS.max_streams) + other_requests_allowed(
    SETTINGS.max_streams
)
timeout = 60  # without a heartbeat from a worker's hub
graceful_timeout = GRACE_SECONDS
keepalive = 5
control_socket_disable = True
limit_request_field_size = HEAD_BYTES  # and of the whole head, see chatapp/web/worker.py
limit_request_line = ADDRESS_BYTES
# chatapp/web/proxies.py decides which headers of which proxies count.
forwarded_allow_ips = ",".join(map(str, SETTINGS.trusted_proxies))
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
loglevel = "warning"
accesslog = None

waitpid = get_original("os", "waitpid")
# Half of the places beside the streams: other requests need the rest.
bodies = Bodies(SETTINGS, other_requests_allowed(SETTINGS.max_streams) // 2)


# the arbiter


def on_starting(server: Any) -> None:
    """Refuse a taken address in one sentence; lock and prepare the home; start the helpers."""
    # Until gunicorn sets its own handlers, which follow.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, server.signal)
    if is_watched() and not wait_until_prepared():
        sys.exit(1)  # the parent has said why
    refuse_taken(server.cfg, SETTINGS.home)
    if SETTINGS.log_format != "text":
        for handler in server.log.error_log.handlers:
            handler.setFormatter(formatter(SETTINGS.log_format))
    server.helpers = None
    if is_watched():
        return
    lock = lock_home(SETTINGS.home) if SETTINGS.helpers else None
    remove_address(SETTINGS.home, WEB)  # a killed service left it
    if not _prepare(server, lock, "--greet", shown(server.cfg.address[0])):
        sys.exit(1)
    if lock is not None:
        _start_helpers(server, lock)


def when_ready(server: Any) -> None:
    """Write the address file and print the greeting: the port listens now."""
    _write_address(server)
    server.reload = functools.partial(_reload, server)
    if server.cfg.preload_app:
        server.murder_workers = functools.partial(_murder_workers, server)
    greeting = take_greeting(SETTINGS.home).rstrip("\n")
    if greeting:
        print(greeting, end="\n\n", flush=True)


def on_reload(server: Any) -> None:
    """Start helpers that have ended, reload others."""
    _write_address(server)
    if is_watched():
        return
    if _is_child(server.helpers):
        os.kill(server.helpers, signal.SIGHUP)
    elif SETTINGS.helpers:
        with contextlib.suppress(SystemExit):  # others look after this home; that was printed
            _start_helpers(server, lock_home(SETTINGS.home))


def on_exit(server: Any) -> None:
    """End the helpers and wait for their exit."""
    if _is_child(server.helpers):
        os.kill(server.helpers, signal.SIGTERM)
        deadline = time.monotonic() + HELPERS_SECONDS
        while _is_child(server.helpers) and time.monotonic() < deadline:
            time.sleep(0.02)
        if _is_child(server.helpers):  # it hangs; the kernel then ends what it has started
            os.kill(server.helpers, signal.SIGKILL)
    remove_address(SETTINGS.home, WEB)


def _reload(server: Any) -> None:
    """Reload as gunicorn does, unless that cannot work: it would then end the service."""
    try:
        changed = WSGIApplication().cfg
        if changed.address != server.cfg.address:
            refuse_taken(changed, SETTINGS.home)
    except SystemExit as refusal:
        if isinstance(refusal.code, str):
            print(refusal.code, file=sys.stderr, flush=True)
        print_error("cli.reload_failed")
        return
    if is_watched() or _prepare(server, None):
        type(server).reload(server)
    else:
        print_error("cli.reload_failed")


def _prepare(server: Any, lock: IO[str] | None, *options: str) -> bool:
    """Run `python -m chatapp prepare` to its end; return whether it succeeded."""
    pid = _spawn(server, lock, "prepare", *options)
    try:
        return bool(waitpid(pid, 0)[1] == 0)
    except SystemExit:  # a signal
        os.kill(pid, signal.SIGKILL)
        raise


def _start_helpers(server: Any, lock: IO[str]) -> None:
    """Start the helpers' supervisor and pass it the home's lock."""
    options = ("--parent", str(os.getpid()), "--lock", str(lock.fileno()))
    server.helpers = _spawn(server, lock, "helpers", *options)
    lock.close()


def _spawn(server: Any, lock: IO[str] | None, *words: str) -> int:
    """Start a command of ours, in a process group of its own: Ctrl-C reaches the arbiter alone.

    It closes gunicorn's sockets, which are inheritable: if the arbiter is killed, the port is free.
    """
    if lock is not None:
        os.set_inheritable(lock.fileno(), True)
    command = [sys.executable, "-m", "chatapp", *words]
    sockets = [(os.POSIX_SPAWN_CLOSE, listener.fileno()) for listener in server.LISTENERS]
    return os.posix_spawn(
        sys.executable, command, helper_environ(ROOT), file_actions=sockets, setpgroup=0
    )


def _is_child(pid: int | None) -> bool:
    """Return whether a child runs; gunicorn may have reaped it already."""
    try:
        return pid is not None and waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def _write_address(server: Any) -> None:
    """Store the address on which the service listens, for commands in a terminal."""
    listeners = server.LISTENERS  # none with --reuse-port
    address = listeners[0].sock.getsockname() if listeners else server.cfg.address[0]
    if isinstance(address, tuple):
        with contextlib.suppress(OSError):  # a full disk: the commands then need CHATAPP_BIND
            write_address(SETTINGS.home, WEB, shown(address))


def _murder_workers(server: Any) -> None:
    """Also run gevent's hub once in each round of the arbiter's main loop.

    Without it, an arbiter under --preload never notices that a worker has ended.
    """
    type(server).murder_workers(server)
    time.sleep(HUB_SECONDS)


# the workers


def post_fork(server: Any, worker: Any) -> None:
    """Drop the arbiter's handlers: they would swallow signals until gunicorn sets the worker's."""
    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda *_: sys.exit())
    signal.signal(signal.SIGINT, _nothing)
    quit_now = worker.handle_quit
    # gunicorn also ends a worker on SIGINT. From a terminal SIGINT reaches all processes, and a
    # worker that is ended twice prints a traceback.
    worker.handle_quit = lambda number, frame: (
        quit_now(number, frame) if number == signal.SIGQUIT else None
    )


def _nothing(number: int, frame: Any) -> None:
    """Ignore a signal; a handler, since an ignored signal would be inherited."""


def post_worker_init(worker: Any) -> None:
    """Start loading, and waiting for shutdown, in greenlets: threads are patched here."""
    worker.log.error_log.addFilter(is_worth_a_line)
    for target in (_begin, _drain_on_shutdown):
        threading.Thread(target=target, args=(worker,), daemon=True).start()


def pre_request(worker: Any, req: Any) -> None:
    """Limit how long the request's body may take; its head has arrived."""
    bodies.watch(req)


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
    """Discard what is left of the body, and end that limit."""
    bodies.finish(req)


def worker_int(worker: Any) -> None:
    """Save live answers and end at once (Ctrl-C).

    gunicorn would raise SystemExit from a greenlet while the main one ends too: a traceback.
    """
    _drain(worker, QUIT_SECONDS)
    time.sleep(END_EVENT_SECONDS)
    os._exit(0)


def worker_exit(server: Any, worker: Any) -> None:
    """Keep the worker while it writes answers; gunicorn only waits for connections."""
    _drain(worker, DRAIN_SECONDS)


def _begin(worker: Any) -> None:
    """Load what the first question needs; start the loops, which also reap dead workers' runs."""
    services = _services(worker)
    if services is not None:
        services.runs.begin()
        services.suppliers.preload()
        # What is loaded by now is permanent. Collecting it again paused all streams for 100 ms,
        # twice a minute.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)


def _drain_on_shutdown(worker: Any) -> None:
    while worker.alive:
        time.sleep(0.2)
    _drain(worker, DRAIN_SECONDS)


def _drain(worker: Any, seconds: float) -> None:
    """Wait this long for live answers, then save them as interrupted; a second call joins in."""
    services = _services(worker)
    if services is not None:
        services.runs.drain(seconds)
        services.figures.publish()


def _services(worker: Any) -> Any:
    app = getattr(worker, "wsgi", None)  # none in a worker that is still loading
    return getattr(app, "extensions", {}).get("chatapp")
