"""Which bases a question searches. Takes a transaction: storing a turn selects its bases in the
same one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from chatapp.errors import NotFound
from chatapp.storage.models import KnowledgeBase

# Prepared once: storing a turn waits for them.
_bases = KnowledgeBase.__table__
_SHOWN = select(_bases.c.id, _bases.c.number, _bases.c.name)
_BUNDLED = _SHOWN.where(_bases.c.bundled.is_not(None)).order_by(_bases.c.number)
_READABLE = _SHOWN.where(
    _bases.c.id.in_(bindparam("ids", expanding=True)),
    or_(_bases.c.user_id == bindparam("user_id"), _bases.c.bundled.is_not(None)),
)


@dataclass(frozen=True, slots=True)
class Bases:
    """Bases that a user may search, in the order in which they were requested."""

    ids: list[str]
    numbers: list[int]
    names: list[str]


def bundled_bases(t: Session) -> Bases:
    """Return the bases that come with the product."""
    return _as_bases(t.execute(_BUNDLED))


def select_bases(t: Session, user_id: str, base_ids: Sequence[str]) -> Bases:
    """Return the bases to search, own or bundled; raise NotFound for any other."""
    found = existing_bases(t, user_id, base_ids)
    if len(found.ids) < len(set(base_ids)):
        raise NotFound("knowledge_base")
    return found


def existing_bases(t: Session, user_id: str, base_ids: Sequence[str]) -> Bases:
    """Return the bases that still exist, own or bundled; ignore the others."""
    rows = {
        row.id: row for row in t.execute(_READABLE, {"ids": list(base_ids), "user_id": user_id})
    }
    return _as_bases(rows[base_id] for base_id in dict.fromkeys(base_ids) if base_id in rows)


def _as_bases(rows: Iterable[Any]) -> Bases:
    found = list(rows)
    return Bases(
        [row.id for row in found], [row.number for row in found], [row.name for row in found]
    )
