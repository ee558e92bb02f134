"""Sentences about damage to a home and what to do, for `doctor` and for the start."""

import os

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.cli.terminal import say
from chatapp.home import user_name, why_unwritable
from chatapp.identity.secrets import Secret
from chatapp.settings import Settings, unknown_variables
from chatapp.storage.copies import copies
from chatapp.storage.faults import words_of
from chatapp.storage.models import Supplier
from chatapp.storage.schema import Differences

MOST_NAMES = 10  # in one sentence


def restore_hint(settings: Settings) -> str:
    """Return how the newest copy of the database is put back, or that there is none."""
    found = copies(settings)
    if not found:
        return say("restore.none")
    if settings.sqlite_file is None:
        return say("restore.dump", copy=found[-1])
    return say("restore.copy", copy=found[-1], file=settings.sqlite_file)


def lost_database(settings: Settings) -> str:
    """Return the sentence about a database that is gone from a home in use."""
    return f"{say('database_lost', file=settings.sqlite_file)} {restore_hint(settings)}"


def damaged_database(settings: Settings) -> str:
    """Return the sentence about a database that cannot be read."""
    file = settings.sqlite_file or "PostgreSQL"
    return f"{say('database_damaged', file=file)} {restore_hint(settings)}"


def unreachable_database(fault: BaseException) -> str:
    """Return the sentence about PostgreSQL that does not let us in, with its own words."""
    sentence, why = say("database_unreachable"), words_of(fault)
    return f"{sentence} {say('database_said', why=why)}" if why else sentence


def unwritable_folder(folder: object) -> str:
    """Return the sentence about a folder, not the home, that this process may not write."""
    return say("folder_unwritable", folder=folder, user=user_name(os.geteuid()))


def unwritable(settings: Settings) -> str | None:
    """Return why this process may not write the home folder, None if it may."""
    found = why_unwritable(settings.home)
    return None if found is None else say(found[0], **found[1])


def misspelt_settings() -> list[str]:
    """Return a sentence for each variable that looks like a setting but is none."""
    return [
        say("setting.nearest", name=name, nearest=nearest)
        if nearest
        else say("setting.unknown", name=name)
        for name, nearest in unknown_variables().items()
    ]


def schema_fault(found: Differences) -> str | None:
    """Return the sentence about a schema with which statements fail."""
    if not found.missing and not found.unexpected:
        return None
    parts = [say("schema.missing", names=_listed(found.missing))] if found.missing else []
    if found.unexpected:
        parts.append(say("schema.unexpected", names=_listed(found.unexpected)))
    return " ".join([*parts, say("schema.repair")])


def schema_warning(found: Differences) -> str | None:
    """Return the sentence about missing indexes."""
    return say("schema.indexes", names=_listed(found.indexes)) if found.indexes else None


def unreadable_keys(t: Session, settings: Settings) -> list[str]:
    """Return the suppliers whose stored keys the home's key does not decrypt, or would not."""
    query = select(Supplier.name, Supplier.key).where(Supplier.key.is_not(None))
    rows = t.execute(query.order_by(Supplier.name)).all()
    secret = Secret.find(settings)
    return [name for name, key in rows if key and (secret is None or not secret.decrypt(key))]


def lost_keys(names: list[str]) -> str:
    """Return the sentence about keys of suppliers that cannot be decrypted."""
    return say("secret_lost", names=_listed(names))


def _listed(names: list[str] | tuple[str, ...]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" (+{rest})" if rest > 0 else "")
