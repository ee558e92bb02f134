"""Reaping: interrupting the live answers of dead workers. Reclaiming: undoing that.

A worker that was frozen, or cut off from the database, is not dead: it goes on writing. It reclaims
its answers, unless a question or another answer has followed them, or they were stopped.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, and_, bindparam, exists, insert, or_, select, update
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import aliased

from chatapp.chat.answers import (
    Ending,
    error_event,
    log_of,
    save_endings,
    stop_flags,
    stored_events,
    why_refused,
)
from chatapp.chat.usage import Used, add_use, estimated_tokens
from chatapp.core.answer import AnswerLog, State
from chatapp.core.events import Context, Done
from chatapp.errors import ChatAppError, Interrupted
from chatapp.storage import named_locks
from chatapp.storage.models import Message, Run

_messages, _runs = Message.__table__, Run.__table__
_BEATS = select(_runs.c.message_id, _runs.c.heartbeat_at)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_LOCK_RUNS = (
    select(_runs.c.message_id, _runs.c.heartbeat_at, _runs.c.stop_requested)
    .where(_runs.c.message_id.in_(_IDS))
    .order_by(_runs.c.message_id)
    .with_for_update(skip_locked=True)
)
_LOCK_MESSAGES = (
    select(_messages.c.id, _messages.c.user_id)
    .where(_messages.c.id.in_(_IDS))
    .order_by(_messages.c.id)
    .with_for_update()
)


def heartbeats(t: Transaction) -> dict[str, datetime]:
    """Return all live answers with their owners' last heartbeats."""
    return {row.message_id: row.heartbeat_at for row in t.execute(_BEATS)}


def reap(t: Transaction, lost: Mapping[str, datetime]) -> list[str]:
    """Interrupt answers without a newer heartbeat, keeping stored text; return their ids.

    Those with a stop request end as stopped, so that they are not reclaimed.
    """
    # A locked row is just being saved by its owner, which is alive, or reaped by another worker.
    rows = t.execute(_LOCK_RUNS, {"ids": list(lost)}).all()
    runs = {row.message_id: row for row in rows if row.heartbeat_at == lost[row.message_id]}
    endings = []
    for message_id, run in runs.items():
        log = AnswerLog()
        row = t.execute(select(_messages).where(_messages.c.id == message_id)).one()
        context = Context(row.knowledge, row.session_id, row.id, row.parent_id or "")
        for event in stored_events(t, message_id) or [context]:
            log.append(event)
        used = Used(row.user_id, row.supplier or "", row.model or "", *estimated_tokens(log))
        if run.stop_requested:
            endings.append(Ending(message_id, log, State.STOPPED, Done("stopped"), used=used))
        else:
            fault = error_event(Interrupted())
            endings.append(Ending(message_id, log, State.INTERRUPTED, fault, used=used))
    if endings:  # in one order, beside other endings
        save_endings(t, endings)
    return list(runs)


def keep_interrupted(t: Transaction, message_id: str) -> None:
    """Record a stop of an interrupted answer, so that it is not reclaimed."""
    interrupted = (_messages.c.id == message_id, _messages.c.status == State.INTERRUPTED.value)
    t.execute(update(_messages).where(*interrupted).values(finish_reason="stopped"))


def lock(t: Transaction, message_ids: Collection[str]) -> None:
    """Lock answers against ends, deletions and follow-up questions; raise LockTaken."""
    rows = t.execute(_LOCK_MESSAGES, {"ids": list(message_ids)}).all()
    if t.get_bind().dialect.name == "postgresql":  # the lock of `Turns.open`
        for user_id in sorted({row.user_id for row in rows}):
            named_locks.take(t, user_id)


def reclaim(t: Transaction, owner: str, message_ids: Collection[str]) -> set[str]:
    """Make reaped answers live again, without stored text; return which of them can be.

    The others were deleted, followed or stopped, or are not reaped. Call `lock` before.
    """
    found = _reclaimable(t, message_ids)
    if not found:
        return set()
    add_use(t, [_counted(message) for message in found], sign=-1)
    ids = [message.id for message in found]
    runs = [
        {
            "message_id": message.id,
            "session_id": message.session_id,
            "user_id": message.user_id,
            "owner": owner,
            "state": State.RUNNING.value,
        }
        for message in found
    ]
    t.execute(insert(Run), runs)
    live = {"status": State.RUNNING.value, "content": "", "reasoning": "", "error": None}
    t.execute(update(_messages).where(_messages.c.id.in_(ids)).values(live))
    return set(ids)


def lost(
    t: Transaction, owner: str, message_ids: Collection[str]
) -> dict[str, ChatAppError | None]:
    """Return which of these answers the owner cannot reclaim, and why.

    None for one that was stopped, or whose end is stored.
    """
    gone = set(message_ids) - stop_flags(t, owner).keys()
    gone -= {message.id for message in _reclaimable(t, gone)} if gone else set()
    # On PostgreSQL each statement has its own snapshot: an answer may be reclaimed by now.
    gone -= stop_flags(t, owner).keys() if gone else set()
    faults = why_refused(t, gone)
    return {message_id: faults.get(message_id) for message_id in gone}


def _counted(message: Message) -> Used:
    """Return the use that `reap` has counted for an answer."""
    tokens = estimated_tokens(log_of(message))
    return Used(message.user_id, message.supplier or "", message.model or "", *tokens)


def _reclaimable(t: Transaction, message_ids: Collection[str]) -> Sequence[Message]:
    later = aliased(Message)
    followed = or_(
        later.parent_id == Message.id,
        and_(later.parent_id == Message.parent_id, later.number > Message.number),
    )
    query = select(Message).where(
        Message.id.in_(message_ids),
        Message.status == State.INTERRUPTED.value,
        Message.finish_reason.is_(None),
        ~exists().where(followed),
    )
    return t.scalars(query.order_by(Message.id)).all()
