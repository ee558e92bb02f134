"""The folder of uploaded files, each named by the SHA-256 of its content. Only this module uses it.

An upload is written once, while it arrives, under a generated name; the client's file name never
becomes a path. It is renamed in the transaction that stores its row, and deleted in the one that
deletes the last row. Before an upload is confirmed, file and name are flushed to disk. Its size is
limited here (`Incoming`) and in web/knowledge.py.
"""

import contextlib
import hashlib
import io
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import IO

from chatapp.errors import ChatAppError, DiskFull, OriginalMissing, TooLarge, UnreadableFile
from chatapp.knowledge.pageview.cache import remove_pages
from chatapp.settings import MB, Settings
from chatapp.storage.disk import MIN_BYTES, Disk, disk_of

FOLDER = "originals"
PIECE_BYTES = 256 * 1024
ABANDONED_SECONDS = 24 * 3600  # after which an unfinished upload is deleted


@dataclass(frozen=True, slots=True)
class Stored:
    """The hashes and size of a finished upload."""

    sha256: str
    md5: str
    size: int


class Incoming(io.RawIOBase):
    """An upload in progress: written, counted and hashed in one pass.

    An error is kept until `finish`, so that the request's other files still arrive.
    """

    def __init__(self, path: Path, limit: int, disk: Disk) -> None:
        super().__init__()
        self.path = path
        self._disk = disk
        self._limit = limit
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self._fault: ChatAppError | None = None
        self.size = 0
        self._file: IO[bytes] = open(path, "xb")  # noqa: SIM115  closed by finish or discard

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Write the next bytes; beyond the limit they are only counted."""
        time.sleep(0)  # yields: a fast upload would otherwise block the hub until its end
        self.size += len(data)
        if self.size > self._limit:
            self._fault = self._fault or TooLarge(limit=f"{self._limit // MB} MB")
        if self._fault is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._give_up(error)
            self._sha256.update(data)
            self._md5.update(data)
        return len(data)

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Close the file, which the form parser rewinds when it is complete.

        A request may contain a thousand files, which must not stay open until the last arrives.
        """
        self._close()
        return 0

    def finish(self) -> Stored:
        """Flush the upload to disk; raise TooLarge, DiskFull, or UnreadableFile for an empty
        file."""
        try:
            if self._fault is not None:
                raise self._fault
            if self.size == 0:
                raise UnreadableFile("empty")
            self._close()
            self._sync()
            if self._fault is not None:
                raise self._fault
        except ChatAppError:
            self.discard()
            raise
        return Stored(self._sha256.hexdigest(), self._md5.hexdigest(), self.size)

    def reading(self) -> IO[bytes]:
        """Open the finished upload to be read once, without storing it."""
        return open(self.path, "rb")

    def _close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._give_up(error)

    def _sync(self) -> None:
        if self._fault is None:
            try:
                with open(self.path, "rb") as written:
                    os.fsync(written.fileno())
            except OSError as error:  # some file systems allocate late
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Keep the error of a full disk, and give back the space of what has been written."""
        full = self._disk.note_error(error)
        if full is None:
            raise error
        self._fault = self._fault or full
        self.discard()

    def move_to(self, target: Path) -> None:
        """Give the file its final name."""
        os.replace(self.path, target)

    def discard(self) -> None:
        """Delete the upload, unless it has been moved."""
        with contextlib.suppress(OSError):  # what it has buffered may not fit on the disk
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class Originals:
    """The folder of originals."""

    def __init__(self, folder: Path, limit: int, home: Path | None = None) -> None:
        self._folder = folder
        self._limit = limit
        self._home = home or folder.parent  # of the rendered pages

    @classmethod
    def of(cls, settings: Settings) -> "Originals":
        """Return the originals of this home, or of the folder that hosts share."""
        folder = settings.files_folder / FOLDER
        return cls(folder, settings.upload_bytes, settings.home)

    def require_space(self, size: int) -> None:
        """Raise DiskFull if the disk has no room for an upload of this size.

        If this is the database's disk too, look first whether that is full.
        """
        disk = disk_of(self._folder)
        fault = disk.check()
        if fault is None:
            disk.recovered()
            fault = DiskFull() if disk.free_bytes() < size + MIN_BYTES else None
        if fault is not None:
            raise fault

    def incoming(self) -> Incoming:
        """Open a new upload; raise DiskFull."""
        disk = disk_of(self._folder)
        with disk.reporting():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Incoming(self._folder / f"incoming-{uuid.uuid4().hex}", self._limit, disk)

    def receive(self, stream: IO[bytes] | io.RawIOBase) -> Incoming:
        """Write a whole stream to a new upload."""
        incoming = self.incoming()
        while piece := stream.read(PIECE_BYTES):
            incoming.write(piece)
        return incoming

    def path(self, sha256: str) -> Path:
        """Return the path of the file with these bytes."""
        return self._folder / sha256[:2] / sha256

    def require(self, sha256: str, size: int) -> None:
        """Raise OriginalMissing unless the file with these bytes is there, with all of them.

        A folder that is not mounted, or a copy that has not arrived yet, may be whole later.
        """
        try:
            status = self.path(sha256).stat()
        except OSError as error:
            raise OriginalMissing from error
        if not S_ISREG(status.st_mode) or status.st_size != size:
            raise OriginalMissing

    def store(self, incoming: Incoming, sha256: str) -> None:
        """Move a finished upload to its final name; raise DiskFull."""
        target = self.path(sha256)
        with disk_of(self._folder).reporting():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            incoming.move_to(target)

    def sync(self, sha256: str) -> None:
        """Flush a file's name to disk; its content is flushed by `Incoming.finish`."""
        for folder in (self.path(sha256).parent, self._folder):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                with suppress(OSError):  # not every file system can
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def remove(self, sha256: str) -> None:
        """Delete a file and its rendered pages; a missing one is ignored. Raises DiskFull on a
        read-only disk."""
        with disk_of(self._folder).reporting():
            self.path(sha256).unlink(missing_ok=True)
        remove_pages(self._home, sha256)

    def delete_abandoned(self) -> None:
        """Delete uploads that were never finished."""
        for path in self._folder.glob("incoming-*"):
            try:
                if path.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue
