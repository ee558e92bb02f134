"""Checks of what the home folder keeps beside the database: the key, originals and vectors."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatapp.cli.checks.finding import FAIL, OK, Finding
from chatapp.cli.checks.repairs import lost_keys, unreadable_keys, unwritable_folder
from chatapp.cli.terminal import program, say
from chatapp.errors import ChatAppError, OriginalMissing
from chatapp.identity.host_key import key_place, recorded_in
from chatapp.identity.secrets import Secret, SecretDamaged, key_file
from chatapp.knowledge.ingest.jobs import DELETING, FETCHING
from chatapp.knowledge.ingest.originals import FOLDER as ORIGINALS
from chatapp.knowledge.ingest.originals import Originals
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.models import File
from chatapp.storage.presence import is_lost

T = TypeVar("T")


def secret(settings: Settings) -> Iterator[Finding]:
    """Check that the home's key decrypts the suppliers' keys."""
    try:
        names = _read(settings, lambda t: unreadable_keys(t, settings)) or []
    except SecretDamaged:
        yield Finding(
            "secret", FAIL, say("secret_damaged", file=key_file(settings), program=program())
        )
        return
    found, where = Secret.find(settings), key_place(settings)
    recorded = _read(settings, recorded_in)
    if found is not None and recorded not in (None, found.fingerprint):
        message = say("secret_wrong", where=where, program=program())
        yield Finding("secret", FAIL, message)
    elif names:
        yield Finding("secret", FAIL, lost_keys(names))
    elif found is not None:
        yield Finding("secret", OK, say("doctor.secret", where=where))


def shared_files(settings: Settings) -> Iterator[Finding]:
    """Check that the folder of originals and pictures is writable, if it is not in the home."""
    if not settings.files:
        return
    if os.access(settings.files_folder, os.R_OK | os.W_OK | os.X_OK):
        found = say("doctor.shared_files", folder=settings.files_folder)
        yield Finding("files_folder", OK, found)
    else:
        yield Finding("files_folder", FAIL, unwritable_folder(settings.files_folder))


def originals(settings: Settings) -> Iterator[Finding]:
    """Check that the original of each document is there, with its size."""
    files = _read(settings, _files) or []
    kept = Originals.of(settings)
    missing = [name for name, sha256, size in files if _is_missing(kept, sha256, size)]
    if missing:
        message = say(
            "doctor.originals",
            missing=len(missing),
            files=len(files),
            name=missing[0],
            folder=settings.files_folder / ORIGINALS,
        )
        yield Finding("originals", FAIL, message)


def vectors(settings: Settings) -> Iterator[Finding]:
    """Check that the folder of vectors is one."""
    folder = settings.home / "vectors"
    if not settings.chroma_url and folder.exists() and not folder.is_dir():
        yield Finding("vectors", FAIL, say("vectors_no_folder", folder=folder))


def _files(t: Session) -> list[tuple[str, str, int]]:
    # A page that is being fetched has no original yet, a file that is being deleted none any more.
    query = select(File.name, File.sha256, File.size).where(
        File.status.not_in((FETCHING, DELETING)), File.size > 0
    )
    return [(row.name, row.sha256, row.size) for row in t.execute(query)]


def _is_missing(kept: Originals, sha256: str, size: int) -> bool:
    try:
        kept.require(sha256, size)
    except OriginalMissing:
        return True
    return False


def _read(settings: Settings, fn: Callable[[Session], T]) -> T | None:
    """Read from the database; None where it cannot, which its own check reports."""
    if is_lost(settings) or (settings.sqlite_file and not settings.sqlite_file.exists()):
        return None
    with suppress(SQLAlchemyError, ChatAppError, ImportError):
        database = open_database(settings.sql_url)
        try:
            return database.read(fn)
        finally:
            database.close()
    return None
