"""Rendered pages on disk, in the folder `pages` of the home, for all workers of this machine.

Files are named by the SHA-256 of the original, so equal files share them; access is checked by
`views.py`. They are written under another name and renamed, so that no reader sees a part of one,
removed with the original, and the least recently used go when the folder is full. The folder can be
deleted at any time.
"""

import contextlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from chatapp.knowledge.pageview.picture import VERSION
from chatapp.storage.disk import MIN_BYTES, disk_of

FOLDER = "pages"
WRITING = "writing-"
ABANDONED_SECONDS = 3600  # after which an unfinished file is deleted
KEPT_SHARE = 0.9  # of the limit, when the folder is tidied
_PAGE = re.compile(r"[0-9a-f]{64}-\d+-\d+-\d+")


class PageCache:
    """The rendered pages of this home. Its methods wait for the disk: call them in a thread."""

    def __init__(self, home: Path, max_bytes: int) -> None:
        self._home = home
        self.folder = home / FOLDER
        self._max_bytes = max_bytes

    def read(self, sha256: str, page: str) -> bytes | None:
        """Return what is stored for a page, None if nothing is."""
        path = self._path(sha256, page)
        try:
            data = path.read_bytes()
            os.utime(path)  # the least recently used are deleted first
        except OSError:
            return None
        return data

    def write(self, sha256: str, page: str, data: bytes) -> None:
        """Store a page if there is room; a disk that is full or read-only is no error."""
        if len(data) > self._max_bytes:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if disk_of(self.folder).free_bytes() < len(data) + MIN_BYTES:
                return
            new = self.folder / f"{WRITING}{uuid.uuid4().hex}"
            try:
                new.write_bytes(data)
                os.replace(new, self._path(sha256, page))
            finally:
                new.unlink(missing_ok=True)
            self._tidy()

    def remove(self, sha256: str) -> None:
        """Delete all stored pages of a file."""
        remove_pages(self._home, sha256)

    def _path(self, sha256: str, page: str) -> Path:
        return self.folder / f"{sha256}-{VERSION}-{page}"

    def _tidy(self) -> None:
        """Delete the least recently used pages if the folder is larger than its limit."""
        found = sorted(self._stored())
        total = sum(size for _, size, _ in found)
        if total <= self._max_bytes:
            return
        for _, size, path in found:
            if total <= KEPT_SHARE * self._max_bytes:
                break
            with contextlib.suppress(OSError):  # another worker may have deleted it
                os.unlink(path)
            total -= size

    def _stored(self) -> Iterator[tuple[float, int, str]]:
        """Yield time of use, size and path of each page; delete unfinished files that are old."""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if _PAGE.fullmatch(entry.name):
                        yield status.st_mtime, status.st_size, entry.path
                    elif _is_abandoned(entry.name, status.st_mtime):
                        os.unlink(entry.path)


def _is_abandoned(name: str, changed: float) -> bool:
    return name.startswith(WRITING) and changed < time.time() - ABANDONED_SECONDS


def remove_pages(home: Path, sha256: str) -> None:
    """Delete all stored pages of a file."""
    with contextlib.suppress(OSError):
        for path in (home / FOLDER).glob(f"{sha256}-*"):
            path.unlink(missing_ok=True)
