"""The disk of the database and of the files: whether it is full, and a reserve for deletions.

On a full disk only deletions are written. SQLite needs space for them too, so a file beside the
database keeps some, which is released while one is written. While a disk counts as full, other
writes are refused without being tried; `Database` looks once a second whether there is space again.
That is so when MIN_BYTES can be allocated: quotas and reserved blocks then count as they do for any
file. A state is logged when it begins and when it ends.
"""

import contextlib
import errno
import fcntl
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.errors import DiskFull
from chatapp.settings import MB

log = logging.getLogger("chatapp.storage")

MIN_BYTES = MB  # less counts as full
PAGE_BYTES = 4096  # of SQLite, by default
MOST_RESERVED, LEAST_RESERVED = 32 * MB, MB // 4
SLACK_BYTES = 64 * 1024  # that a reserve leaves where it takes all there is
CHECK_SECONDS = 1  # between two attempts to write to a disk that was full
LOCK_SECONDS = 0.1  # for a checkpoint to wait
RESERVED_SHARE = 20  # of a small disk: its twentieth part
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Primary codes of SQLite's errors that may or may not be the disk's.
_UNCLEAR = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_PRIMARY = 0xFF
_WORDS = {None: "full", "read_only": "read-only"}
_disks: dict[int, "Disk"] = {}


def disk_fault(fault: OSError) -> DiskFull | None:
    """Return the error for what a full or read-only disk makes the system raise, else None."""
    if fault.errno in _FULL:
        return DiskFull()
    return DiskFull("read_only") if fault.errno == errno.EROFS else None


def disk_of(folder: Path) -> "Disk":
    """Return the disk of a folder, which need not exist; folders on one disk share its state."""
    folder = _existing(folder)
    device = folder.stat().st_dev
    known = _disks.get(device)
    if known is None or not known.is_on(device):  # another disk may get the number of a former one
        known = _disks[device] = Disk(folder)
    return known


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


