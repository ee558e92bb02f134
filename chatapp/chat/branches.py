"""One branch of a session, read in windows, and deleting from a message on.

A window reads as many rows as it returns, whatever the session holds: a parent is found by its id,
the children of a message by `parent_id`, and roots by an index of their own. Only the end of a
branch that is not the session's current one is searched for step by step.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
)
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import NotFound
from chatapp.storage.models import Message, Session

CURRENT = "current"  # instead of an id: the session's leaf
BRANCH_MESSAGES = 30  # of a part, unless a limit is named
NEAR_STEPS = 200  # from the session's leaf upwards, in which its branch is looked for

_Row: TypeAlias = Row[*tuple[Any, ...]]

_messages = Message.__table__


def _empty(row: FromClause) -> ColumnElement[bool]:
    """Say that an answer ended without text: it is kept, but it is no alternative."""
    return and_(
        row.c.role == "assistant",
        row.c.content == "",
        row.c.reasoning == "",
        row.c.error.is_(None),
        row.c.status.in_(("stopped", "failed", "interrupted")),
    )


def _upwards() -> Select[Any]:
    """Return `start` and the messages above it, at most `count`, and none above `until`."""
    first = select(_messages.c.id, _messages.c.parent_id, literal(1).label("step")).where(
        _messages.c.id == bindparam("start")
    )
    line = first.cte("line", recursive=True)
    above = select(_messages.c.id, _messages.c.parent_id, line.c.step + 1).select_from(
        line.join(_messages, _messages.c.id == line.c.parent_id)
    )
    goes_on = and_(line.c.step < bindparam("count"), line.c.id != bindparam("until"))
    line = line.union_all(above.where(goes_on))
    return select(line.c.id).order_by(line.c.step)


def _downwards() -> CTE:
    """Return `start` and the newest message below it, and so on, at most `count`."""
    first = select(_messages.c.id, literal(1).label("step")).where(
        _messages.c.id == bindparam("start")
    )
    line = first.cte("line", recursive=True)
    child = _messages.alias("child")
    newest = (
        select(child.c.number)
        .where(child.c.parent_id == line.c.id)
        .order_by(_empty(child), child.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    below = select(_messages.c.id, line.c.step + 1).select_from(
        line.join(_messages, _messages.c.number == newest)
    )
    return line.union_all(below.where(line.c.step < bindparam("count")))


def _subtree() -> Select[Any]:
    """Return the ids of `start` and of all messages below it, in all branches."""
    first = select(_messages.c.id).where(_messages.c.id == bindparam("start"))
    line = first.cte("line", recursive=True)
    below = select(_messages.c.id).select_from(
        line.join(_messages, _messages.c.parent_id == line.c.id)
    )
    return select(line.union(below).c.id)


# Built once, as those of a question are.
_UP, _SUBTREE, _BELOW = _upwards(), _subtree(), _downwards()
_DOWN = select(_BELOW.c.id).order_by(_BELOW.c.step)
_END = select(_BELOW.c.id).order_by(_BELOW.c.step.desc()).limit(1)
_PLACE = select(_messages.c.id, _messages.c.parent_id, _messages.c.session_id).where(
    _messages.c.id == bindparam("message_id")
)
_NEWEST = (
    select(_messages.c.id)
    .where(_messages.c.session_id == bindparam("session_id"))
    .order_by(_messages.c.number.desc())
    .limit(1)
)
_CHILD = (select(_messages.c.id, _messages.c.parent_id, _empty(_messages).label("empty"))).order_by(
    _messages.c.number
)
_CHILDREN = _CHILD.where(_messages.c.parent_id.in_(bindparam("parents", expanding=True)))
_ROOTS = _CHILD.where(
    _messages.c.session_id == bindparam("session_id"), _messages.c.parent_id.is_(None)
)
_DELETE_SUBTREE = delete(_messages).where(_messages.c.id.in_(_SUBTREE))
_COUNT_SUBTREE = select(func.count()).select_from(_SUBTREE.subquery())
MOST_STEPS = 2**31 - 1  # down to the end of a branch


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a branch to read: the end of the one through `leaf`, unless a message is named.

    `before`, `after` and `around` are messages; the part ends above the first, begins below the
    second, or has the third in its middle.
    """

    leaf: str = CURRENT
    before: str | None = None
    after: str | None = None
    around: str | None = None
    limit: int = BRANCH_MESSAGES


@dataclass(frozen=True, slots=True)
class Part:
    """Messages of one branch, oldest first, with the ids of each one's alternatives.

    `before` and `after` are the messages beyond which the branch goes on, None at its ends.
    """

    messages: Sequence[Message]
    siblings: dict[str, list[str]]
    before: str | None
    after: str | None


