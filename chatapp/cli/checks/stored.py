"""Checks of the home folder, the disk, the clock and SQLite's version."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from chatapp.cli.checks.finding import FAIL, OK, WARN, Finding
from chatapp.cli.checks.repairs import unwritable
from chatapp.cli.terminal import say
from chatapp.settings import MB, Settings
from chatapp.storage.revisions import FOLDER

LOW_DISK_BYTES, FULL_DISK_BYTES = 1024 * MB, 100 * MB
CLOCK_TOLERANCE_SECONDS = 300

# https://sqlite.org/wal.html#walresetbug: fixed in 3.51.3, and in these two older lines
WAL_FIXED = (3, 51, 3)
WAL_FIXED_LINES = {(3, 50): 7, (3, 44): 6}


def home(settings: Settings) -> Iterator[Finding]:
    """Check that the home folder is writable or can be created."""
    if why := unwritable(settings):
        yield Finding("home", FAIL, why)
        return
    key = "doctor.home" if settings.home.is_dir() else "doctor.home_new"
    yield Finding("home", OK, say(key, home=settings.home))


def disk(settings: Settings) -> Iterator[Finding]:
    """Check the free space on the disk of the home folder."""
    free = shutil.disk_usage(_nearest(settings.home)).free
    state = OK if free >= LOW_DISK_BYTES else WARN if free >= FULL_DISK_BYTES else FAIL
    size = f"{free / 1024 / MB:.1f} GB" if free >= LOW_DISK_BYTES else f"{free // MB} MB"
    yield Finding(
        "disk", state, say("doctor.disk" if state == OK else "doctor.disk_little", free=size)
    )


def clock(settings: Settings) -> Iterator[Finding]:
    """Check that the clock is not slow: sign-in links and certificates would be invalid."""
    files = [
        *FOLDER.glob("versions/*.py"),
        *([settings.sqlite_file] if settings.sqlite_file else []),
    ]
    newest = max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
    shown = time.strftime("%Y-%m-%d %H:%M")
    if time.time() < newest - CLOCK_TOLERANCE_SECONDS:
        yield Finding("clock", WARN, say("doctor.clock_behind", time=shown))
    else:
        yield Finding("clock", OK, say("doctor.clock", time=shown))


def sqlite(settings: Settings) -> Iterator[Finding]:
    """Check for the bug of SQLite that can damage a database during writes."""
    if not settings.sqlite_file:
        return
    version = sqlite3.sqlite_version_info
    fixed = version >= WAL_FIXED or version[2] >= WAL_FIXED_LINES.get(version[:2], 1000)
    key = "doctor.sqlite" if fixed else "doctor.sqlite_fault"
    yield Finding("sqlite", OK if fixed else WARN, say(key, version=sqlite3.sqlite_version))


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
