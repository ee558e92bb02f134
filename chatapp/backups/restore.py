"""Putting a backup back into a home whose service does not run.

Everything is extracted beside its place first, so that a full disk or a damaged archive changes
nothing; then it is renamed, the database last.
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from chatapp.backups import snapshot
from chatapp.backups.archive import DATABASES, IMAGES, ORIGINALS, SECRET, Manifest, extract, verify
from chatapp.backups.faults import BackupFault, full_disk
from chatapp.backups.sizes import shown
from chatapp.backups.stopped import stopped
from chatapp.settings import Settings
from chatapp.storage.migrate import FOLDER as MIGRATIONS
from chatapp.storage.revisions import known_revisions

PART = "restore-part"
REPLACED = "replaced-"
# Of the home that was there: all data, and what was made of it.
_FILES = (ORIGINALS, IMAGES)
_MADE_OF_IT = ("pages", "vectors", "token")


def check(settings: Settings, archive: Path) -> Manifest:
    """Verify an archive, and that it can be restored by this program with these settings."""
    manifest = verify(archive)
    if manifest.revision not in known_revisions(MIGRATIONS):
        raise BackupFault("newer", archive=archive, version=manifest.revision)
    if manifest.database != snapshot.kind(settings):
        key = "for_sqlite" if manifest.database == "sqlite" else "for_postgresql"
        raise BackupFault(key, archive=archive)
    return manifest


def restore(settings: Settings, archive: Path, *, replace: bool) -> tuple[Manifest, Path | None]:
    """Restore an archive; return its manifest and the folder of the data that was there.

    Data that is there is moved into that folder if `replace` says so, else BackupFault is raised.
    """
    manifest = check(settings, archive)
    there = _data(settings)
    if there and not replace:
        raise BackupFault("home_used", home=settings.home, found=there[0].name)
    with stopped(settings), full_disk(settings.home):
        if settings.sqlite_file is None:
            snapshot.require_empty(settings)
        free = shutil.disk_usage(settings.home).free
        if free < manifest.size:
            raise BackupFault(
                "disk_small", folder=settings.home, needed=shown(manifest.size), free=shown(free)
            )
        part = settings.home / PART
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(mode=0o700)
            extract(archive, manifest, part)
            database = part / DATABASES[manifest.database]
            snapshot.put_back(settings, database)
            aside = _move_aside(settings) if there else None
            _place(settings, part, database)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        snapshot.upgrade(settings)
        for folder in {settings.home, settings.files_folder}:
            _give_to_its_owner(folder)
    return manifest, aside


def _give_to_its_owner(folder: Path) -> None:
    """Give what root has created in a folder to the folder's owner."""
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in folder.rglob("*"):
        if path.lstat().st_uid == 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _data(settings: Settings) -> list[Path]:
    """Return the files and folders of a home that are, or belong to, its data."""
    database = settings.sqlite_file
    files = [*database.parent.glob(f"{database.name}*")] if database is not None else []
    found = [*files, settings.home / SECRET, *(settings.files_folder / name for name in _FILES)]
    return [path for path in found if path.is_file() or (path.is_dir() and any(path.iterdir()))]


def _move_aside(settings: Settings) -> Path:
    """Move the present data into a folder of the backups, the database first."""
    name = f"{REPLACED}{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    aside = settings.home / "backups" / name
    aside.mkdir(mode=0o700, parents=True)
    made = [settings.home / each for each in _MADE_OF_IT]
    for path in (*_data(settings), *filter(Path.exists, made)):
        shutil.move(path, aside / path.name)
    return aside


def _place(settings: Settings, part: Path, database: Path) -> None:
    """Give everything its place."""
    settings.files_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _FILES:
        place = settings.files_folder / name
        if place.is_dir():
            place.rmdir()  # an empty one
        if (part / name).exists():
            shutil.move(part / name, place)  # maybe to another disk
    if (part / SECRET).exists():
        os.rename(part / SECRET, settings.home / SECRET)
    if settings.sqlite_file is not None:
        new = settings.sqlite_file.with_name(f"{settings.sqlite_file.name}-restored")
        new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(database, new)  # maybe to another disk
        os.replace(new, settings.sqlite_file)
