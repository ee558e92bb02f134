"""Sessions of programs (kind `api`): one for each call of /v1, deleted after some days."""

from datetime import timedelta

from sqlalchemy import delete, exists, select

from chatapp.storage.database import Database
from chatapp.storage.models import Run, Session, now

SWEEP_SECONDS = 60  # between two looks for sessions to delete
LEAST_SECONDS = 60  # that an answer is kept after its end
DELETED_TOGETHER = 200

_sessions, _runs = Session.__table__, Run.__table__


class ApiSessions:
    """Deletes the sessions of programs that are older than so many days; 0: once answered."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._kept = timedelta(days=days, seconds=LEAST_SECONDS)

    def sweep(self) -> None:
        """Delete old sessions."""
        some = (
            select(_sessions.c.id)
            .where(
                _sessions.c.kind == "api",
                _sessions.c.updated_at < now() - self._kept,
                ~exists().where(_runs.c.session_id == _sessions.c.id),
            )
            .limit(DELETED_TOGETHER)
        )
        while ids := self._database.read(lambda t: list(t.scalars(some))):
            gone = delete(_sessions).where(_sessions.c.id.in_(ids))
            self._database.write_deletion(lambda t, gone=gone: t.execute(gone) and None)  # type: ignore[misc]
