"""Names of accounts: what they may contain, and that each is used once.

No name looks like an id, so an account is found by either.
"""

import re

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import InvalidRequest
from chatapp.storage.models import User

MOST_NAME_CHARACTERS = 80
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def checked_name(name: str) -> str:
    """Return a name with single spaces; raise InvalidRequest if it cannot be one."""
    name = " ".join(name.split())
    if not name:
        raise InvalidRequest("name", "blank")
    if len(name) > MOST_NAME_CHARACTERS or not name.isprintable() or _ID.fullmatch(name):
        raise InvalidRequest("name", "wrong")
    return name


def require_free(t: Transaction, name: str, user_id: str) -> None:
    """Raise InvalidRequest if another account than `user_id` has this name, in whatever case."""
    others = select(User.id).where(func.lower(User.name) == name.lower(), User.id != user_id)
    if t.scalars(others.limit(1)).first() is not None:
        raise InvalidRequest("name", "taken")
