"""Checks of the database: whether it is there and whole, its revision, schema and keyword index."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatapp.cli.checks.finding import FAIL, OK, WARN, Finding
from chatapp.cli.checks.repairs import (
    damaged_database,
    lost_database,
    restore_hint,
    schema_fault,
    schema_warning,
    unreachable_database,
    unwritable,
)
from chatapp.cli.terminal import say
from chatapp.errors import ChatAppError, DatabaseUnusable
from chatapp.knowledge.search import lexical
from chatapp.settings import Settings
from chatapp.storage import message_index
from chatapp.storage.database import open_database
from chatapp.storage.presence import is_lost
from chatapp.storage.revisions import known_revisions, revision_of
from chatapp.storage.schema import Differences, differences


@dataclass(frozen=True, slots=True)
class _State:
    revision: str | None
    differences: Differences
    finds_passages: bool
    finds_messages: bool
    is_whole: bool


def database(settings: Settings) -> Iterator[Finding]:
    """Check that the database can be read, is whole, up to date and as the models say."""
    file = settings.sqlite_file
    if is_lost(settings):
        yield Finding("database", FAIL, lost_database(settings))
        return
    if file and (not file.exists() or (file.is_file() and file.stat().st_size == 0)):
        yield Finding("database", OK, say("doctor.database_new"))
        return
    try:
        opened = open_database(settings.sql_url)
        state = opened.read(_state)
        opened.close()
    except (SQLAlchemyError, ChatAppError, ImportError) as fault:
        yield Finding("database", FAIL, _why(fault, settings))
        return
    if not state.is_whole:
        yield Finding("database", FAIL, damaged_database(settings))
        return
    kind = "SQLite" if file else "PostgreSQL"
    yield from _of_revision(state, kind, settings)
    if not state.finds_passages and state.revision is not None:
        yield Finding("lexical", FAIL, say("doctor.lexical_missing"))
    if not state.finds_messages and state.revision == known_revisions()[-1]:
        yield Finding("messages", FAIL, say("doctor.messages_missing"))


def _of_revision(state: _State, kind: str, settings: Settings) -> Iterator[Finding]:
    known = known_revisions()
    if state.revision is None:
        yield Finding("database", OK, say("doctor.database_new"))
    elif state.revision not in known:
        message = f"{say('doctor.database_newer', kind=kind)} {restore_hint(settings)}"
        yield Finding("database", FAIL, message)
    elif state.revision != known[-1]:  # its schema is another one
        yield Finding("database", WARN, say("doctor.database_old", kind=kind))
    elif fault := schema_fault(state.differences):
        yield Finding("schema", FAIL, f"{fault} {restore_hint(settings)}")
    else:
        yield Finding("database", OK, say("doctor.database", kind=kind))
        if warning := schema_warning(state.differences):
            yield Finding("schema", WARN, warning)


def _state(t: Session) -> _State:
    connection = t.connection()
    whole = True
    if connection.dialect.name == "sqlite":
        whole = t.execute(text("PRAGMA quick_check(1)")).scalar() == "ok"
    return _State(
        revision_of(connection),
        differences(connection),
        finds_passages=not lexical.is_missing(connection),
        finds_messages=not message_index.is_missing(connection),
        is_whole=whole,
    )


def _why(fault: Exception, settings: Settings) -> str:
    if not settings.sqlite_file:
        return unreachable_database(fault)
    if isinstance(fault, DatabaseUnusable) and fault.detail == "unwritable":
        return unwritable(settings) or say("home_unwritable", home=settings.home)
    return damaged_database(settings)
