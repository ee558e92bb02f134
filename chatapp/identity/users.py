"""Managing the accounts of an installation: invite, roles, reset, disable, delete.

`who` is an account's id or its name. What users do with their own account is in accounts.py. The
last administrator who is not disabled stays: the rule is checked where it could be broken, by one
transaction at a time. Every change holds at once in this process, within a second in others.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import Forbidden, InvalidRequest, NotFound
from chatapp.identity.names import checked_name, require_free
from chatapp.identity.person import ADMIN_ROLE, MEMBER_ROLE, chosen_name
from chatapp.identity.tokens import FIRST_ADMIN, LINK_HOURS, Tokens, hash_of
from chatapp.storage.database import Database
from chatapp.storage.models import KnowledgeBase, Token, User, new_id, now

T = TypeVar("T")

LINK = "link"
LINK_LIFE = timedelta(hours=LINK_HOURS)
# They belong to the machine, not to a person, and act as its first administrator.
MACHINE_TOKENS = ("terminal", "environment")
LOCK = "users"  # of changes that could leave no administrator

_BASES = (
    select(func.count())
    .select_from(KnowledgeBase)
    .where(KnowledgeBase.user_id == User.id)
    .scalar_subquery()
)
_LINK_ENDS = (
    select(func.max(Token.expires_at))
    .where(Token.user_id == User.id, Token.kind == LINK)
    .scalar_subquery()
)
_LISTED = select(User, _BASES, _LINK_ENDS)


class Users:
    """The accounts of an installation, on its database."""

    def __init__(self, database: Database, tokens: Tokens | None = None) -> None:
        """`tokens` are those of this process, whose cache changes have to clear."""
        self._database = database
        self._tokens = tokens or Tokens(database)

    def all(self) -> list[dict[str, Any]]:
        """Return all accounts, oldest first."""
        query = _LISTED.order_by(User.created_at, User.name)
        return self._database.read(lambda t: [_json(*row) for row in t.execute(query)])

    def get(self, who: str) -> dict[str, Any]:
        """Return an account; raise NotFound."""
        return self._database.read(lambda t: _shown(t, _find(t, who)))

    def add(self, name: str | None, role: str = MEMBER_ROLE) -> dict[str, Any]:
        """Create an account without a password; raise InvalidRequest for its name.

        Without a name, the id stands in until the person chooses one.
        """
        user_id = new_id()
        name = user_id if name is None else checked_name(name)

        def insert(t: Transaction) -> dict[str, Any]:
            require_free(t, name, user_id)
            user = User(id=user_id, name=name, role=role, disabled=False, created_at=now())
            t.add(user)
            t.flush()
            return _shown(t, user)

        try:
            return self._database.write(insert)
        except IntegrityError as fault:  # two at once on PostgreSQL
            raise InvalidRequest("name", "taken") from fault

    def new_link(self, who: str, life: timedelta = LINK_LIFE) -> str:
        """Replace a one-time link; return its secret. Raise NotFound, Forbidden if disabled."""
        secret = secrets.token_urlsafe(32)

        def issue(t: Transaction) -> None:
            user = _find(t, who)
            if user.disabled:
                raise Forbidden("disabled")
            t.execute(delete(Token).where(Token.kind == LINK, Token.user_id == user.id))
            ends = now() + life
            t.add(Token(user_id=user.id, kind=LINK, hash=hash_of(secret), expires_at=ends))

        self._database.write_deletion(issue)
        return secret

    def forget_password(self, who: str) -> None:
        """Remove a password, logins and tokens; a link sets a new one. Raise NotFound, Forbidden.

        The environment's token (CHATAPP_TOKEN) still works: the next start would restore it.
        """

        def reset(_: Transaction, user: User) -> None:
            if user.disabled:
                raise Forbidden("disabled")
            user.password_hash = None

        self._change(who, reset, ends=Token.kind != "environment")

    def set_role(self, who: str, role: str) -> dict[str, Any]:
        """Make an account an administrator's or a member's; raise NotFound, Forbidden."""

        def change(t: Transaction, user: User) -> None:
            if role != ADMIN_ROLE:
                _require_another_admin(t, user)
            user.role = role

        return self._change(who, change)

    def set_disabled(self, who: str, disabled: bool) -> dict[str, Any]:
        """Disable or enable an account, keeping its data; raise NotFound, Forbidden."""

        def change(t: Transaction, user: User) -> None:
            if disabled:
                _require_another_admin(t, user)
            user.disabled = disabled

        ends = Token.kind.in_(("login", LINK)) if disabled else None
        return self._change(who, change, ends)

    def require_deletable(self, who: str) -> str:
        """Return the id of an account that may be deleted; raise NotFound, Forbidden."""

        def check(t: Transaction) -> str:
            user = _find(t, who)
            _require_another_admin(t, user)
            return user.id

        return self._database.read(check)

    def delete(self, user_id: str) -> None:
        """Delete an account, its chats and tokens; raise NotFound, Forbidden.

        Call `Knowledge.delete_all_of` or `pass_on` first: bases are deleted in steps.
        """

        def remove(t: Transaction) -> None:
            user = _find(t, user_id)
            _require_another_admin(t, user)
            user.role = MEMBER_ROLE
            _move_machine_tokens(t)
            t.delete(user)

        self._in_turn(remove)

    def _change(
        self, who: str, change: Callable[[Transaction, User], None], ends: Any = None
    ) -> dict[str, Any]:
        """Change an account, and end those of its secrets that `ends` selects."""

        def run(t: Transaction) -> dict[str, Any]:
            user = _find(t, who)
            change(t, user)
            if ends is not None:
                t.execute(delete(Token).where(ends, Token.user_id == user.id))
            _move_machine_tokens(t)
            return _shown(t, user)

        return self._in_turn(run)

    def _in_turn(self, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` alone among all that could leave no administrator."""

        def run(t: Transaction) -> T:
            self._database.advisory_lock(t, LOCK)
            return fn(t)

        result = self._database.write_deletion(run)
        self._tokens.forget()
        return result


