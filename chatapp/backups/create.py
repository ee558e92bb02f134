"""Making a backup while the service runs, and deleting the oldest ones.

The archive is written in a folder `.part-…` beside its final place and renamed when it is whole
and has been read back, so what bears the name of a backup is one. One backup at a time runs in a
folder; what a killed one left is removed by the next.
"""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chatapp.backups import snapshot
from chatapp.backups.archive import IMAGES, ORIGINALS, SECRET, Manifest, Writer, verify
from chatapp.backups.contents import Contents
from chatapp.backups.faults import BackupFault, full_disk
from chatapp.backups.sizes import shown, size_of
from chatapp.settings import MB, Settings

PART = ".part-"
NAME = re.compile(r"chatapp-\d{8}-\d{6}-\d{3}\.tar")
ATTEMPTS = 5  # at a moment in which no file of the database is being deleted
SPARE_BYTES = 64 * MB


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made; `removed` are the older ones that were deleted."""

    path: Path
    size: int
    manifest: Manifest
    removed: tuple[str, ...] = ()


def make_backup(settings: Settings, folder: Path, version: str, keep: int | None) -> Backup:
    """Write a backup into a folder, check it, then delete all but the newest `keep`."""
    with full_disk(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder):
            for left in folder.glob(f"{PART}*"):
                shutil.rmtree(left, ignore_errors=True)
            _require_space(settings, folder)
            with tempfile.TemporaryDirectory(prefix=PART, dir=folder) as part:
                written = Path(part) / "archive"
                _write(settings, Path(part), written, version)
                manifest = verify(written)
                path = folder / f"chatapp-{_stamp()}.tar"
                os.rename(written, path)
            _sync(folder)
            return Backup(path, path.stat().st_size, manifest, tuple(_remove_old(folder, keep)))


def backups(folder: Path) -> list[Path]:
    """Return the backups of a folder, oldest first."""
    return sorted(path for path in folder.glob("*.tar") if NAME.fullmatch(path.name))


def _write(settings: Settings, part: Path, target: Path, version: str) -> None:
    """Write an archive whose files are those of its database.

    A file that is deleted after the database was copied may be gone before it is read. Then the
    database is copied again: now it does not have that file, or the home has lost it.
    """
    with open(target, "xb") as file:
        writer = Writer(file, version)
        lost: set[str] = set()
        for _ in range(ATTEMPTS):
            database, found = snapshot.take(settings, part)
            missing = _add_files(writer, settings.files_folder, found)
            if missing <= lost:
                break
            lost = missing
        with contextlib.suppress(FileNotFoundError), open(settings.home / SECRET, "rb") as key:
            writer.add(SECRET, key)
        with open(database, "rb") as copied:
            writer.add(database.name, copied)
        database.unlink()
        kind = snapshot.kind(settings)
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        missing |= _damaged(writer)
        writer.seal(Manifest(kind, found.revision, created_at, missing=sorted(missing)))
        file.flush()
        os.fsync(file.fileno())


def _add_files(writer: Writer, folder: Path, found: Contents) -> set[str]:
    """Add the files that are not in the archive yet; return those that are missing."""
    missing = set()
    for name in found.files:
        if name not in writer.members:
            try:
                with open(folder / name, "rb") as file:
                    writer.add(name, file)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                missing.add(name)
    return missing


def _damaged(writer: Writer) -> set[str]:
    """Return the originals whose content is not the one that they are named after."""
    return {
        name
        for name, (_, digest) in writer.members.items()
        if name.startswith(f"{ORIGINALS}/") and not name.endswith(digest)
    }


def _require_space(settings: Settings, folder: Path) -> None:
    """Raise BackupFault unless the backup fits, and a second copy of the database meanwhile."""
    database = settings.sqlite_file.stat().st_size if settings.sqlite_file else 0
    kept = settings.files_folder
    needed = 2 * database + sum(size_of(kept / name) for name in (ORIGINALS, IMAGES))
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise BackupFault(
            "disk_small", folder=folder, needed=shown(needed + SPARE_BYTES), free=shown(free)
        )


def _remove_old(folder: Path, keep: int | None) -> Iterator[str]:
    for old in backups(folder)[: -keep if keep else 0]:
        old.unlink(missing_ok=True)
        yield old.name


def _stamp() -> str:
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one backup; raise BackupFault if another one runs."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as fault:
        raise BackupFault("running", folder=folder) from fault
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
