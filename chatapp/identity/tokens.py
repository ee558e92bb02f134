"""Secrets that authenticate a user: browser logins, personal tokens, one-time links.

All are rows of `tokens` with a kind, so signing out, changing the password and revoking each end a
row. Only SHA-256 hashes are stored. The user of a secret is cached for a second: a revoked secret
ends at once in this process, and within that second in others. The administrator, as whom all
requests run with accounts off, is cached in the same way.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import NotFound
from chatapp.identity.cache import TTLCache
from chatapp.identity.person import ADMIN_ROLE, SCOPES, Person, person_of
from chatapp.storage.database import Database
from chatapp.storage.models import Token, User, now

LOGIN_DAYS = 30
LINK_HOURS = 24
USED_SECONDS = 60  # between two updates of the time of use of a secret
CACHE_SECONDS = 1.0  # for the user of a secret
MAX_CACHED = 10_000
ADDRESS_CHARACTERS = 64  # kept of a client's address, which proxies may write as they like
BEARERS = ("personal", "terminal", "environment")
LOGINS = ("login",)

# Built once: most requests run one of them.
FIRST_ADMIN = (
    select(User)
    .where(User.role == ADMIN_ROLE, ~User.disabled)
    .order_by(User.created_at, User.id)
    .limit(1)
)
_BY_HASH = (
    select(User, Token.scopes)
    .join(Token, Token.user_id == User.id)
    .where(
        Token.hash == bindparam("hash"),
        Token.kind.in_(bindparam("kinds", expanding=True)),
        ~User.disabled,
    )
    .where(or_(Token.expires_at.is_(None), Token.expires_at > bindparam("now")))
)


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody signs in: the name of the browser, short, and the client's address."""

    browser: str = ""
    address: str = ""


