"""Checks of stored data: the home folder, the disk, the database, and the clock."""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chatapp.cli.checks.finding import FAIL, OK, WARN, Finding
from chatapp.cli.terminal import say
from chatapp.errors import ChatAppError
from chatapp.settings import MB, Settings
from chatapp.storage.database import open_database
from chatapp.storage.migrate import FOLDER

LOW_DISK_BYTES, FULL_DISK_BYTES = 1024 * MB, 100 * MB
CLOCK_TOLERANCE_SECONDS = 300

# https://sqlite.org/wal.html#walresetbug: fixed in 3.51.3, and in these two older lines
WAL_FIXED = (3, 51, 3)
WAL_FIXED_LINES = {(3, 50): 7, (3, 44): 6}


def home(settings: Settings) -> Iterator[Finding]:
    """Check that the home folder is writable or can be created."""
    folder = settings.home
    if folder.is_dir():
        fine, key = os.access(folder, os.W_OK | os.X_OK), "doctor.home"
    else:
        fine, key = (
            not folder.exists() and os.access(_nearest(folder), os.W_OK | os.X_OK),
            "doctor.home_new",
        )
    yield (
        Finding("home", OK, say(key, home=folder))
        if fine
        else Finding("home", FAIL, say("home_unwritable", home=folder))
    )


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


def database(settings: Settings) -> Iterator[Finding]:
    """Check that the database answers and is up to date."""
    if settings.sqlite_file and not settings.sqlite_file.exists():
        yield Finding("database", OK, say("doctor.database_new"))
        return
    try:
        opened = open_database(settings.sql_url)
        found = opened.read(
            lambda t: t.execute(text("SELECT version_num FROM alembic_version")).scalar()
        )
        opened.close()
    except (SQLAlchemyError, ChatAppError, ImportError):
        key = "doctor.database_damaged" if settings.sqlite_file else "database_unreachable"
        yield Finding("database", FAIL, say(key, file=settings.sqlite_file))
        return
    known = sorted(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))
    kind = "SQLite" if settings.sqlite_file else "PostgreSQL"
    if found == known[-1]:
        yield Finding("database", OK, say("doctor.database", kind=kind))
    elif found in known:
        yield Finding("database", WARN, say("doctor.database_old", kind=kind))
    else:
        yield Finding("database", FAIL, say("doctor.database_newer", kind=kind))


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
