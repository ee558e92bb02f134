"""Giving space back: what nothing refers to any more, old copies, and free pages of the database.

All but SQLite's free pages may be given back while the service runs: rewriting the file would keep
every answer from being saved meanwhile.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from chatapp.backups import archive
from chatapp.backups.create import backups
from chatapp.backups.faults import BackupFault, full_disk
from chatapp.backups.restore import PART, REPLACED
from chatapp.backups.sizes import shown, size_of
from chatapp.backups.stopped import stopped
from chatapp.errors import DiskFull
from chatapp.knowledge.ingest.jobs import lock_content
from chatapp.knowledge.pageview.cache import remove_pages
from chatapp.settings import Settings
from chatapp.storage.copies import copies
from chatapp.storage.database import Database, open_database
from chatapp.storage.image_models import Image
from chatapp.storage.models import File
from chatapp.storage.passages import move_texts
from chatapp.storage.vacuum import free_bytes, reuse, rewrite

DAY = 24 * 3600
FRESH_SECONDS = DAY  # files that are younger may belong to what is being stored
REPLACED_SECONDS = 7 * DAY  # after which what a restore has replaced is deleted
COPIES_KEPT = 1
FILES = (archive.ORIGINALS, archive.IMAGES)
MADE_OF_THEM = ("pages", "vectors")
LEAST_FREE_BYTES = 64 * 1024  # less is not worth rewriting the database


@dataclass(frozen=True, slots=True)
class Result:
    """Sizes by place before and after, how many files were deleted, and what was not given back:
    bytes of SQLite's file that need the service to be stopped."""

    before: dict[str, int]
    after: dict[str, int]
    removed: int
    held: int


def compact(settings: Settings) -> Result:
    """Delete what is not needed, and shrink the database if the service does not run."""
    database = open_database(settings.sql_url)
    try:
        before = _sizes(settings, database)
        removed = _remove(settings, database)
        with suppress(DiskFull):  # moving needs space first
            move_texts(database)
        held = 0
        if settings.sqlite_file is None:
            reuse(database.engine)
        else:
            database.close()
            held = _shrink(settings, settings.sqlite_file)
        return Result(before, _sizes(settings, database), removed, held)
    finally:
        database.close()


def _remove(settings: Settings, database: Database) -> int:
    """Delete what nothing needs; return how many files and folders these were."""
    old = [*_old_copies(settings), *_unfinished(settings)]
    for path in old:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    originals = [
        name
        for name in _stored(settings.files_folder / archive.ORIGINALS)
        if database.write_deletion(partial(_remove_original, settings, name))
    ]
    images = [
        name
        for name in _stored(settings.files_folder / archive.IMAGES)
        if database.write_deletion(partial(_remove_image, settings, name))
    ]
    return len(old) + len(originals) + len(images)


def _stored(folder: Path) -> Iterator[str]:
    """Yield the names of stored files that are old enough to have a row."""
    before = time.time() - FRESH_SECONDS
    for path in sorted(folder.glob("??/*")):
        with suppress(OSError):
            if path.stat().st_mtime < before:
                yield path.name


def _remove_original(settings: Settings, sha256: str, t: Session) -> bool:
    """Delete an original unless a file has its bytes; an upload of them waits meanwhile."""
    lock_content(t, sha256)
    if t.scalar(select(exists().where(File.sha256 == sha256))):
        return False
    (settings.files_folder / archive.ORIGINALS / sha256[:2] / sha256).unlink(missing_ok=True)
    remove_pages(settings.home, sha256)
    return True


def _remove_image(settings: Settings, image_id: str, t: Session) -> bool:
    if t.scalar(select(exists().where(Image.id == image_id))):
        return False
    (settings.files_folder / archive.IMAGES / image_id[:2] / image_id).unlink(missing_ok=True)
    return True


def _old_copies(settings: Settings) -> list[Path]:
    """Return copies of the database from before migrations, and data that restores replaced."""
    before = time.time() - REPLACED_SECONDS
    replaced = [path for path in _replaced(settings) if path.stat().st_mtime < before]
    return copies(settings)[:-COPIES_KEPT] + replaced


def _replaced(settings: Settings) -> list[Path]:
    return [*(settings.home / "backups").glob(f"{REPLACED}*")]


def _unfinished(settings: Settings) -> list[Path]:
    """Return uploads, and a restore, that were never finished."""
    before = time.time() - FRESH_SECONDS
    part = settings.home / PART
    found = [part] if part.is_dir() else []
    found += [path for folder in _folders(settings).values() for path in folder.glob("incoming-*")]
    return [path for path in found if path.stat().st_mtime < before]


def _folders(settings: Settings) -> dict[str, Path]:
    """Return the folders of files by their names."""
    places = {name: settings.files_folder / name for name in FILES}
    return places | {name: settings.home / name for name in MADE_OF_THEM}


def _shrink(settings: Settings, file: Path) -> int:
    """Rewrite the SQLite file; return the unused bytes if that must wait for the service's end."""
    if (free := free_bytes(file)) < LEAST_FREE_BYTES:
        return 0
    try:
        with stopped(settings), full_disk(file.parent):
            needed = 2 * (file.stat().st_size - free)
            left = shutil.disk_usage(file.parent).free
            if left < needed:
                raise BackupFault(
                    "disk_small", folder=file.parent, needed=shown(needed), free=shown(left)
                )
            rewrite(file)
    except BackupFault as fault:
        if fault.key != "service_runs":
            raise
        return free
    return 0


def _sizes(settings: Settings, database: Database) -> dict[str, int]:
    """Return the size of each place."""
    home = settings.home
    kept = [*copies(settings), *_replaced(settings)]
    archives = backups(home / "backups")
    return {
        "database": _database_size(settings, database),
        **{name: size_of(folder) for name, folder in _folders(settings).items()},
        "copies": sum(map(size_of, kept)),
        "archives": sum(map(size_of, archives)),
    }


def _database_size(settings: Settings, database: Database) -> int:
    file = settings.sqlite_file
    if file is not None:
        return sum(size_of(file.with_name(f"{file.name}{end}")) for end in ("", "-wal"))
    query = text("SELECT pg_database_size(current_database())")
    return int(database.read(lambda t: t.scalar(query) or 0))