class Tokens:
    """The secrets of all users, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, float] = {}
        self._cached: TTLCache[tuple[str, tuple[str, ...]], Person] = TTLCache(
            CACHE_SECONDS, MAX_CACHED
        )

    def by_login(self, secret: str) -> Person | None:
        """Return the user of a browser's login, and note its use, at most once a minute."""
        return self._by_hash(hash_of(secret), LOGINS)

    def by_bearer(self, secret: str) -> Person | None:
        """Return the user of a token, limited to its scopes, and note its use as for a login."""
        return self._by_hash(hash_of(secret), BEARERS)

    def administrator(self) -> Person:
        """Return the first administrator; with accounts off, every request is theirs."""

        def load() -> Person:
            found = self._database.reserved.read(lambda t: t.scalars(FIRST_ADMIN).one())
            return person_of(found)

        person = self._cached.get(("", ()), load)
        assert person is not None
        return person

    def cached(self, name: str, load: Callable[[], Person | None]) -> Person | None:
        """Return the user whom a proxy names, as `load` finds them."""
        return self._cached.get((name, ("proxy",)), load)

    def all(self, person: Person) -> list[dict[str, Any]]:
        """Return a person's tokens, without the secrets."""

        def rows(t: Transaction) -> list[dict[str, Any]]:
            query = (
                select(Token)
                .where(Token.user_id == person.id, Token.kind.in_(BEARERS))
                .order_by(Token.created_at)
            )
            return [_token_json(row) for row in t.scalars(query)]

        return self._database.read(rows)

    def create(
        self,
        person: Person,
        name: str,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> dict[str, Any]:
        """Create a personal token; only this call returns its secret.

        It may do what its scopes say (None: everything) and what the person may at the time of use.
        """
        secret = secrets.token_urlsafe(32)
        kept = None if scopes is None else [each for each in SCOPES if each in scopes]
        row = Token(
            user_id=person.id,
            kind="personal",
            hash=hash_of(secret),
            name=name,
            scopes=kept,
            expires_at=expires_at,
        )

        def add(t: Transaction) -> dict[str, Any]:
            t.add(row)
            t.flush()
            return _token_json(row)

        return {**self._database.write(add), "token": secret}

    def delete(self, person: Person, token_id: str) -> None:
        """Revoke a token; raise NotFound."""
        theirs = (Token.user_id == person.id, Token.kind.in_(BEARERS))
        if not self._end(*theirs, Token.id == token_id):
            raise NotFound("token")

    def logins(self, person: Person, current: str) -> list[dict[str, Any]]:
        """Return a person's logins that have not ended, latest use first; `current` is a secret."""
        query = select(Token).where(*_logins_of(person), Token.expires_at > now())

        def rows(t: Transaction) -> list[dict[str, Any]]:
            found = sorted(t.scalars(query), key=lambda row: row.used_at or row.created_at)
            return [_login_json(row, hash_of(current)) for row in reversed(found)]

        return self._database.read(rows)

    def end_login(self, person: Person, login_id: str) -> None:
        """Sign a browser out; raise NotFound."""
        if not self._end(*_logins_of(person), Token.id == login_id):
            raise NotFound("login")

    def end_other_logins(self, person: Person, current: str) -> None:
        """Sign all browsers out but the one with this secret."""
        self._end(*_logins_of(person), Token.hash != hash_of(current))

    def new_login(self, user_id: str, device: Device) -> str:
        """Sign a browser in; return the login's secret."""
        return self.issue(
            user_id, "login", timedelta(days=LOGIN_DAYS), device.browser, device.address
        )

    def issue(
        self,
        user_id: str,
        kind: str,
        life: timedelta | None,
        name: str = "",
        address: str = "",
        host: str = "",
    ) -> str:
        """Store a new secret's hash; return the secret. `life` None: no expiry."""
        secret = secrets.token_urlsafe(32)
        row = Token(
            user_id=user_id,
            kind=kind,
            hash=hash_of(secret),
            name=name,
            address=address[:ADDRESS_CHARACTERS],
            host=host,
            expires_at=now() + life if life else None,
        )
        # On a full disk, users still sign in: they may have to delete something.
        self._database.write_deletion(lambda t: t.add(row))
        return secret

    def forget(self) -> None:
        """Drop cached users: a secret or a user has changed."""
        self._cached.clear()

    def _by_hash(self, hashed: str, kinds: tuple[str, ...]) -> Person | None:
        def load() -> Person | None:
            found = self._database.reserved.read(  # a Stop begins with it
                lambda t: t.execute(
                    _BY_HASH, {"hash": hashed, "kinds": kinds, "now": now()}
                ).first()
            )
            return person_of(found[0], found[1]) if found else None

        person = self._cached.get((hashed, kinds), load)
        if person is not None:
            self._note_use(hashed, person.id)
        return person

    def _note_use(self, hashed: str, user_id: str) -> None:
        used_at = time.monotonic()
        if used_at - self._used.get(hashed, -USED_SECONDS) < USED_SECONDS:
            return
        if len(self._used) >= MAX_CACHED:
            self._used.clear()
        self._used[hashed] = used_at

        def note(t: Transaction) -> None:
            t.execute(update(Token).where(Token.hash == hashed).values(used_at=now()))
            t.execute(update(User).where(User.id == user_id).values(seen_at=now()))

        # In the background: a Stop must not wait for a database that is locked.
        self._database.write_in_background(note)

    def _end(self, *which: Any) -> bool:
        """Delete secrets; return whether there were any."""
        gone = delete(Token).where(*which).returning(Token.id)
        found = self._database.write_deletion(lambda t: t.scalars(gone).all())
        self.forget()
        return bool(found)


def hash_of(secret: str) -> str:
    """Return the SHA-256 of a secret in hex, as stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _logins_of(person: Person) -> tuple[Any, ...]:
    return (Token.user_id == person.id, Token.kind.in_(LOGINS))


def _token_json(row: Token) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "scopes": row.scopes,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "used_at": row.used_at,
    }


def _login_json(row: Token, current: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "browser": row.name,
        "address": row.address,
        "current": row.hash == current,
        "created_at": row.created_at,
        "used_at": row.used_at,
    }
