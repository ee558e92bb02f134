"""Managing accounts on the command line: add, link, reset, disable, delete.

What users do with their own account is in accounts.py. The first start creates the administrator's
account, which cannot be disabled or deleted here.
"""

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import Forbidden, InvalidRequest, NotFound
from chatapp.identity.tokens import LINK_HOURS, hash_of
from chatapp.storage.database import Database
from chatapp.storage.models import Token, User, new_id, now

MOST_NAME_CHARACTERS = 80
LINK = "link"


class Users:
    """The accounts of an installation, on its database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[dict[str, Any]]:
        """Return all accounts, oldest first."""
        query = select(User).order_by(User.created_at, User.name)
        return self._database.read(lambda t: [_json(user) for user in t.scalars(query)])

    def add(self, name: str) -> dict[str, Any]:
        """Create an account without a password; raise InvalidRequest for its name."""
        name = " ".join(name.split())
        if not name or len(name) > MOST_NAME_CHARACTERS or not name.isprintable():
            raise InvalidRequest("name", "blank" if not name else "wrong")

        def insert(t: Transaction) -> dict[str, Any]:
            if t.scalar(select(func.count()).where(func.lower(User.name) == name.lower())):
                raise InvalidRequest("name", "taken")
            user = User(id=new_id(), name=name, role="user", disabled=False, created_at=now())
            t.add(user)
            t.flush()
            return _json(user)

        try:
            return self._database.write(insert)
        except IntegrityError as fault:  # two at once on PostgreSQL
            raise InvalidRequest("name", "taken") from fault

    def new_link(self, name: str) -> str:
        """Replace a one-time link; return its secret. Raise NotFound, Forbidden if disabled."""
        secret = secrets.token_urlsafe(32)

        def issue(t: Transaction) -> None:
            user = _find(t, name)
            if user.disabled:
                raise Forbidden
            t.execute(delete(Token).where(Token.kind == LINK, Token.user_id == user.id))
            t.add(
                Token(
                    user_id=user.id,
                    kind=LINK,
                    hash=hash_of(secret),
                    expires_at=now() + timedelta(hours=LINK_HOURS),
                )
            )

        self._database.write_deletion(issue)
        return secret

    def forget_password(self, name: str) -> None:
        """Remove a password, logins and tokens; a link sets a new one. Raise NotFound.

        The environment's token (CHATAPP_TOKEN) still works: the next start would restore it.
        """

        def reset(t: Transaction) -> None:
            user = _find(t, name)
            user.password_hash = None
            t.execute(delete(Token).where(Token.kind != "environment", Token.user_id == user.id))

        self._database.write_deletion(reset)

    def set_disabled(self, name: str, disabled: bool) -> None:
        """Disable or enable an account, keeping its data; raise NotFound, Forbidden."""

        def change(t: Transaction) -> None:
            user = _not_admin(_find(t, name))
            user.disabled = disabled
            if disabled:
                t.execute(
                    delete(Token).where(Token.kind.in_(("login", LINK)), Token.user_id == user.id)
                )

        self._database.write_deletion(change)

    def deletable(self, name: str) -> str:
        """Return the id of a deletable account; raise NotFound, Forbidden for an admin."""
        return self._database.read(lambda t: _not_admin(_find(t, name)).id)

    def delete(self, user_id: str) -> None:
        """Delete an account, its chats and tokens. Call `Knowledge.forget` first."""
        self._database.write_deletion(
            lambda t: t.execute(delete(User).where(User.id == user_id)) and None
        )


def _find(t: Transaction, name: str) -> User:
    user = t.scalars(select(User).where(User.name == name)).first()
    if user is None:
        raise NotFound("user")
    return user


def _not_admin(user: User) -> User:
    if user.role == "admin":
        raise Forbidden
    return user


def _json(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "disabled": user.disabled,
        "has_password": user.password_hash is not None,
        "created_at": user.created_at.isoformat(timespec="seconds") + "Z",
    }
