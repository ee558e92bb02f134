"""Which bases a question searches. Takes a transaction: storing a turn selects its bases in the
same one."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from chatapp.errors import NotFound
from chatapp.knowledge.access import CANDIDATES, READABLE, UNSHARED
from chatapp.storage.models import KnowledgeBase

# Prepared once: storing a turn waits for them.
_bases = KnowledgeBase.__table__
_SHOWN = select(_bases.c.id, _bases.c.number, _bases.c.name)
_BUNDLED = _SHOWN.where(_bases.c.bundled.is_not(None)).order_by(_bases.c.number)
_VISIBLE = _SHOWN.where(CANDIDATES, READABLE)
_NAMED = _VISIBLE.where(or_(_bases.c.id == bindparam("name"), _bases.c.name == bindparam("name")))
_OF_IDS = _SHOWN.where(_bases.c.id.in_(bindparam("ids", expanding=True)))
_UNSHARED, _READABLE = _OF_IDS.where(UNSHARED), _OF_IDS.where(READABLE)


@dataclass(frozen=True, slots=True)
class Bases:
    """Bases that a user may search, in the order in which they were requested.

    `lost` are the ids of requested ones that do not exist any more or may not be read any more.
    """

    ids: list[str]
    numbers: list[int]
    names: list[str]
    lost: tuple[str, ...] = ()


def bundled_bases(t: Session) -> Bases:
    """Return the bases that come with the product."""
    return _as_bases(t.execute(_BUNDLED))


def select_bases(
    t: Session, user_id: str, base_ids: Sequence[str], remembered: Collection[str] = ()
) -> Bases:
    """Return the bases to search; raise NotFound for one that the user may not read.

    One that the user's chat remembers is lost instead: it could be read when it was chosen.
    """
    wanted = list(dict.fromkeys(base_ids))
    asked = {"ids": wanted, "user_id": user_id}
    rows = {row.id: row for row in t.execute(_UNSHARED, asked)}
    if len(rows) < len(wanted):  # a longer statement, which questions to own bases do not wait for
        rows = {row.id: row for row in t.execute(_READABLE, asked)}
    lost = tuple(base_id for base_id in wanted if base_id not in rows)
    if any(base_id not in remembered for base_id in lost):
        raise NotFound("knowledge_base")
    return _as_bases([rows[base_id] for base_id in wanted if base_id in rows], lost)


def visible_bases(t: Session, user_id: str, most: int) -> Bases:
    """Return the newest bases that a user may search, own or bundled."""
    query = _VISIBLE.order_by(_bases.c.number.desc()).limit(most)
    return _as_bases(t.execute(query, {"user_id": user_id}))


def bases_named(t: Session, user_id: str, name: str, most: int) -> Bases:
    """Return the base with this id, else those with this name, that a user may search."""
    query = _NAMED.order_by(_bases.c.number).limit(most)
    found = list(t.execute(query, {"user_id": user_id, "name": name}))
    return _as_bases([row for row in found if row.id == name] or found)


def _as_bases(rows: Iterable[Any], lost: tuple[str, ...] = ()) -> Bases:
    found = list(rows)
    return Bases(
        [row.id for row in found], [row.number for row in found], [row.name for row in found], lost
    )
