"""Which of our errors a database's error is: busy, full, damaged, gone, or newer than this version.

Damage is logged at most once a minute. On SQLite each transaction looks first whether the file is
still the one that was opened: a process could go on writing to a removed file that it holds open,
and all of that would be lost.
"""

import logging
import os
import sqlite3
from contextlib import suppress
from time import monotonic

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from chatapp.errors import ChatAppError, DatabaseBusy, DatabaseNewer, DatabaseUnusable, DiskFull
from chatapp.storage.disk import Space
from chatapp.storage.revisions import known_revisions, revision_of

log = logging.getLogger("chatapp.storage.faults")
log.addHandler(logging.NullHandler())  # commands print a sentence instead

QUIET_SECONDS = 60  # after damage was logged
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_PRIMARY = 0xFF
# SQLSTATEs of PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html
_DISK_FULL = "53100"
_FORBIDDEN = "42501"
_DAMAGED_STATES = ("XX001", "XX002")  # data, or an index, is corrupted
_OTHER_SCHEMA = ("42P01", "42703", "23502")  # undefined table, undefined column, NULL refused


def refusal(fault: BaseException) -> str | None:
    """Return PostgreSQL's words if its user lacks a privilege, else None."""
    original = fault.orig if isinstance(fault, DBAPIError) else None
    if getattr(original, "sqlstate", None) != _FORBIDDEN:
        return None
    return str(original).partition("\n")[0]


def words_of(fault: BaseException | None) -> str:
    """Return what a database's driver said about a fault, in one line; "" if it said nothing."""
    while fault is not None and not isinstance(fault, DBAPIError):
        fault = fault.__cause__
    return " ".join(str(fault.orig).split()) if fault is not None else ""


class Faults:
    """What is wrong with a database, as this process knows it."""

    def __init__(self, engine: Engine, space: Space | None) -> None:
        self._engine = engine
        self._space = space
        self._sqlite = engine.dialect.name == "sqlite"
        self._file = str(space.file) if space is not None else str(engine.url.database)
        self._opened: tuple[int, int] | None = None
        self._logged, self._quiet_until = "", 0.0

    def require_file(self) -> None:
        """Raise DatabaseUnusable if SQLite's file is gone or is another one."""
        if self._opened is None or self._space is None:
            return
        if _identity(self._file) != self._opened:
            raise self._unusable("gone")

    def note_file(self) -> None:
        """Remember which file was opened; a transaction has succeeded."""
        if self._opened is None and self._space is not None:
            self._opened = _identity(self._file)

    def explain(self, fault: DBAPIError | sqlite3.Error) -> ChatAppError | None:
        """Return our error for what a driver raised, None for a mistake of the program."""
        original = fault.orig if isinstance(fault, DBAPIError) else fault
        if self._space is not None and (full := self._space.disk.note_error(original)):
            return full
        state = getattr(original, "sqlstate", None)
        if state == _DISK_FULL:
            return DiskFull()
        detail = self._detail(original)
        if detail is not None:
            return self._unusable(detail)
        if self._is_of_other_schema(original, state) and (other := self._other_schema()):
            return other
        # Another process holds SQLite's lock, or PostgreSQL is unreachable: maybe not for long.
        is_operational = isinstance(original, self._engine.dialect.dbapi.OperationalError)  # type: ignore[union-attr]
        if is_operational and (not self._sqlite or "locked" in str(original)):
            return DatabaseBusy()
        return None

    def _detail(self, original: BaseException | None) -> str | None:
        if is_damage(original):
            return "damaged"
        code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY
        if self._space is None or code not in _UNWRITABLE:
            return None
        if not self._space.file.exists():
            return "gone"
        # A file that cannot be opened for another reason, such as too many open files, is neither.
        allowed = code == sqlite3.SQLITE_CANTOPEN and os.access(self._space.file, os.R_OK | os.W_OK)
        return None if allowed else "unwritable"

    def _is_of_other_schema(self, original: BaseException | None, state: str | None) -> bool:
        code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_OK)
        return (
            state in _OTHER_SCHEMA
            or code == sqlite3.SQLITE_CONSTRAINT_NOTNULL
            or (code == sqlite3.SQLITE_ERROR and "no such " in str(original))
        )

    def _other_schema(self) -> ChatAppError | None:
        """Return an error if a newer version has upgraded the database, or if it is empty."""
        with suppress(SQLAlchemyError, sqlite3.Error), self._engine.connect() as connection:
            connection = connection.execution_options(chatapp_writes=False)
            revision = revision_of(connection)
            if revision is not None and revision not in known_revisions():
                return DatabaseNewer(revision=revision)
            if self._space is not None and not inspect(connection).get_table_names():
                return self._unusable("gone")
        return None

    def _unusable(self, detail: str) -> DatabaseUnusable:
        if self._logged != detail or monotonic() > self._quiet_until:
            log.error("the database %s is %s", self._file, detail)
            self._logged, self._quiet_until = detail, monotonic() + QUIET_SECONDS
        return DatabaseUnusable(detail, file=self._file)


def is_damage(fault: BaseException | None) -> bool:
    """Return whether a driver's error, or one that wraps it, means that data cannot be read."""
    original = getattr(fault, "orig", fault)
    code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY
    return code in _DAMAGED or getattr(original, "sqlstate", None) in _DAMAGED_STATES


def _identity(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino
