"""Runs the parser in a child process with time and memory limits and no inherited files.

A file fails only because of its own parser: a limit that it reaches, or a crash that repeats. A
parser that was ended from outside (a stop of the service, `kill`, no memory left on the machine)
says nothing about the file. It runs in a process group of its own, so that signals to the worker's
group do not reach it.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from chatapp.child import limit
from chatapp.errors import (
    ChatAppError,
    OriginalMissing,
    TooLarge,
    UnreadableFile,
    UnsupportedFile,
)
from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.formats.registry import SUPPORTED
from chatapp.knowledge.ingest.parse import OUTPUT_FULL
from chatapp.settings import Settings

log = logging.getLogger("chatapp.knowledge")

POLL_SECONDS = 0.02
STOP_SECONDS = 1  # in which a signal that has ended the parser may reach this process too
MAX_CRASHES = 2
MAX_OUTPUT_BYTES = 256 * 1024 * 1024
# Signals that end a parser over its time or memory limit, and those of its own faults. All others
# come from outside, SIGKILL too: the limits end no parser by it.
LIMIT_SIGNALS = (
    signal.SIGXCPU,
    signal.SIGXFSZ,
    signal.SIGABRT,
    signal.SIGTRAP,
    signal.SIGILL,
)
CRASH_SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGSYS)
LOGGED_CHARACTERS = 300


class ParserEnded(Exception):
    """The parser's process ended for a reason other than the file, which the log names."""


def parse_limited(
    path: Path, name: str, settings: Settings, heartbeat: Callable[[], None], charset: str = ""
) -> Document:
    """Parse a file in a child process; `charset` is what its server says of a text.

    `heartbeat` is called while the child runs; if it raises, the child is killed. Raises
    UnreadableFile, UnsupportedFile, TooLarge, OriginalMissing, ParserEnded, and OSError where no
    child can start.
    """
    for _ in range(MAX_CRASHES):
        with (
            tempfile.TemporaryFile() as output,
            tempfile.TemporaryFile() as errors,
            tempfile.TemporaryDirectory(prefix="parse-", ignore_cleanup_errors=True) as scratch,
        ):
            child = _start(path, name, charset, settings, output, errors, scratch)
            status = _run(child, settings.parse_seconds, heartbeat)
            _log(status, errors)
            if status == 0:
                output.seek(0)
                return _outcome(json.load(output), name)
        if -status in LIMIT_SIGNALS or status == OUTPUT_FULL:
            raise UnreadableFile("limits")
        if -status not in CRASH_SIGNALS:
            _wait_for_stop(heartbeat)
            raise ParserEnded
    raise UnreadableFile


def _start(
    path: Path,
    name: str,
    charset: str,
    settings: Settings,
    output: IO[bytes],
    errors: IO[bytes],
    scratch: str,
) -> subprocess.Popen[bytes]:
    module = "chatapp.knowledge.ingest.parse"
    return subprocess.Popen(
        [sys.executable, "-m", module, str(path), name, str(settings.file_pages), charset],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        close_fds=True,
        cwd=Path(__file__).parents[3],
        env=environment() | {"TMPDIR": scratch},
        process_group=0,
        preexec_fn=_limits(settings),
    )


def _run(child: subprocess.Popen[bytes], seconds: int, heartbeat: Callable[[], None]) -> int:
    """Wait for the child and return its status; after so many seconds, kill it and raise
    UnreadableFile."""
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                return child.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                heartbeat()
            if time.monotonic() > deadline:
                raise UnreadableFile("limits")
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)  # it may have processes of its own
            child.wait()


def _log(status: int, errors: IO[bytes]) -> None:
    errors.seek(0)
    message = errors.read().decode(errors="replace").strip()
    if message or status:
        tail = message[-LOGGED_CHARACTERS:].replace("\n", " | ")
        log.warning("parser ended with %s: %s", status, tail)


def _wait_for_stop(heartbeat: Callable[[], None]) -> None:
    """Give `heartbeat` time to raise where the parser was ended together with this process."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        heartbeat()
        time.sleep(POLL_SECONDS)


def environment() -> dict[str, str]:
    """Return the child's environment, which holds no secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}


def _limits(settings: Settings) -> Callable[[], None]:
    """Return the function that sets the child's limits before it starts the parser."""
    seconds, memory, parent = settings.parse_seconds, settings.parse_bytes, os.getpid()
    return lambda: limit(parent, seconds, memory, MAX_OUTPUT_BYTES)


def _outcome(loaded: dict[str, dict[str, object]], name: str) -> Document:
    if "document" in loaded:
        return Document.from_json(loaded["document"])
    raise error_for(str(loaded["unreadable"]["reason"]), loaded["unreadable"]["params"], name)  # type: ignore[arg-type]


def error_for(reason: str, params: dict[str, int], name: str) -> ChatAppError:
    """Return the error for a parser's reason."""
    if reason == "unsupported":
        return UnsupportedFile(name=name, kinds=SUPPORTED)
    if reason in ("picture", "sound", "archive", "old_office"):
        return UnsupportedFile(reason, name=name, kinds=SUPPORTED)
    if reason == "missing":
        return OriginalMissing()
    if reason in ("pages", "too_long"):
        return TooLarge(reason, limit=f"{params['limit']:,}")
    return UnreadableFile(None if reason == "damaged" else reason)