def read_part(t: Transaction, session: Session, window: Window) -> Part:
    """Read a part of a branch; raise NotFound for a message that is not the session's."""
    leaf = _leaf(t, session, window.leaf)
    ids = _ids(t, session, leaf, window)
    found = t.scalars(select(Message).where(Message.id.in_(ids))).all()
    messages = sorted(found, key=lambda message: ids.index(message.id))
    if not messages:
        return Part([], {}, None, None)
    first, last = messages[0], messages[-1]
    goes_on = last.id != leaf and t.execute(_CHILDREN, {"parents": [last.id]}).first() is not None
    return Part(
        messages,
        _siblings(t, session.id, messages),
        before=first.id if first.parent_id else None,
        after=last.id if goes_on else None,
    )


def count_branch(t: Transaction, message_id: str) -> int:
    """Count a message and all messages below it."""
    return t.execute(_COUNT_SUBTREE, {"start": message_id}).scalar_one()


def delete_branch(t: Transaction, session: Session, message: Message) -> None:
    """Delete a message and all messages below it; a leaf among them moves to what remains."""
    t.execute(_DELETE_SUBTREE, {"start": message.id})
    if session.leaf_id is None or _place(t, session.leaf_id) is not None:
        return
    remaining = message.parent_id
    if remaining is None:
        roots = t.execute(_ROOTS, {"session_id": session.id}).all()
        remaining = roots[-1].id if roots else None
    session.leaf_id = _end(t, remaining) if remaining else None


def _ids(t: Transaction, session: Session, leaf: str | None, window: Window) -> list[str]:
    """Return the ids of a window, oldest first."""
    limit = window.limit
    if window.before:
        above = _owned(t, session.id, window.before).parent_id
        return _above(t, above, limit) if above else []
    if window.after:
        start = _owned(t, session.id, window.after).id
        return _below(t, start, leaf, limit)
    if window.around:
        start = _owned(t, session.id, window.around).id
        below = _below(t, start, leaf, limit // 2)
        return _above(t, start, limit - len(below)) + below
    return _above(t, leaf, limit) if leaf else []


def _leaf(t: Transaction, session: Session, leaf: str) -> str | None:
    """Return the last message of the branch through `leaf`, of the session's where it is CURRENT.

    A session whose leaf is unknown ends in its newest message.
    """
    if leaf != CURRENT:
        return _end(t, _owned(t, session.id, leaf).id)
    if session.leaf_id and _place(t, session.leaf_id) is not None:
        return session.leaf_id
    return t.execute(_NEWEST, {"session_id": session.id}).scalar()


def _above(t: Transaction, start: str, count: int) -> list[str]:
    """Return a message and those above it, at most `count`, oldest first."""
    up = {"start": start, "until": "", "count": count}
    return list(t.execute(_UP, up).scalars())[::-1]


def _below(t: Transaction, start: str, leaf: str | None, count: int) -> list[str]:
    """Return at most `count` messages below one: towards the leaf, else the newest of each."""
    up = {"start": leaf, "until": start, "count": NEAR_STEPS}
    line = list(t.execute(_UP, up).scalars())
    if start in line:
        return line[-2::-1][:count]
    return list(t.execute(_DOWN, {"start": start, "count": count + 1}).scalars())[1:]


def _end(t: Transaction, start: str) -> str:
    """Return the newest leaf below a message, or the message itself."""
    end: str = t.execute(_END, {"start": start, "count": MOST_STEPS}).scalar_one()
    return end


def _siblings(t: Transaction, session_id: str, messages: Sequence[Message]) -> dict[str, list[str]]:
    parents = [message.parent_id for message in messages if message.parent_id]
    rows = list(t.execute(_CHILDREN, {"parents": parents}))
    if any(message.parent_id is None for message in messages):
        rows += t.execute(_ROOTS, {"session_id": session_id})
    families: dict[str | None, list[_Row]] = defaultdict(list)
    for row in rows:
        families[row.parent_id].append(row)
    return {
        message.id: [
            row.id for row in families[message.parent_id] if row.id == message.id or not row.empty
        ]
        for message in messages
    }


def _owned(t: Transaction, session_id: str, message_id: str) -> _Row:
    """Return a message of the session with its parent; raise NotFound."""
    row = _place(t, message_id)
    if row is None or row.session_id != session_id:
        raise NotFound("message")
    return row


def _place(t: Transaction, message_id: str) -> _Row | None:
    return t.execute(_PLACE, {"message_id": message_id}).first()
