"""The process that recognises pages (process.py), seen from the document worker.

It has limits of its own: memory, CPU time per page, and a lower priority than the worker. It is
kept between the pages of a file, because the models take a second to load, and ends with its
worker.
"""

import contextlib
import json
import logging
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from chatapp.child import die_with_parent
from chatapp.knowledge.ingest.sandbox import environment
from chatapp.settings import MB

log = logging.getLogger("chatapp.knowledge")

MEMORY_BYTES = 600 * MB
PAGE_CPU_SECONDS = 300
HUNG_SECONDS = 3600  # for one page, including its pauses
POLL_SECONDS = 0.1
NICENESS = 5  # added to the worker's
MAX_ERRORS_BYTES = MB
LOGGED_CHARACTERS = 300
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
# What ends the process over a limit, and its own faults; all other signals come from outside.
LIMIT_SIGNALS = (signal.SIGPROF, signal.SIGABRT, signal.SIGTRAP, signal.SIGILL)
CRASH_SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGSYS)


class RecogniserEnded(Exception):
    """The process ended while it read a page; `by` is limit, crash, or outside."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


class RecogniserProcess:
    """Starts the process for a file when its first page is asked for."""

    def __init__(self, models: Path, percent: int) -> None:
        self._models = models
        self._percent = percent
        self._path: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def read(self, path: Path, page: int, heartbeat: Callable[[], None]) -> dict[str, Any]:
        """Recognise a page of a file; return its text, lines and turn, or why it is unreadable.

        `heartbeat` is called meanwhile; if it raises, the process is ended. Raises RecogniserEnded,
        and OSError where no process can start.
        """
        try:
            process = self._started(path)
            assert process.stdin is not None
            try:
                process.stdin.write(b"%d\n" % page)
                process.stdin.flush()
            except BrokenPipeError:
                raise RecogniserEnded(self._cause()) from None
            answer: dict[str, Any] = json.loads(self._line(process, heartbeat))
            return answer
        except BaseException:
            self.close()
            raise

    def used(self) -> tuple[float, int]:
        """Return the process's seconds of CPU, and its most megabytes of memory so far (Linux)."""
        assert self._process is not None
        folder = Path(f"/proc/{self._process.pid}")
        times = (folder / "stat").read_text("ascii").rpartition(")")[2].split()[11:13]
        rows = (folder / "status").read_text("ascii").splitlines()
        peak = next(int(row.split()[1]) for row in rows if row.startswith("VmHWM:"))
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), peak // 1024

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._errors):
                with contextlib.suppress(OSError):
                    assert stream is not None
                    stream.close()
        self._process = self._path = self._errors = None

    def _started(self, path: Path) -> subprocess.Popen[bytes]:
        if self._process is not None and self._path == path and self._process.poll() is None:
            return self._process
        self.close()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        self._path = path
        module = "chatapp.knowledge.recognition.process"
        arguments = (path, self._models, self._percent, PAGE_CPU_SECONDS)
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            close_fds=True,
            cwd=Path(__file__).parents[3],
            env=environment() | ONE_THREAD,
            process_group=0,
            preexec_fn=_limits(),
        )
        return self._process

    def _line(self, process: subprocess.Popen[bytes], heartbeat: Callable[[], None]) -> bytes:
        """Wait for a line of output."""
        assert process.stdout is not None
        found = bytearray()
        deadline = time.monotonic() + HUNG_SECONDS
        while time.monotonic() < deadline:
            if select.select([process.stdout], [], [], POLL_SECONDS)[0]:
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    raise RecogniserEnded(self._cause())
                found += piece
                if piece.endswith(b"\n"):
                    return bytes(found)
            else:
                heartbeat()
        raise RecogniserEnded("limit")

    def _cause(self) -> str:
        """Return why the process has ended, and log it."""
        assert self._process is not None and self._errors is not None
        status = self._process.wait()
        self._errors.seek(0)
        tail = self._errors.read().decode(errors="replace").strip()[-LOGGED_CHARACTERS:]
        log.warning("text recognition ended with %s: %s", status, tail.replace("\n", " | "))
        if -status in LIMIT_SIGNALS or "MemoryError" in tail or "bad_alloc" in tail:
            return "limit"
        # A positive status is an exception that no page is to blame for: the file, or the models.
        return "crash" if -status in CRASH_SIGNALS or status > 0 else "outside"


def _limits() -> Callable[[], None]:
    """Return the function that sets the child's limits before it starts."""
    parent = os.getpid()

    def begin() -> None:
        die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:  # it ended before this call
            os.kill(os.getpid(), signal.SIGKILL)
        os.nice(NICENESS)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_ERRORS_BYTES, MAX_ERRORS_BYTES))
        if sys.platform == "linux":  # counts what is written, not the mapped models and libraries
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))

    return begin
