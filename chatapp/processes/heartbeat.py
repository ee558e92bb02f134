"""Heartbeats of a helper without a port, through a pipe. Standard library only.

A thread of the helper writes a byte a second while the main thread has made progress within
`STEP_SECONDS`. So neither a busy machine nor a long step looks like a hang; a process that is
stopped, holds the interpreter's lock or blocks forever does.
"""

import contextlib
import os
import threading
import time

BEAT_SECONDS = 1
SILENT_SECONDS = 30  # after which a helper counts as hung
START_SECONDS = 120  # the same, before the first heartbeat
STEP_SECONDS = 900  # the longest step of a main thread; time limits of calls are far shorter


class Listener:
    """The supervisor's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._silent_at = time.monotonic() + START_SECONDS

    @classmethod
    def open(cls) -> tuple["Listener", int]:
        """Return a listener, and the descriptor that the helper inherits."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        return cls(reader), writer

    def is_silent(self) -> bool:
        """Return whether there was no heartbeat for too long."""
        with contextlib.suppress(BlockingIOError):
            if os.read(self._descriptor, 4096):
                self._silent_at = time.monotonic() + SILENT_SECONDS
        return time.monotonic() > self._silent_at

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._descriptor)


class Heartbeat:
    """The helper's end of the pipe; without a descriptor nothing is sent."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._progressed_at = time.monotonic()
        if descriptor is not None:
            os.set_blocking(descriptor, False)
            threading.Thread(target=self._beat, daemon=True).start()

    def progress(self) -> None:
        """Record that the main thread has made progress."""
        self._progressed_at = time.monotonic()

    def _beat(self) -> None:
        assert self._descriptor is not None
        while True:
            if time.monotonic() - self._progressed_at < STEP_SECONDS:
                try:
                    os.write(self._descriptor, b".")
                except BlockingIOError:  # the supervisor has not read for a while
                    pass
                except OSError:
                    return
            time.sleep(BEAT_SECONDS)