def _find(t: Transaction, who: str) -> User:
    user = t.scalars(select(User).where(or_(User.id == who, User.name == who))).first()
    if user is None:
        raise NotFound("user")
    return user


def _require_another_admin(t: Transaction, user: User) -> None:
    if user.role != ADMIN_ROLE or user.disabled:
        return
    others = select(User.id).where(User.role == ADMIN_ROLE, ~User.disabled, User.id != user.id)
    if t.scalars(others.limit(1)).first() is None:
        raise Forbidden("last_admin")


def _move_machine_tokens(t: Transaction) -> None:
    """Let the machine's tokens act as the first administrator, where that is another one now."""
    t.flush()
    first = t.scalars(FIRST_ADMIN).first()
    if first is not None:
        machine = (Token.kind.in_(MACHINE_TOKENS), Token.user_id != first.id)
        t.execute(update(Token).where(*machine).values(user_id=first.id))


def _shown(t: Transaction, user: User) -> dict[str, Any]:
    return _json(*t.execute(_LISTED.where(User.id == user.id)).one())


def _json(user: User, bases: int, link_ends: datetime | None) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": chosen_name(user.id, user.name),
        "role": user.role,
        "status": _status(user),
        "disabled": user.disabled,
        "has_password": user.password_hash is not None,
        "created_at": _time(user.created_at),
        "seen_at": user.seen_at and _time(user.seen_at),
        "link_expires_at": link_ends and _time(link_ends),
        "knowledge_bases": bases,
    }


def _status(user: User) -> str:
    if user.disabled:
        return "disabled"
    return "active" if user.password_hash is not None or user.seen_at else "invited"


def _time(value: datetime) -> str:
    return value.isoformat(timespec="seconds") + "Z"
