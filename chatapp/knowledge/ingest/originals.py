"""Uploaded files as they came: one folder, each file under the SHA-256 of its bytes. Nobody else touches that folder.

An upload is written once, while it arrives, under a name of ours; what the sender called it never becomes a path. It gets
its final name in the same transaction that stores its row, and loses it in the one that removes the last row.
"""

import errno
import hashlib
import io
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatapp.errors import ChatAppError, DiskFull, TooLarge, UnreadableFile
from chatapp.settings import MB

PIECE_BYTES = 256 * 1024
ABANDONED_SECONDS = 24 * 3600  # after which an upload that never ended is cleared away
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Stored:
    """What an upload turned out to be."""

    sha256: str
    md5: str
    size: int


class Incoming(io.RawIOBase):
    """A file while it arrives: written, counted and hashed in one go. A fault is kept until the end, so that others go on."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__()
        self._path = path
        self._limit = limit
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self._fault: ChatAppError | None = None
        self.size = 0
        self._file: IO[bytes] = open(path, "xb")  # noqa: SIM115  closed by finish or discard

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Take the next bytes; those over the limit are only counted."""
        time.sleep(0)  # lets others run: a fast sender would keep the hub for the whole upload
        self.size += len(data)
        if self.size > self._limit:
            self._fault = self._fault or TooLarge(limit=f"{self._limit // MB} MB")
        if self._fault is None:
            try:
                self._file.write(data)
            except OSError as error:
                if error.errno not in _DISK_FULL:
                    raise
                self._fault = DiskFull()
            self._sha256.update(data)
            self._md5.update(data)
        return len(data)

    def writable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Close the file: who wrote it rewinds it at its end, and it is read by its final name only.

        A request may bring a thousand files; they must not stay open until the last has come.
        """
        self._close()
        return 0

    def finish(self) -> Stored:
        """Make what arrived durable; raise TooLarge, DiskFull, or UnreadableFile for an empty file."""
        try:
            if self._fault is not None:
                raise self._fault
            if self.size == 0:
                raise UnreadableFile("empty")
            self._close()
            if self._fault is not None:
                raise self._fault
            with open(self._path, "rb") as written:
                os.fsync(written.fileno())
        except ChatAppError:
            self.discard()
            raise
        return Stored(self._sha256.hexdigest(), self._md5.hexdigest(), self.size)

    def _close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            if error.errno not in _DISK_FULL:
                raise
            self._fault = self._fault or DiskFull()

    def move_to(self, target: Path) -> None:
        """Give the file its final name."""
        os.replace(self._path, target)

    def discard(self) -> None:
        """Remove what arrived; nothing happens where it has been moved."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class Originals:
    """The folder of originals."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit

    def incoming(self) -> Incoming:
        """Begin to take a file; raise DiskFull."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Incoming(self._folder / f"incoming-{uuid.uuid4().hex}", self._limit)
        except OSError as error:
            if error.errno in _DISK_FULL:
                raise DiskFull from error
            raise

    def receive(self, stream: IO[bytes] | io.RawIOBase) -> Incoming:
        """Take a whole stream."""
        incoming = self.incoming()
        while piece := stream.read(PIECE_BYTES):
            incoming.write(piece)
        return incoming

    def path(self, sha256: str) -> Path:
        """Return where the file with these bytes is kept."""
        return self._folder / sha256[:2] / sha256

    def store(self, incoming: Incoming, sha256: str) -> None:
        """Keep a finished upload."""
        target = self.path(sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        incoming.move_to(target)

    def remove(self, sha256: str) -> None:
        """Remove a file; nothing happens where there is none."""
        self.path(sha256).unlink(missing_ok=True)

    def delete_abandoned(self) -> None:
        """Clear away uploads that never ended."""
        for path in self._folder.glob("incoming-*"):
            try:
                if path.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue
