"""Users' own accounts: signing in, passwords, defaults, and the first administrator.

Every check of a password is counted by `throttle.py` first. Logins, links and tokens are in
`tokens.py`; managing the accounts of others is in `users.py`.
"""

import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Delete, and_, delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction
from werkzeug.security import check_password_hash, generate_password_hash

from chatapp.core.passwords import weakness
from chatapp.errors import Forbidden, InvalidRequest, Unauthorized
from chatapp.identity.identities import is_linked
from chatapp.identity.names import checked_name, require_free
from chatapp.identity.person import ADMIN_ROLE, Person, person_of
from chatapp.identity.refusals import TooManyAttempts
from chatapp.identity.throttle import Throttle
from chatapp.identity.tokens import FIRST_ADMIN, LINK_HOURS, Device, Tokens, hash_of
from chatapp.storage import threads
from chatapp.storage.audit_models import AuditEntry
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
        self.throttle = Throttle(database)

    def sign_in(
        self, name: str, password: str, device: Device, browser: str = ""
    ) -> tuple[Person, str]:
        """Check a password and return the person and a new login secret.

        `browser` is the secret of a browser that signed in before. Raises Unauthorized,
        TooManyAttempts.
        """
        self.throttle.count_sign_in(name, device.address, browser)
        user = self._database.read(lambda t: _user(t, User.name == name, ~User.disabled))
        known = user.password_hash if user else None
        matches = self._check(known or None, password)
        if user is None or user.password_hash is None or not matches:
            raise Unauthorized("wrong")
        return person_of(user), self.tokens.new_login(user.id, device)

    def use_link(self, secret: str, device: Device) -> tuple[Person, str]:
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
        return person_of(user), self.tokens.new_login(user.id, device)

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
        self,
        person: Person,
        current: str | None,
        password: str,
        keep: str | None,
        end_tokens_but: str | None = None,
    ) -> None:
        """Set a password and end all logins but `keep`, a login's secret.

        Personal tokens still work, unless `end_tokens_but` is a secret, of a token or not: then all
        others end. Raises InvalidRequest, Unauthorized, TooManyAttempts, Forbidden for the account
        of a person at a provider: a password would outlive their access.
        """
        user, linked = self._database.read(
            lambda t: (t.get_one(User, person.id), is_linked(t, person.id))
        )
        if linked:
            raise Forbidden("provider")
        _refuse_weak(password, user.name)
        if user.password_hash:
            self.throttle.count_check(user.id)
            if not self._check(user.password_hash, current or ""):
                raise Unauthorized("current")
            self.throttle.check_succeeded(user.id)
        made = threads.run(lambda: generate_password_hash(password), threads.PASSWORDS)

        def save(t: Transaction) -> None:
            t.execute(update(User).where(User.id == person.id).values(password_hash=made))
            _end_logins(t, person.id, keep or "")
            if end_tokens_but is not None:
                t.execute(_personal_tokens(person, end_tokens_but))

        self._database.write(save)
        self.tokens.forget()

    def rename(self, person: Person, name: str) -> Person:
        """Change a person's name; raise InvalidRequest."""
        name = checked_name(name)

        def save(t: Transaction) -> Person:
            require_free(t, name, person.id)
            user = t.get_one(User, person.id, with_for_update=True)
            user.name = name
            t.flush()
            return person_of(user)

        try:
            renamed = self._database.write(save)
        except IntegrityError as fault:  # two at once on PostgreSQL
            raise InvalidRequest("name", "taken") from fault
        self.tokens.forget()
        return renamed

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

        def remove(t: Transaction) -> None:
            t.execute(_personal_tokens(person, keep))
            t.execute(update(User).where(User.id == person.id).values(defaults={}))

        self._database.write_deletion(remove)
        self.tokens.forget()

    def administrator(self) -> Person:
        """Return the first administrator; with accounts off, every request is theirs."""
        return self.tokens.administrator()

    def ensure_admin(self, password: str, token: str, host: str = "") -> bool:
        """Create the first administrator; set the environment's password and this host's token.

        Returns whether the administrator has a password.
        """
        hashed = generate_password_hash(password) if password else None

        def ensure(t: Transaction) -> User:
            user = t.scalars(FIRST_ADMIN).first()
            if user is None:
                user = User(id=new_id(), name=ADMIN, role=ADMIN_ROLE)
                t.add(user)
            if hashed and not (
                user.password_hash and check_password_hash(user.password_hash, password)
            ):
                user.password_hash = hashed
                _end_logins(t, user.id)
            t.flush()
            ended = or_(_of_host("environment", host), Token.expires_at < now())
            t.execute(delete(Token).where(ended))
            _set_environment(t, user, token, host)
            return user

        user = self._database.write_deletion(ensure)
        self.tokens.forget()
        return user.password_hash is not None

    def has_signed_in(self) -> bool:
        """Return whether anyone ever signed in, as far as logins and the audit log show."""
        return self._database.read(lambda t: bool(t.scalar(_SIGNED_IN)))

    def new_link(self, host: str = "") -> str:
        """Replace the administrator's one-time link of a host; return the new one's secret."""
        admin = self.administrator()
        self._database.write_deletion(
            lambda t: (
                t.execute(delete(Token).where(_of_host("link", host), Token.user_id == admin.id))
                and None
            )
        )
        return self.tokens.issue(admin.id, "link", timedelta(hours=LINK_HOURS), host=host)

    def terminal_token(self, path: Path, host: str = "") -> None:
        """Write a token for a host's commands to a file (0600), unless the one there works."""
        known = self.tokens.by_bearer(path.read_text().strip()) if path.exists() else None
        if known is not None and known.is_admin:
            return
        admin = self.administrator()
        self._database.write_deletion(
            lambda t: t.execute(delete(Token).where(_of_host("terminal", host))) and None
        )
        self.tokens.forget()
        secret = self.tokens.issue(admin.id, "terminal", None, "terminal", host=host)
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")

    def _check(self, known: str | None, password: str) -> bool:
        """Check in the password pool; refuse when too many checks are waiting."""
        if self._checking >= MOST_CHECKS:
            raise TooManyAttempts(CHECK_AGAIN_SECONDS, "busy")
        self._checking += 1
        try:
            return threads.run(
                lambda: check_password_hash(known or _dummy_hash(), password), threads.PASSWORDS
            )
        finally:
            self._checking -= 1


