"""Runs a parser in a child process that has limits of time and memory, no open files of ours, and may die."""

import ctypes
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from chatapp.errors import ChatAppError, TooLarge, UnreadableFile, UnsupportedFile
from chatapp.knowledge.formats.document import Document
from chatapp.settings import Settings

log = logging.getLogger("chatapp.knowledge")

POLL_SECONDS = 0.02
MOST_OUTPUT_BYTES = 256 * 1024 * 1024
KINDS = "PDF, DOCX, XLSX, PPTX, ODT, ODS, ODP, EPUB, HTML, MD, TXT, CSV, JSON"  # and source code, as the sentence says
FULL = 3  # exit status of a parser whose document is more than it may write
# By which a parser ends that was stopped for its time or memory; any other signal is a crash over a broken file.
LIMITS = (
    signal.SIGKILL,
    signal.SIGXCPU,
    signal.SIGXFSZ,
    signal.SIGABRT,
    signal.SIGTRAP,
    signal.SIGILL,
)
PR_SET_PDEATHSIG = 1
LOGGED_CHARACTERS = 300


class ParserBroken(Exception):
    """The parser's process did not get as far as the file; the log says why. Not the file's fault."""


def parse_limited(path: Path, name: str, settings: Settings, alive: Callable[[], None]) -> Document:
    """Parse a file in a child; raise UnreadableFile, UnsupportedFile, TooLarge or ParserBroken.

    `alive` is called all the while and may raise.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        command = [
            sys.executable,
            "-m",
            "chatapp.knowledge.ingest.parse",
            str(path),
            name,
            str(settings.file_pages),
        ]
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            close_fds=True,
            cwd=Path(__file__).parents[3],
            env=_environment(),
            preexec_fn=_limits(settings),
        )
        try:
            status = _wait(child, settings.parse_seconds, alive)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
        if said or status:
            log.warning(
                "parser ended with %s: %s", status, said[-LOGGED_CHARACTERS:].replace("\n", " | ")
            )
        if -status in LIMITS or status == FULL:
            raise UnreadableFile("limits")
        if status < 0:
            raise UnreadableFile
        if status:
            raise ParserBroken
        output.seek(0)
        return _outcome(json.load(output), name)


def _environment() -> dict[str, str]:
    """Return what the child may know of our environment: nothing that is secret."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "LC_ALL", "TMPDIR")
        if name in os.environ
    }
    return kept | {"PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}


def _limits(settings: Settings) -> Callable[[], None]:
    """Return what the child does before it becomes the parser."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    seconds, memory = settings.parse_seconds, settings.parse_bytes

    def begin() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_OUTPUT_BYTES, MOST_OUTPUT_BYTES))
        if sys.platform == "linux":  # macOS refuses this limit
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return begin


def _wait(child: subprocess.Popen[bytes], seconds: int, alive: Callable[[], None]) -> int:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return child.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            alive()
        if time.monotonic() > deadline:
            child.kill()
            return child.wait()


def _outcome(loaded: dict[str, dict[str, object]], name: str) -> Document:
    if "document" in loaded:
        return Document.from_json(loaded["document"])
    raise refusal(str(loaded["unreadable"]["reason"]), loaded["unreadable"]["params"], name)  # type: ignore[arg-type]


def refusal(reason: str, params: dict[str, int], name: str) -> ChatAppError:
    """Return our error for a parser's reason."""
    if reason == "unsupported":
        return UnsupportedFile(name=name, kinds=KINDS)
    if reason in ("picture", "sound", "archive", "old_office"):
        return UnsupportedFile(reason, name=name, kinds=KINDS)
    if reason in ("pages", "too_long"):
        return TooLarge(reason, limit=f"{params['limit']:,}")
    return UnreadableFile(None if reason == "damaged" else reason)