class Disk:
    """A disk as this process knows it. Its methods wait for the disk: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.fault: DiskFull | None = None  # why it is not writable

    def is_on(self, device: int) -> bool:
        """Return whether its folder is still on this device."""
        return self._folder.exists() and self._folder.stat().st_dev == device

    def note(self, fault: DiskFull) -> None:
        """Count it as full or read-only."""
        if self.fault is None:
            log.error("the disk of %s is %s", self._folder, _WORDS[fault.detail])
        self.fault = fault

    def recovered(self) -> None:
        """Count it as usable again."""
        if self.fault is not None:
            log.warning("the disk of %s can be written to again", self._folder)
        self.fault = None

    def note_error(self, fault: BaseException | None) -> DiskFull | None:
        """Return the error for what SQLite or the system raised, if the disk is the reason."""
        found = disk_fault(fault) if isinstance(fault, OSError) else self._fault_of_sqlite(fault)
        if found is not None:
            self.note(found)
        return found

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Raise DiskFull for what a full or read-only disk makes the system raise."""
        try:
            yield
        except OSError as fault:
            if full := self.note_error(fault):
                raise full from fault
            raise

    def check(self) -> DiskFull | None:
        """Check whether it is writable; return why not. Only `recovered` ends a state."""
        found = self._probe()
        if found is not None:
            self.note(found)
        return found

    def free_bytes(self) -> int:
        """Return how much this process may write, quotas aside."""
        found = os.statvfs(self._folder)
        return found.f_frsize * (found.f_bfree if os.geteuid() == 0 else found.f_bavail)

    def _fault_of_sqlite(self, fault: BaseException | None) -> DiskFull | None:
        code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY
        if code == sqlite3.SQLITE_FULL:
            return DiskFull()
        return self._probe() if code in _UNCLEAR else None

    def _probe(self) -> DiskFull | None:
        """Allocate space and write to it, in a file that has no name any more."""
        probe = self._folder / f".space-{os.getpid()}"
        try:
            descriptor = os.open(probe, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            try:
                probe.unlink(missing_ok=True)
                _extend(descriptor, MIN_BYTES)
                os.write(descriptor, bytes(PAGE_BYTES))
            finally:
                os.close(descriptor)
        except OSError as fault:
            return disk_fault(fault)
        return None


class Space:
    """The space of an SQLite file: its disk, and the reserve beside it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.disk = disk_of(file.parent)
        self.reserve = Reserve(file.with_name(f"{file.name}-reserve"))
        self._tried_at = 0.0

    def may_have_returned(self) -> bool:
        """Look at a full disk, at most once a second."""
        if monotonic() - self._tried_at < CHECK_SECONDS:
            return False
        self._tried_at = monotonic()
        with self.reserve.filled() as complete:
            return complete and self.disk.check() is None

    def check(self) -> DiskFull | None:
        """Check the disk, not in the space of the reserve, which another process may have released
        for a moment."""
        with self.reserve.filled():
            return self.disk.check()

    def glance(self) -> None:
        """Check the disk if it seems to be full, which costs no write."""
        with contextlib.suppress(OSError):
            if self.disk.free_bytes() < MIN_BYTES:
                self.check()

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Leave the reserve to the database; at the end, give back the space of its WAL."""
        with self.reserve.released():
            yield
            with contextlib.suppress(sqlite3.Error):
                if self._growth() < self.disk.free_bytes():  # one that fails frees nothing
                    checkpoint(self.file, "TRUNCATE")

    def _growth(self) -> int:
        """Return by how much a checkpoint makes the database file grow."""
        with contextlib.closing(_connect(self.file)) as connection:
            [pages] = connection.execute("PRAGMA page_count").fetchone()
            [size] = connection.execute("PRAGMA page_size").fetchone()
        return int(pages * size) - self.file.stat().st_size


class Reserve:
    """A file that keeps space for deletions. Processes use it one after the other."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def fill(self) -> bool:
        """Allocate the space, or as much as there is; return whether it is complete."""
        with self.filled() as complete:
            return complete

    @contextlib.contextmanager
    def filled(self) -> Iterator[bool]:
        """Allocate the space, or as much as there is, and keep others from releasing it; return
        whether it is complete."""
        complete = False
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):
                complete = _allocate(held.enter_context(self._locked()))
            yield complete

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Leave the space to the disk, and take it back at the end."""
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):  # without the file there is nothing to release
                descriptor = held.enter_context(self._locked())
                os.ftruncate(descriptor, 0)
                held.callback(_allocate, descriptor)
            yield

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def checkpoint(file: Path, mode: str) -> None:
    """Copy the WAL into the database file; raise sqlite3.Error."""
    with contextlib.closing(_connect(file)) as connection:
        connection.execute(f"PRAGMA wal_checkpoint({mode})")


def _connect(file: Path) -> sqlite3.Connection:
    """Connect to a database that is there: a removed one is not made again, empty."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS, isolation_level=None)


def reserved_bytes(place: int | Path) -> int:
    """Return the size of the reserve on the disk of a folder or of an open file."""
    disk = os.statvfs(_existing(place) if isinstance(place, Path) else place)
    share = disk.f_blocks * disk.f_frsize // RESERVED_SHARE
    return max(LEAST_RESERVED, min(MOST_RESERVED, share))


def _allocate(descriptor: int) -> bool:
    """Fill the reserve, on a nearly full disk with what there is; return whether it is complete."""
    wanted = reserved_bytes(descriptor)
    if os.fstat(descriptor).st_size >= wanted:
        return True
    disk = os.statvfs(descriptor)
    left = disk.f_bavail * disk.f_frsize - SLACK_BYTES
    for size in (wanted, left, left // 2, left // 4):
        if SLACK_BYTES <= size <= wanted:
            with contextlib.suppress(OSError):
                _extend(descriptor, size)
                break
            os.ftruncate(descriptor, 0)
    return os.fstat(descriptor).st_size >= wanted


def _extend(descriptor: int, size: int) -> None:
    """Allocate the space of a file."""
    if sys.platform == "darwin":  # it has no such call
        os.pwrite(descriptor, bytes(size), 0)
    else:
        os.posix_fallocate(descriptor, 0, size)


def touch(session: Session) -> None:
    """Write a page without changing anything; nothing else uses this number."""
    session.execute(text("PRAGMA user_version = 0"))
