"""PostgreSQL rolls one of two transactions back that wait for each other's rows."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.errors import DatabaseBusy

DEADLOCK = "40P01"
REPEATS = 4


def is_deadlock(busy: DatabaseBusy) -> bool:
    """Return whether the transaction was rolled back for another one."""
    return getattr(getattr(busy.__cause__, "orig", None), "sqlstate", None) == DEADLOCK


def give_way(session: Session) -> None:
    """Wait before a repetition.

    The other transaction may not have woken yet: if its rows were taken again before that, the two
    would wait for each other once more.
    """
    session.execute(text("SELECT pg_sleep(0.05 + 0.2 * random())"))
