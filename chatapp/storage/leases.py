"""Leases by name: work that one process of all hosts does at a time, by the database's clock."""

import os
import time
from contextlib import suppress

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from chatapp.child import is_running
from chatapp.errors import DatabaseBusy, DiskFull
from chatapp.storage.clock import database_time
from chatapp.storage.database import Database
from chatapp.storage.host_models import Lease

RENEWALS = 3  # within the time of a lease


class NoLease(Exception):
    """Another process holds the lease, or has taken it over."""


class NamedLease:
    """The lease of one process; `host` is its home's id, `seconds` longer than its longest step."""

    def __init__(self, database: Database, name: str, host: str, seconds: float) -> None:
        self._database = database
        self._name = name
        self._host = host
        self._owner = f"{host}:{os.getpid()}:{os.urandom(4).hex()}"
        self._seconds = seconds
        self._renew_at = 0.0

    def keep(self) -> None:
        """Take the lease, or renew it when it is time to; raise NoLease."""
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = 0.0
        if not self._database.write_deletion(self._take):  # deletions need it on a full disk
            raise NoLease
        self._renew_at = time.monotonic() + self._seconds / RENEWALS

    def release(self) -> None:
        """Let others take the lease, if it is held; where that fails it expires."""
        if not self._renew_at:
            return
        self._renew_at = 0.0
        ours = delete(Lease).where(Lease.name == self._name, Lease.owner == self._owner)
        with suppress(DatabaseBusy, DiskFull):
            self._database.write_deletion(lambda t: t.execute(ours) and None)

    def _take(self, t: Session) -> bool:
        holder = t.scalar(select(Lease.owner).where(Lease.name == self._name)) or ""
        free = or_(Lease.owner == self._owner, Lease.until < database_time())
        if self._has_ended(holder):
            free = or_(free, Lease.owner == holder)
        insert = sqlite.insert if self._database.sqlite else postgresql.insert
        values = {"owner": self._owner, "until": database_time(self._seconds)}
        taken = insert(Lease).values(name=self._name, **values)
        taken = taken.on_conflict_do_update(index_elements=["name"], set_=values, where=free)
        return t.scalar(taken.returning(Lease.name)) is not None

    def _has_ended(self, holder: str) -> bool:
        """Return whether a lease's owner was a process of this home that does not run any more."""
        host, _, rest = holder.partition(":")
        pid = rest.partition(":")[0]
        if host != self._host or not pid.isdigit() or holder == self._owner:
            return False
        return int(pid) == os.getpid() or not is_running(int(pid))
