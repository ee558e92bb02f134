"""The audit log: who did what to accounts, suppliers, knowledge bases, limits, links and tokens.

Each entry is a line of JSON in the log (logger `chatapp.audit`) and a row, written right after the
action: an entry that cannot be stored must not undo it. Entries hold no secrets and no content.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, delete, insert, or_, select

from chatapp.settings import Settings
from chatapp.storage.audit_models import AuditEntry
from chatapp.storage.database import Database
from chatapp.storage.models import now
from chatapp.storage.paging import Keyset

log = logging.getLogger("chatapp.audit")

TERMINAL = "terminal"  # the actor of commands, which have no account
SWEEP_SECONDS = 3600  # between two deletions of old entries
MOST_DAYS = 36_500  # a time before the year 1 cannot be compared with
LATEST_FIRST = Keyset("audit", AuditEntry.number, descending=True)
# in characters; a request_id of a proxy may be longer
LONGEST = {"actor": 80, "target_id": 80, "target": 300, "address": 64, "request_id": 32}


@dataclass(frozen=True, slots=True)
class Entry:
    """Who (`actor`) did what (`action`, as `supplier.create`) to what. `details` is JSON."""

    action: str
    actor: str = TERMINAL
    actor_id: str | None = None
    kind: str = ""
    target_id: str | None = None
    target: str = ""  # its name
    address: str = ""
    request_id: str = ""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Audit:
    """The audit log of an installation."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._days = min(settings.audit_days, MOST_DAYS)

    def record(self, entry: Entry) -> None:
        """Log and store an entry. A failure is logged: what was done stands."""
        values = asdict(entry) | {"kind": entry.kind or entry.action.partition(".")[0]}
        for name, most in LONGEST.items():
            values[name] = values[name] and values[name][:most]
        log.info(_line(values))
        row = values | {"at": now()}
        try:
            self._database.write_deletion(lambda t: t.execute(insert(AuditEntry), row) and None)
        except Exception:
            log.exception("audit entry not stored request=%s", entry.request_id)

    def refuse(self, entry: Entry, status: int) -> None:
        """Log an action that was refused. It is not stored: strangers could fill the table."""
        log.warning(_line(asdict(entry) | {"refused": status}))

    def page(
        self,
        action: str | None,
        actor_id: str | None,
        first: date | None,
        last: date | None,
        after: str | None,
        limit: int,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of entries, latest first, and the cursor of the next.

        `action` is one action, or the part before its dot for all actions of a kind.
        """
        query = _between(select(AuditEntry), first, last)
        if action:
            same = AuditEntry.action == action
            within = AuditEntry.action.startswith(f"{action}.", autoescape=True)
            query = query.where(or_(same, within))
        if actor_id:
            query = query.where(AuditEntry.actor_id == actor_id)

        def read(t: Any) -> tuple[list[dict[str, Any]], str | None]:
            rows, following = LATEST_FIRST.page(t, query, after, limit)
            return [_json(row) for row in rows], following

        return self._database.read(read)

    def sweep(self) -> None:
        """Delete entries older than CHATAPP_AUDIT_DAYS; 0 keeps all."""
        if not self._days:
            return
        old = AuditEntry.at < now() - timedelta(days=self._days)
        if self._database.read(lambda t: t.scalar(select(AuditEntry.number).where(old).limit(1))):
            self._database.write_deletion(
                lambda t: t.execute(delete(AuditEntry).where(old)) and None
            )


def _between(
    query: Select[AuditEntry], first: date | None, last: date | None
) -> Select[AuditEntry]:
    if first is not None:
        query = query.where(AuditEntry.at >= datetime.combine(first, time()))
    if last is not None:
        query = query.where(AuditEntry.at <= datetime.combine(last, time.max))
    return query


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(
        {name: value for name, value in values.items() if value not in (None, "", {})},
        ensure_ascii=False,
    )


def _json(row: AuditEntry) -> dict[str, Any]:
    return {
        "at": row.at,
        "actor_id": row.actor_id,
        "actor": row.actor,
        "action": row.action,
        "kind": row.kind,
        "target_id": row.target_id,
        "target": row.target,
        "address": row.address,
        "request_id": row.request_id,
        "details": row.details,
    }
