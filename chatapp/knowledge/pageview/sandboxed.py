"""Runs render.py or reencode.py in a child process, at most SLOTS at a time on this machine.

Call it in a native thread: it waits. The child is started by `posix_spawn`, which copies nothing of
a web worker's memory, and sets its own limits (child.py) before it opens the file.
"""

import contextlib
import fcntl
import os
import signal
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from chatapp.knowledge.ingest.sandbox import CRASH_SIGNALS, LIMIT_SIGNALS, environment
from chatapp.knowledge.pageview.picture import MAX_BYTES, fault_bytes
from chatapp.storage.threads import posix_spawn, waitpid

SLOTS = 2
SECONDS = 30  # for a page, of the clock and of the processor
READ_BYTES = 256 * 1024
ROOT = Path(__file__).parents[3]
# Signals that say something about the page: a crash, or a limit. All others come from outside.
_OF_THE_PAGE = (*LIMIT_SIGNALS, *CRASH_SIGNALS, signal.SIGALRM)
_RESET = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, *_OF_THE_PAGE)


class RendererEnded(Exception):
    """The child was ended from outside, which says nothing about the page."""


def render_limited(path: Path, page: int, turned: int, memory_bytes: int) -> bytes:
    """Return a page, turned clockwise by so many degrees, as picture.py packs it; one that ends
    the renderer as a page that cannot be shown.

    Raises RendererEnded, and OSError where no child can start.
    """
    return _made("render", (str(path), str(page), str(turned)), memory_bytes)


def reencode_limited(path: Path, max_pixels: int, memory_bytes: int) -> bytes:
    """Return a picture without its metadata, as picture.py packs it; one that ends the child as a
    picture that cannot be shown. Raises as `render_limited`."""
    return _made("reencode", (str(path), str(max_pixels)), memory_bytes)


def _made(name: str, arguments: Sequence[str], memory_bytes: int) -> bytes:
    output, status = _run(f"chatapp.knowledge.pageview.{name}", arguments, memory_bytes)
    if len(output) > MAX_BYTES:
        return fault_bytes("output")
    if status == 0:
        return output
    if -status in _OF_THE_PAGE:
        return fault_bytes(f"signal {-status}")
    raise RendererEnded(status)


def _run(module: str, arguments: Sequence[str], memory_bytes: int) -> tuple[bytes, int]:
    """Return the child's output and status (a signal as a negative number)."""
    limits = map(str, (os.getpid(), SECONDS, memory_bytes))
    read_end, write_end = os.pipe()  # neither is inherited: file_actions copies one
    try:
        child = posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", module, *arguments, *limits],
            environment() | {"PYTHONPATH": str(ROOT)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, write_end, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setpgroup=0,
            setsigmask=(),
            setsigdef=_RESET,
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    try:
        output = _read(read_end)
    finally:
        os.close(read_end)  # one that writes too much ends by it
        _, status = waitpid(child, 0)
    return output, os.waitstatus_to_exitcode(status)


def _read(pipe: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size <= MAX_BYTES and (piece := os.read(pipe, READ_BYTES)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


@contextlib.contextmanager
def slot(folder: Path, page: str) -> Iterator[None]:
    """Wait for the slot of a page, a locked file which the workers of this machine share.

    The same page has the same slot, so that a second one who wants it finds it rendered.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / f"slot-{zlib.crc32(page.encode()) % SLOTS}", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
