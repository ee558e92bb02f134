"""The fingerprint of the key in the database: all hosts must have the same key.

With another one, a host would send empty keys to the suppliers, and store keys that no other host
can read. So it refuses to start.
"""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session as Transaction

from chatapp.identity.secrets import VARIABLE, Secret, key_file
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.storage.host_models import ONLY, Installation, installation
from chatapp.storage.models import Supplier, Token

LOCK = "installation"


class WrongKey(Exception):
    """This host has no key, or not the database's; `where` says where its key is set."""

    def __init__(self, where: str, *, missing: bool = False) -> None:
        super().__init__(where)
        self.where = where
        self.missing = missing


def key_place(settings: Settings) -> str:
    """Return where this host's key is set: the variable, or the file."""
    return VARIABLE if settings.secret_key else str(key_file(settings))


def recorded_in(t: Transaction) -> str | None:
    """Return the fingerprint of the database's key, None if none is recorded."""
    return t.scalar(select(Installation.key_fingerprint).where(Installation.number == ONLY))


def recorded_key(database: Database) -> str | None:
    """Return the fingerprint of the database's key, None if none is recorded."""
    return database.read(recorded_in)


def check_key(database: Database, settings: Settings) -> None:
    """Raise WrongKey if this host has a key and it is not the database's."""
    secret, recorded = Secret.find(settings), recorded_key(database)
    if secret is not None and recorded not in (None, secret.fingerprint):
        raise WrongKey(key_place(settings))


def agree_on_key(database: Database, settings: Settings) -> None:
    """Check that this host has the database's key; the first host makes and records it.

    Raises WrongKey.
    """
    recorded, place = recorded_key(database), key_place(settings)
    if recorded is None:
        secret = Secret.of(settings)
        recorded = database.write_deletion(lambda t: _record_first(t, database, secret, place))
    found = Secret.find(settings)
    if found is None:
        raise WrongKey(place, missing=True)
    if found.fingerprint != recorded:
        raise WrongKey(place)


def adopt_key(t: Transaction, secret: Secret) -> int:
    """Make a key the database's, and sign everybody out; return how many sign-ins ended."""
    installation(t).key_fingerprint = secret.fingerprint
    ended = delete(Token).where(Token.kind.in_(("login", "link"))).returning(Token.kind)
    return t.scalars(ended).all().count("login")


def _record_first(t: Transaction, database: Database, secret: Secret, place: str) -> str:
    """Record a key unless another host was first; return what is recorded."""
    database.advisory_lock(t, LOCK)
    row = installation(t)
    if row.key_fingerprint is None:
        stored = list(t.scalars(select(Supplier.key).where(Supplier.key.is_not(None))))
        # An earlier version recorded none. On SQLite there is but one host, whose key may be lost.
        if not database.sqlite and stored and not any(secret.decrypt(key or b"") for key in stored):
            raise WrongKey(place)
        row.key_fingerprint = secret.fingerprint
    return row.key_fingerprint
