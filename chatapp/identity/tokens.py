"""Secrets that authenticate a user: browser logins, personal tokens, one-time links.

All are rows of `tokens` with a kind, so signing out, changing the password and revoking each end a
row. Only SHA-256 hashes are stored. The user of a secret is cached for a second: a revoked secret
ends at once in this process, and within that second in others. The administrator, as whom all
requests run with accounts off, is cached in the same way.
"""

import hashlib
import secrets
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import NotFound
from chatapp.identity.cache import TTLCache
from chatapp.identity.person import Person, person_of
from chatapp.storage.database import Database
from chatapp.storage.models import Token, User, now

LOGIN_DAYS = 30
LINK_HOURS = 24
USED_SECONDS = 60  # between two updates of a token's time of use
CACHE_SECONDS = 1.0  # for the user of a secret
MAX_CACHED = 10_000
BEARERS = ("personal", "terminal", "environment")
LOGINS = ("login",)

# Built once: most requests run one of them.
FIRST_ADMIN = select(User).where(User.role == "admin").order_by(User.created_at).limit(1)
_BY_HASH = (
    select(User)
    .join(Token, Token.user_id == User.id)
    .where(
        Token.hash == bindparam("hash"),
        Token.kind.in_(bindparam("kinds", expanding=True)),
        ~User.disabled,
    )
    .where(or_(Token.expires_at.is_(None), Token.expires_at > bindparam("now")))
)


class Tokens:
    """The secrets of all users, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, float] = {}
        self._cached: TTLCache[tuple[str, tuple[str, ...]], Person] = TTLCache(
            CACHE_SECONDS, MAX_CACHED
        )

    def by_login(self, secret: str) -> Person | None:
        """Return the user of a browser's login."""
        return self._by_hash(hash_of(secret), LOGINS)

    def by_bearer(self, secret: str) -> Person | None:
        """Return the user of a token, and note its use, at most once a minute."""
        hashed = hash_of(secret)
        person = self._by_hash(hashed, BEARERS)
        if (
            person is not None
            and time.monotonic() - self._used.get(hashed, -USED_SECONDS) >= USED_SECONDS
        ):
            self._used[hashed] = time.monotonic()
            # In the background: a Stop must not wait for a database that is locked.
            self._database.write_in_background(
                lambda t: t.execute(update(Token).where(Token.hash == hashed).values(used_at=now()))
            )
        return person

    def administrator(self) -> Person:
        """Return the first administrator; with accounts off, every request is theirs."""

        def load() -> Person:
            return person_of(self._database.read(lambda t: t.scalars(FIRST_ADMIN).one()))

        person = self._cached.get(("", ()), load)
        assert person is not None
        return person

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

    def create(self, person: Person, name: str) -> dict[str, Any]:
        """Create a personal token; only this call returns its secret."""
        secret = self.issue(person.id, "personal", None, name)
        row = self._database.read(
            lambda t: t.scalars(select(Token).where(Token.hash == hash_of(secret))).one()
        )
        return {**_token_json(row), "token": secret}

    def delete(self, person: Person, token_id: str) -> None:
        """Revoke a personal token; raise NotFound."""
        gone = self._database.write_deletion(
            lambda t: t.execute(
                delete(Token)
                .where(Token.id == token_id, Token.user_id == person.id, Token.kind.in_(BEARERS))
                .returning(Token.id)
            ).scalar()
        )
        self.forget()
        if gone is None:
            raise NotFound

    def issue(self, user_id: str, kind: str, life: timedelta | None, name: str = "") -> str:
        """Store a new secret's hash; return the secret. `life` None: no expiry."""
        secret = secrets.token_urlsafe(32)
        expires_at = now() + life if life else None
        row = Token(
            user_id=user_id, kind=kind, hash=hash_of(secret), name=name, expires_at=expires_at
        )
        # On a full disk, users still sign in: they may have to delete something.
        write = self._database.write if kind == "personal" else self._database.write_deletion
        write(lambda t: t.add(row))
        return secret

    def forget(self) -> None:
        """Drop cached users: a secret or a user has changed."""
        self._cached.clear()

    def _by_hash(self, hashed: str, kinds: tuple[str, ...]) -> Person | None:
        def load() -> Person | None:
            user = self._database.read(
                lambda t: t.scalars(
                    _BY_HASH, {"hash": hashed, "kinds": kinds, "now": now()}
                ).first()
            )
            return person_of(user) if user else None

        return self._cached.get((hashed, kinds), load)


def hash_of(secret: str) -> str:
    """Return the SHA-256 of a secret in hex, as stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _token_json(row: Token) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "created_at": row.created_at,
        "used_at": row.used_at,
    }
