"""What a start checks: it refuses what cannot work, repairs what can be made again, and warns."""

import sys
from contextlib import suppress

from chatapp.cli.checks.repairs import (
    damaged_database,
    lost_database,
    lost_keys,
    misspelt_settings,
    restore_hint,
    schema_fault,
    schema_warning,
    unreadable_keys,
    unwritable,
)
from chatapp.cli.terminal import error_text, note, plain, say
from chatapp.errors import ChatAppError, DatabaseUnusable, DiskFull
from chatapp.knowledge.search import lexical
from chatapp.settings import Settings
from chatapp.storage import message_index
from chatapp.storage.database import Database
from chatapp.storage.presence import is_lost
from chatapp.storage.schema import differences


def note_misspelt_settings() -> None:
    """Warn about variables that look like settings but are none."""
    for sentence in misspelt_settings():
        note(sentence)


def refuse_lost(settings: Settings) -> None:
    """Exit if the database of a home in use is gone: a new, empty one would hide that."""
    if is_lost(settings):
        sys.exit(lost_database(settings))


def note_lost_key(database: Database, settings: Settings) -> None:
    """Warn about suppliers' keys that cannot be decrypted, of a home that recorded no key yet."""
    if names := database.read(lambda t: unreadable_keys(t, settings)):
        note(lost_keys(names))


def note_no_copy(why: str) -> None:
    """Warn that an upgrade begins without a copy of the database."""
    note(say("no_copy", reason=plain(why)) if why else say("no_copy_missing"))


def check_schema(database: Database, settings: Settings) -> None:
    """Exit if statements would fail; warn about missing indexes; restore those of words."""
    found = database.read(lambda t: differences(t.connection()))
    if fault := schema_fault(found):
        sys.exit(f"{fault} {restore_hint(settings)}")
    if warning := schema_warning(found):
        note(warning)
    if database.read(lambda t: lexical.is_missing(t.connection())):
        with suppress(DiskFull):
            database.write(lexical.restore_index)
            note(say("lexical_restored"))
    if database.read(lambda t: message_index.is_missing(t.connection())):
        with suppress(DiskFull):
            database.write(message_index.restore_index)
            note(say("messages_restored"))


def explained(settings: Settings, fault: ChatAppError) -> str:
    """Return the sentence about an error of ours at a start."""
    if isinstance(fault, DatabaseUnusable) and fault.detail == "damaged":
        return damaged_database(settings)
    if isinstance(fault, DatabaseUnusable) and (why := unwritable(settings)):
        return why
    return error_text(fault)
