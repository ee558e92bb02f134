"""Who somebody is: users, passwords, and the secrets that stand for a user. Secrets are kept as SHA-256 only.

A browser's login, a personal token and a one-time link are one thing, a row of `tokens`, told apart by their kind: so
logging out, changing the password and revoking all end a row, on the server. Who holds a secret is kept in memory for a
second, so they end at once in the process that is told, and within that second in the others.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session as Transaction
from werkzeug.security import check_password_hash, generate_password_hash

from chatapp.errors import InvalidRequest, NotFound, Unauthorized
from chatapp.identity.cache import Kept
from chatapp.identity.defaults import Defaults
from chatapp.identity.throttle import Attempts
from chatapp.storage import threads
from chatapp.storage.database import Database
from chatapp.storage.models import Token, User, new_id, now

LOGIN_DAYS = 30
LINK_HOURS = 24
MOST_CHECKS = 16
NOTE_SECONDS = 60
CHECK_AGAIN_SECONDS = 5
ADMIN = "admin"
BEARERS = ("personal", "terminal", "environment")
LOGINS = ("login",)
KEPT_SECONDS = 1.0
MOST_KEPT = 10_000


# Built once: requests ask it all the time.
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


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks."""

    id: str
    name: str
    role: str
    has_password: bool
    defaults: Defaults = Defaults()

    @property
    def is_admin(self) -> bool:
        """Whether this person looks after the installation."""
        return self.role == "admin"


