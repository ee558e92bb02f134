"""How many files are not ready yet, and for how long the oldest of them has been waiting."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.knowledge.ingest.jobs import EMBEDDING, RECOGNISING, UNREAD
from chatapp.storage.models import File, now

STATES = (*UNREAD, RECOGNISING, EMBEDDING)
_WAITING = (
    select(File.status, func.count().label("files"), func.min(File.created_at).label("since"))
    .where(File.status.in_(STATES))
    .group_by(File.status)
)


def waiting(t: Transaction) -> tuple[dict[str, int], float]:
    """Return the number of files in each state, and the age in seconds of the oldest unread one."""
    rows = t.execute(_WAITING).all()
    unread = [row.since for row in rows if row.status in UNREAD]
    age = (now() - min(unread)).total_seconds() if unread else 0.0
    return dict.fromkeys(STATES, 0) | {row.status: row.files for row in rows}, max(0.0, age)
