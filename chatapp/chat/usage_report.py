"""What people have used and may use, as it is shown: sums of the table `usage`, and limits."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, TypeAlias

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.limits import LIVE, TOKENS, free_at
from chatapp.chat.usage import today
from chatapp.identity.limits import COLUMNS, NAMES, PEOPLE, as_json, limits_of, set_limits
from chatapp.knowledge.storage_limit import bytes_of
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.storage.models import Run, User
from chatapp.storage.usage_models import Usage

Group: TypeAlias = Literal["day", "person", "model", "all"]

COUNTS = ("questions", "prompt_tokens", "completion_tokens")
_DAY, _PERSON, _MODEL = [Usage.day], [User.id, User.name], [Usage.supplier, Usage.model]
GROUPS: Mapping[Group, list[Any]] = {
    "day": _DAY,
    "person": _PERSON,
    "model": _MODEL,
    "all": [*_DAY, *_PERSON, *_MODEL],
}
_SHOWN = ("day", "user_id", "user", "supplier", "model")
_NAMES = {User.id: "user_id", User.name: "user"}
_users = PEOPLE.left
_PEOPLE = (
    select(
        _users.c.id,
        _users.c.name,
        *COLUMNS,
        LIVE.where(Run.user_id == _users.c.id).scalar_subquery().label("live"),
        TOKENS.where(Usage.user_id == _users.c.id).scalar_subquery().label("tokens"),
        bytes_of(_users.c.id).label("bytes"),
    )
    .select_from(PEOPLE)
    .order_by(_users.c.created_at, _users.c.name)
)


def _sum(row: Mapping[str, Any]) -> dict[str, Any]:
    day = {"day": row["day"].isoformat()} if "day" in row else {}
    counts = {name: int(row[name]) for name in COUNTS}  # PostgreSQL's sums are decimals
    return {**dict.fromkeys(_SHOWN), **row, **day, **counts}


class UsageReport:
    """Reads what was used, and reads and sets limits."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def rows(
        self, group: Group, first: date, last: date, user_id: str | None
    ) -> list[dict[str, Any]]:
        """Return sums from the first to the last day, of one person or of all (None).

        What a group does not tell apart is None. Days are in order, other groups by tokens.
        """
        columns = [column.label(_NAMES.get(column, column.key)) for column in GROUPS[group]]
        sums = [func.sum(getattr(Usage, name)).label(name) for name in COUNTS]
        tokens = func.sum(Usage.prompt_tokens + Usage.completion_tokens).desc()
        days = [Usage.day] if group in ("day", "all") else []
        query = (
            select(*columns, *sums)
            .join_from(Usage, User, User.id == Usage.user_id)
            .where(Usage.day.between(first, last))
            .group_by(*GROUPS[group])
            .order_by(*days, tokens)
        )
        if user_id is not None:
            query = query.where(Usage.user_id == user_id)
        found = self._database.read(lambda t: [dict(row) for row in t.execute(query).mappings()])
        return [_sum(row) for row in found]

    def limits(self, user_id: str | None) -> list[dict[str, Any]]:
        """Return limits and what is used of them, of one person or of all (None)."""
        query = _PEOPLE if user_id is None else _PEOPLE.where(_users.c.id == user_id)
        found = self._database.read(lambda t: t.execute(query, {"day": today()}).all())
        return [self._shown(row) for row in found]

    def set_limits(self, user_id: str, changes: Mapping[str, int | None]) -> dict[str, Any]:
        """Change a person's limits, None to the default, 0 to no limit; raise NotFound."""

        def save(t: Transaction) -> None:
            set_limits(t, user_id, changes)

        self._database.write(save)
        return self.limits(user_id)[0]

    def _shown(self, row: Any) -> dict[str, Any]:
        return {
            "user_id": row.id,
            "name": row.name,
            "role": row.role,
            "own": {name: getattr(row, name) for name in NAMES},
            "limits": as_json(limits_of(self._settings, row)),
            "used": {
                "answers": row.live,
                "daily_tokens": int(row.tokens),
                "storage_bytes": int(row.bytes),
            },
            "free_at": free_at(),
        }
