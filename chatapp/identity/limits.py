"""What a person may use: the installation's defaults, and what administrators set for one person.

The defaults hold for members; of administrators and with accounts off only what is set for the
person, and with accounts on the default of answers at once. 0 is no limit.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sqlalchemy import delete, select
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import NotFound
from chatapp.identity.person import ADMIN_ROLE
from chatapp.settings import Settings
from chatapp.storage.models import User
from chatapp.storage.usage_models import PersonalLimits


class OwnLimits(Protocol):
    """A row with a person's role and own limits; None is the default."""

    role: str
    answers: int | None
    daily_tokens: int | None
    storage_mb: int | None


@dataclass(frozen=True, slots=True)
class Limits:
    """A person's limits: answers at once, tokens a day, and MB of files and pictures."""

    answers: int
    daily_tokens: int
    storage_mb: int


_users, _own = User.__table__, PersonalLimits.__table__
NAMES = ("answers", "daily_tokens", "storage_mb")
COLUMNS = (_users.c.role, *(_own.c[name] for name in NAMES))
PEOPLE = _users.outerjoin(_own, _own.c.user_id == _users.c.id)


def limits_of(settings: Settings, row: OwnLimits) -> Limits:
    """Return the limits that hold for a person."""
    accounts = settings.auth != "off"
    is_member = accounts and row.role != ADMIN_ROLE
    defaults = {
        "answers": settings.answers_per_user if accounts else 0,
        "daily_tokens": settings.daily_tokens if is_member else 0,
        "storage_mb": settings.storage_mb if is_member else 0,
    }
    own = {name: getattr(row, name) for name in NAMES}
    return Limits(**{name: defaults[name] if own[name] is None else own[name] for name in NAMES})


def set_limits(t: Transaction, user_id: str, changes: Mapping[str, int | None]) -> str:
    """Change a person's own limits, None to the default; return their name. Raise NotFound."""
    name = t.scalar(select(User.name).where(User.id == user_id).with_for_update())
    if name is None:
        raise NotFound("user")
    row = t.get(PersonalLimits, user_id)
    own = {each: getattr(row, each, None) for each in NAMES} | dict(changes)
    t.execute(delete(PersonalLimits).where(PersonalLimits.user_id == user_id))
    if any(value is not None for value in own.values()):
        t.execute(_own.insert().values(user_id=user_id, **own))
    return name


def as_json(limits: Limits) -> dict[str, Any]:
    """Return limits as the API shows them."""
    return asdict(limits)
