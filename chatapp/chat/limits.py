"""Whether a person may ask now: answers at once, and tokens a day, in one statement.

Answers in progress count when they end, so that the last ones may go beyond the limit.
"""

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import BindParameter, bindparam, func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.usage import today
from chatapp.errors import QuotaUsed, TooManyAnswers
from chatapp.identity.limits import COLUMNS, PEOPLE, limits_of
from chatapp.settings import Settings
from chatapp.storage.models import Run
from chatapp.storage.usage_models import Usage

RETRY_SECONDS = 5  # after one of the answers in progress may have ended

_runs, _usage, _users = Run.__table__, Usage.__table__, PEOPLE.left
_USER: BindParameter[str] = bindparam("user_id")
LIVE = select(func.count()).select_from(_runs)
TOKENS = select(
    func.coalesce(func.sum(_usage.c.prompt_tokens + _usage.c.completion_tokens), 0)
).where(_usage.c.day == bindparam("day"))
# Built once: every question waits for it.
_STATE = (
    select(
        *COLUMNS,
        LIVE.where(_runs.c.user_id == _USER).scalar_subquery().label("live"),
        TOKENS.where(_usage.c.user_id == _USER).scalar_subquery().label("tokens"),
    )
    .select_from(PEOPLE)
    .where(_users.c.id == _USER)
)


def require_allowed(t: Transaction, settings: Settings, user_id: str) -> None:
    """Raise TooManyAnswers or QuotaUsed if a limit of this person is reached."""
    row = t.execute(_STATE, {"user_id": user_id, "day": today()}).first()
    if row is None:  # deleted meanwhile: storing the question will say so
        return
    limits = limits_of(settings, row)
    if limits.answers and row.live >= limits.answers:
        raise TooManyAnswers(retry_after=RETRY_SECONDS, limit=limits.answers)
    if limits.daily_tokens and row.tokens >= limits.daily_tokens:
        raise _quota_used(limits.daily_tokens)


def _quota_used(limit: int) -> QuotaUsed:
    seconds = seconds_left()
    hours, minutes = divmod(-(-seconds // 60), 60)
    return QuotaUsed(
        "hours" if hours else None,
        retry_after=seconds,
        limit=f"{limit:,}",
        hours=hours,
        minutes=minutes,
    )


def free_at() -> datetime:
    """Return when the day of limits ends, in UTC without zone."""
    return datetime.combine(today() + timedelta(days=1), time())


def seconds_left() -> int:
    """Return the seconds until the day of limits ends, at least one."""
    left = free_at() - datetime.now(UTC).replace(tzinfo=None)
    return max(1, int(left.total_seconds()) + 1)
