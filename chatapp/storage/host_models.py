"""The tables about hosts that share a database: installation, leases. See `models.py`."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from chatapp.storage.models import Model

ONLY = 1  # the number of the installation's row


class Installation(Model):
    """What all hosts of a database agree on: one row."""

    __tablename__ = "installation"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key_fingerprint: Mapped[str | None] = mapped_column(String(64))  # identity/secrets.py
    manual_version: Mapped[str | None] = mapped_column(String(40))  # the newest that installed it


def installation(t: Session) -> Installation:
    """Return the installation's row; it is made by the first host."""
    row = t.get(Installation, ONLY)
    if row is None:
        row = Installation(number=ONLY)
        t.add(row)
        t.flush()
    return row


class Lease(Model):
    """Work that one process of all hosts does at a time, by the database's clock."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    until: Mapped[datetime]