class Accounts:
    """Users and their secrets, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checking = 0
        self._used: dict[str, float] = {}
        self._holders: Kept[tuple[str, tuple[str, ...]], Person] = Kept(KEPT_SECONDS, MOST_KEPT)
        self._attempts = Attempts()

    def sign_in(self, name: str, password: str, client: str) -> tuple[Person, str]:
        """Check a password and return the person and a new login secret; raise Unauthorized."""
        self._attempts.begin(name, client)  # before the check, or many at once would all be checked
        user = self._database.read(lambda t: _user(t, User.name == name, ~User.disabled))
        known = user.password_hash if user else None
        matches = self._check(known or None, password)
        if user is None or user.password_hash is None or not matches:
            raise Unauthorized("wrong")
        self._attempts.forget(name, client)
        return _person(user), self._issue(user.id, "login", timedelta(days=LOGIN_DAYS))

    def use_link(self, secret: str) -> tuple[Person, str]:
        """Trade a one-time link for a login; it works once. Raise Unauthorized."""

        def use(t: Transaction) -> User | None:
            taken = t.execute(
                delete(Token)
                .where(
                    Token.kind == "link", Token.hash == hash_of(secret), Token.expires_at > now()
                )
                .returning(Token.user_id)
            ).scalar()
            return _user(t, User.id == taken, ~User.disabled) if taken else None

        there = select(Token.id).where(Token.kind == "link", Token.hash == hash_of(secret))
        if self._database.read(lambda t: t.scalars(there).first()) is None:
            raise Unauthorized("link")
        user = self._database.write(use)
        if user is None:
            raise Unauthorized("link")
        return _person(user), self._issue(user.id, "login", timedelta(days=LOGIN_DAYS))

    def by_login(self, secret: str) -> Person | None:
        """Return who holds this browser's login."""
        return self._by_hash(hash_of(secret), LOGINS)

    def by_bearer(self, secret: str) -> Person | None:
        """Return who holds this token, and note, at most once a minute, that it was used."""
        hashed = hash_of(secret)
        person = self._by_hash(hashed, BEARERS)
        if (
            person is not None
            and time.monotonic() - self._used.get(hashed, -NOTE_SECONDS) >= NOTE_SECONDS
        ):
            self._used[hashed] = time.monotonic()
            # Later: who stops an answer while somebody else holds the database must not wait for this.
            self._database.write_in_background(
                lambda t: t.execute(update(Token).where(Token.hash == hashed).values(used_at=now()))
            )
        return person

    def sign_out(self, secret: str) -> None:
        """End a login."""
        self._database.write(
            lambda t: (
                t.execute(delete(Token).where(Token.kind == "login", Token.hash == hash_of(secret)))
                and None
            )
        )
        self._holders.clear()

    def set_password(
        self, person: Person, current: str | None, password: str, keep: str | None
    ) -> None:
        """Set a password and end all other logins; `keep` is the login secret that goes on."""
        user = self._database.read(lambda t: t.get_one(User, person.id))
        if user.password_hash and not self._check(user.password_hash, current or ""):
            raise Unauthorized("current")
        if password.lower() in (
            user.name.lower(),
            "password",
            "12345678",
            "123456789",
            "1234567890",
            "qwertyuiop",
        ):
            raise InvalidRequest("password", "guessable")
        made = threads.run(lambda: generate_password_hash(password), threads.PASSWORDS)

        def save(t: Transaction) -> None:
            t.execute(update(User).where(User.id == person.id).values(password_hash=made))
            t.execute(
                delete(Token).where(
                    Token.user_id == person.id,
                    Token.kind.in_(("login", "link")),
                    Token.hash != hash_of(keep or ""),
                )
            )

        self._database.write(save)
        self._holders.clear()

    def set_defaults(self, person: Person, changes: Mapping[str, Any]) -> Person:
        """Change some of a person's defaults, None for the product's own again; return who they are now."""

        def save(t: Transaction) -> Person:
            user = t.get_one(User, person.id, with_for_update=True)
            user.defaults = {
                name: value
                for name, value in {**user.defaults, **changes}.items()
                if value is not None
            }
            return _person(user)

        changed = self._database.write(save)
        self._holders.clear()
        return changed

    def clear(self, person: Person, keep: str) -> None:
        """Take away a person's defaults and personal tokens; `keep` is the secret that goes on. The account stays."""
        personal = delete(Token).where(
            Token.user_id == person.id, Token.kind == "personal", Token.hash != hash_of(keep)
        )

        def remove(t: Transaction) -> None:
            t.execute(personal)
            t.execute(update(User).where(User.id == person.id).values(defaults={}))

        self._database.write(remove)
        self._holders.clear()

    def tokens(self, person: Person) -> list[dict[str, Any]]:
        """List somebody's personal tokens, without their secrets."""

        def rows(t: Transaction) -> list[dict[str, Any]]:
            query = (
                select(Token)
                .where(Token.user_id == person.id, Token.kind.in_(BEARERS))
                .order_by(Token.created_at)
            )
            return [_token_json(row) for row in t.scalars(query)]

        return self._database.read(rows)

    def create_token(self, person: Person, name: str) -> dict[str, Any]:
        """Make a personal token; its secret is in the answer and nowhere else."""
        secret = self._issue(person.id, "personal", None, name)
        row = self._database.read(
            lambda t: t.scalars(select(Token).where(Token.hash == hash_of(secret))).one()
        )
        return {**_token_json(row), "token": secret}

    def delete_token(self, person: Person, token_id: str) -> None:
        """Revoke a personal token; raise NotFound."""
        gone = self._database.write(
            lambda t: t.execute(
                delete(Token)
                .where(Token.id == token_id, Token.user_id == person.id, Token.kind.in_(BEARERS))
                .returning(Token.id)
            ).scalar()
        )
        self._holders.clear()
        if gone is None:
            raise NotFound

    def administrator(self) -> Person:
        """Return the first administrator, who everybody is where accounts are off."""
        return _person(self._database.read(lambda t: t.scalars(_first_admin()).one()))

    def ensure_admin(self, password: str, token: str) -> str | None:
        """Make the first administrator; apply the environment's password and token; return a link's secret if it is needed."""
        hashed = generate_password_hash(password) if password else None

        def ensure(t: Transaction) -> User:
            user = t.scalars(_first_admin()).first()
            if user is None:
                user = User(id=new_id(), name=ADMIN, role="admin")
                t.add(user)
            if hashed and not (
                user.password_hash and check_password_hash(user.password_hash, password)
            ):
                user.password_hash = hashed
            t.flush()
            t.execute(
                delete(Token).where(or_(Token.kind == "environment", Token.expires_at < now()))
            )
            if token and not t.scalar(
                select(Token.id).where(Token.hash == hash_of(token))
            ):  # it may be one that was made here
                t.add(
                    Token(
                        user_id=user.id,
                        kind="environment",
                        hash=hash_of(token),
                        name="CHATAPP_TOKEN",
                    )
                )
            return user

        user = self._database.write(ensure)
        self._holders.clear()
        return None if user.password_hash else self.new_link()

    def new_link(self) -> str:
        """Make a one-time sign-in link's secret for the administrator; earlier links end."""
        admin = self.administrator()
        self._database.write(
            lambda t: (
                t.execute(delete(Token).where(Token.kind == "link", Token.user_id == admin.id))
                and None
            )
        )
        return self._issue(admin.id, "link", timedelta(hours=LINK_HOURS))

    def terminal_token(self, path: Path) -> None:
        """Keep a token for the terminal in a file that only its owner reads; one that still works is left alone."""
        if path.exists() and self.by_bearer(path.read_text().strip()):
            return
        admin = self.administrator()
        self._database.write(
            lambda t: t.execute(delete(Token).where(Token.kind == "terminal")) and None
        )
        self._holders.clear()
        secret = self._issue(admin.id, "terminal", None, "terminal")
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")

    def _issue(self, user_id: str, kind: str, life: timedelta | None, name: str = "") -> str:
        secret = secrets.token_urlsafe(32)
        expires_at = now() + life if life else None
        row = Token(
            user_id=user_id, kind=kind, hash=hash_of(secret), name=name, expires_at=expires_at
        )
        self._database.write(lambda t: t.add(row))
        return secret

    def _by_hash(self, hashed: str, kinds: tuple[str, ...]) -> Person | None:
        def look_up() -> Person | None:
            user = self._database.read(
                lambda t: t.scalars(
                    _BY_HASH, {"hash": hashed, "kinds": kinds, "now": now()}
                ).first()
            )
            return _person(user) if user else None

        return self._holders.get((hashed, kinds), look_up)

    def _check(self, known: str | None, password: str) -> bool:
        """Compare in the pool for passwords; beyond a few who wait, nobody is let in line."""
        if self._checking >= MOST_CHECKS:
            raise Unauthorized("slow", retry_after=CHECK_AGAIN_SECONDS, seconds=CHECK_AGAIN_SECONDS)
        self._checking += 1
        try:
            return threads.run(
                lambda: check_password_hash(known or _nobody(), password), threads.PASSWORDS
            )
        finally:
            self._checking -= 1


def _token_json(row: Token) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "created_at": row.created_at,
        "used_at": row.used_at,
    }


@lru_cache
def _nobody() -> str:
    """A hash to check for a name that does not exist, so that the answer takes as long as for one that does."""
    return generate_password_hash(secrets.token_hex())


def _first_admin() -> Any:
    return select(User).where(User.role == "admin").order_by(User.created_at).limit(1)


def _user(t: Transaction, *conditions: Any) -> User | None:
    return t.scalars(select(User).where(*conditions)).first()


def _person(user: User) -> Person:
    has_password = user.password_hash is not None
    return Person(user.id, user.name, user.role, has_password, Defaults(**user.defaults))


def hash_of(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