def _of_host(kind: str, host: str) -> ColumnElement[bool]:
    """Return the condition for a host's tokens of a kind, and for those of earlier versions."""
    return and_(Token.kind == kind, Token.host.in_(("", host)))


def _set_environment(t: Transaction, user: User, token: str, host: str) -> None:
    """Store CHATAPP_TOKEN, which may be a token that was created on the page, or another host's."""
    if not token:
        return
    known = t.scalars(select(Token).where(Token.hash == hash_of(token))).first()
    if known is None:
        values = {"kind": "environment", "hash": hash_of(token), "name": "CHATAPP_TOKEN"}
        t.add(Token(user_id=user.id, host=host, **values))
    elif known.kind == "environment":
        known.host = host  # it ends when its last host starts without it


_SIGNED_IN = select(
    or_(
        exists().where(Token.kind == "login"),
        exists().where(AuditEntry.action == "account.sign_in"),
    )
)


def _refuse_weak(password: str, name: str) -> None:
    if why := weakness(password, name):
        raise InvalidRequest("password", f"password_{why}")


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


def _personal_tokens(person: Person, keep: str) -> Delete:
    """Return the deletion of a person's tokens, except the secret `keep`."""
    theirs = (Token.user_id == person.id, Token.kind == "personal")
    return delete(Token).where(*theirs, Token.hash != hash_of(keep))


def _user(t: Transaction, *conditions: Any) -> User | None:
    return t.scalars(select(User).where(*conditions)).first()
