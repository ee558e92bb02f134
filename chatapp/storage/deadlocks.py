"""PostgreSQL rolls one of two transactions back that wait for each other's rows."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.errors import DatabaseBusy

DEADLOCK, LOCK_TIMEOUT = "40P01", "55P03"
REPEATS = 4


def is_deadlock(busy: DatabaseBusy) -> bool:
    """Return whether the transaction was rolled back for another one."""
    return _sqlstate(busy) == DEADLOCK


def is_contention(busy: DatabaseBusy) -> bool:
    """Return whether the transaction was rolled back since others hold rows that it needs."""
    return _sqlstate(busy) in (DEADLOCK, LOCK_TIMEOUT)


def give_way(session: Session) -> None:
    """Wait before a repetition.

    The other transaction may not have woken yet: if its rows were taken again before that, the two
    would wait for each other once more.
    """
    session.execute(text("SELECT pg_sleep(0.05 + 0.2 * random())"))


def _sqlstate(busy: DatabaseBusy) -> str | None:
    state: str | None = getattr(getattr(busy.__cause__, "orig", None), "sqlstate", None)
    return state
