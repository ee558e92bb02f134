"""What text recognition needs of its surroundings: the process, memory, and a lock."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

from chatapp.home import RECOGNITION_FOLDER, try_lock
from chatapp.knowledge.recognition.available import NEEDED_BYTES, free_bytes, why_not
from chatapp.knowledge.recognition.sandboxed import RecogniserProcess
from chatapp.settings import Settings


class Reader(Protocol):
    """Reads one page of a file."""

    def read(self, path: Path, page: int, heartbeat: Callable[[], None]) -> dict[str, Any]:
        """Return the page's text, lines and turn, or why it is unreadable."""

    def close(self) -> None:
        """End the process."""


class Machine:
    """A machine on which at most one process recognises text."""

    def __init__(
        self,
        reader: Reader,
        lock: Path,
        why_not: Callable[[], str | None] = lambda: None,
        free: Callable[[], int] = free_bytes,
    ) -> None:
        self.reader = reader
        self.why_not = why_not
        self._free = free
        self._path = lock
        self._lock: IO[str] | None = None
        self._runs = False

    @classmethod
    def of(cls, settings: Settings) -> "Machine":
        """Return this machine."""
        reader = RecogniserProcess(RECOGNITION_FOLDER, settings.ocr_cpu)
        return cls(reader, settings.home / "ocr.lock", partial(why_not, settings))

    def enter(self) -> bool:
        """Return whether this process may recognise text: no other one does."""
        self._lock = self._lock or try_lock(self._path, None)
        return self._lock is not None

    def has_memory(self) -> bool:
        """Return whether enough memory is free, or taken already by the process that runs."""
        self._runs = self._runs or self._free() >= NEEDED_BYTES
        return self._runs

    def leave(self) -> None:
        """End the process, and let another one begin."""
        self.reader.close()
        self._runs = False
        if self._lock is not None:
            self._lock.close()
            self._lock = None
