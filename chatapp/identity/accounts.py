"""Users' own accounts: signing in, passwords, defaults, and the first administrator.

Logins, links and tokens are in `tokens.py`; managing the accounts of others is in `users.py`.
"""

import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session as Transaction
from werkzeug.security import check_password_hash, generate_password_hash

from chatapp.errors import InvalidRequest, Unauthorized
from chatapp.identity.person import Person, person_of
from chatapp.identity.throttle import Throttle
from chatapp.identity.tokens import FIRST_ADMIN, LINK_HOURS, LOGIN_DAYS, Tokens, hash_of
from chatapp.storage import threads
from chatapp.storage.database import Database
from chatapp.storage.models import Token, User, new_id, now

MOST_CHECKS = 16  # of passwords that wait for the one thread; further ones are refused
CHECK_AGAIN_SECONDS = 5  # told to a client that was refused
ADMIN = "admin"


class Accounts:
    """Users and their secrets, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.tokens = Tokens(database)
        self._checking = 0
        self._throttle = Throttle()

    def sign_in(self, name: str, password: str, client: str) -> tuple[Person, str]:
        """Check a password and return the person and a new login secret; raise Unauthorized."""
        self._throttle.count(name, client)  # before the check: parallel attempts count too
        user = self._database.read(lambda t: _user(t, User.name == name, ~User.disabled))
        known = user.password_hash if user else None
        matches = self._check(known or None, password)
        if user is None or user.password_hash is None or not matches:
            raise Unauthorized("wrong")
        self._throttle.reset(name, client)
        return person_of(user), self.tokens.issue(user.id, "login", timedelta(days=LOGIN_DAYS))

    def use_link(self, secret: str) -> tuple[Person, str]:
        """Exchange a one-time link for a login. Raise Unauthorized."""

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
        user = self._database.write_deletion(use)
        if user is None:
            raise Unauthorized("link")
        return person_of(user), self.tokens.issue(user.id, "login", timedelta(days=LOGIN_DAYS))

    def sign_out(self, secret: str) -> None:
        """Delete a login."""
        self._database.write_deletion(
            lambda t: (
                t.execute(delete(Token).where(Token.kind == "login", Token.hash == hash_of(secret)))
                and None
            )
        )
        self.tokens.forget()

    def set_password(
        self, person: Person, current: str | None, password: str, keep: str | None
    ) -> None:
        """Set a password and end all logins but `keep`, a login's secret. Tokens still work."""
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
            _end_logins(t, person.id, keep or "")

        self._database.write(save)
        self.tokens.forget()

    def set_defaults(self, person: Person, changes: Mapping[str, Any]) -> Person:
        """Change some defaults (None resets one to the product's); return the changed person."""

        def save(t: Transaction) -> Person:
            user = t.get_one(User, person.id, with_for_update=True)
            user.defaults = {
                name: value
                for name, value in {**user.defaults, **changes}.items()
                if value is not None
            }
            return person_of(user)

        changed = self._database.write(save)
        self.tokens.forget()
        return changed

    def clear(self, person: Person, keep: str) -> None:
        """Delete a user's defaults and personal tokens, except the secret `keep`."""
        personal = delete(Token).where(
            Token.user_id == person.id, Token.kind == "personal", Token.hash != hash_of(keep)
        )

        def remove(t: Transaction) -> None:
            t.execute(personal)
            t.execute(update(User).where(User.id == person.id).values(defaults={}))

        self._database.write_deletion(remove)
        self.tokens.forget()

    def administrator(self) -> Person:
        """Return the first administrator; with accounts off, every request is theirs."""
        return self.tokens.administrator()

    def ensure_admin(self, password: str, token: str) -> str | None:
        """Create the first administrator; set the environment's password and token.

        Returns the secret of a sign-in link if there is no password.
        """
        hashed = generate_password_hash(password) if password else None

        def ensure(t: Transaction) -> User:
            user = t.scalars(FIRST_ADMIN).first()
            if user is None:
                user = User(id=new_id(), name=ADMIN, role="admin")
                t.add(user)
            if hashed and not (
                user.password_hash and check_password_hash(user.password_hash, password)
            ):
                user.password_hash = hashed
                _end_logins(t, user.id)
            t.flush()
            t.execute(
                delete(Token).where(or_(Token.kind == "environment", Token.expires_at < now()))
            )
            # The variable may hold a token that was created on the page.
            if token and not t.scalar(select(Token.id).where(Token.hash == hash_of(token))):
                t.add(
                    Token(
                        user_id=user.id,
                        kind="environment",
                        hash=hash_of(token),
                        name="CHATAPP_TOKEN",
                    )
                )
            return user

        user = self._database.write_deletion(ensure)
        self.tokens.forget()
        return None if user.password_hash else self.new_link()

    def new_link(self) -> str:
        """Replace the administrator's one-time sign-in link; return the new link's secret."""
        admin = self.administrator()
        self._database.write_deletion(
            lambda t: (
                t.execute(delete(Token).where(Token.kind == "link", Token.user_id == admin.id))
                and None
            )
        )
        return self.tokens.issue(admin.id, "link", timedelta(hours=LINK_HOURS))

    def terminal_token(self, path: Path) -> None:
        """Write a token for local commands to a file (0600), unless the one there still works."""
        if path.exists() and self.tokens.by_bearer(path.read_text().strip()):
            return
        admin = self.administrator()
        self._database.write_deletion(
            lambda t: t.execute(delete(Token).where(Token.kind == "terminal")) and None
        )
        self.tokens.forget()
        secret = self.tokens.issue(admin.id, "terminal", None, "terminal")
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")

    def _check(self, known: str | None, password: str) -> bool:
        """Check in the password pool; refuse when too many checks are waiting."""
        if self._checking >= MOST_CHECKS:
            raise Unauthorized("slow", retry_after=CHECK_AGAIN_SECONDS, seconds=CHECK_AGAIN_SECONDS)
        self._checking += 1
        try:
            return threads.run(
                lambda: check_password_hash(known or _dummy_hash(), password), threads.PASSWORDS
            )
        finally:
            self._checking -= 1


@lru_cache
def _dummy_hash() -> str:
    """Return a hash to check for unknown names, so that timing does not tell them apart."""
    return generate_password_hash(secrets.token_hex())


def _end_logins(t: Transaction, user_id: str, keep: str = "") -> None:
    """Delete a user's logins and links but `keep`, a secret: the password has changed."""
    t.execute(
        delete(Token).where(
            Token.user_id == user_id,
            Token.kind.in_(("login", "link")),
            Token.hash != hash_of(keep),
        )
    )


def _user(t: Transaction, *conditions: Any) -> User | None:
    return t.scalars(select(User).where(*conditions)).first()
