"""The table of the audit log. See `models.py`."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.storage.models import ID, Model, now


class AuditEntry(Model):
    """Who did what to what. It names nothing that must exist: it stays when they are deleted."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    actor_id: Mapped[str | None] = mapped_column(ID)  # None: the terminal
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(40))
    target_id: Mapped[str | None] = mapped_column(String(80))
    target: Mapped[str] = mapped_column(String(300), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    request_id: Mapped[str] = mapped_column(String(32), default="")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    __table_args__ = (
        # Filtered lists, latest first.
        Index("ix_audit_actor", "actor_id", "number"),
        Index("ix_audit_action", "action", "number"),
        {"sqlite_autoincrement": True},  # cursors name numbers, so none is given again
    )
