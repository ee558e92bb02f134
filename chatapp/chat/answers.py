"""An answer in the database: segments while it is live, its row when it has ended, back to a log.

Functions over a transaction; nothing here waits, and readers are unknown here.
"""

import json
import os
import secrets
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

from sqlalchemy import (
    BindParameter,
    TextClause,
    TextualSelect,
    bindparam,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.sessions import owned_message
from chatapp.chat.usage import Used, add_use
from chatapp.core.answer import LIVE, AnswerLog, Shape, State, rebuild
from chatapp.core.event_json import events_from_json, events_to_json
from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Logged,
    Reasoning,
    Sources,
    ToolCall,
)
from chatapp.core.prompt import cited
from chatapp.errors import ChatAppError, Deleted, Interrupted, NotFound
from chatapp.storage.message_index import index_ended
from chatapp.storage.models import Message, Run, Segment, Session, now
from chatapp.storage.passages import keep_texts, sources_of, without_texts

# Identifies this start of the program; with host and process id it names the owner of a run.
_START = secrets.token_hex(4)
HEARTBEAT_SECONDS = 5

# Core statements, built once: they run several times a second for up to a thousand answers. Lists
# travel as one JSON value, since Python's SQLite releases the GIL at every row.
_messages, _runs = Message.__table__, Run.__table__
_segments, _sessions = Segment.__table__, Session.__table__
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_LIVE = select(_runs.c.message_id).where(_runs.c.message_id.in_(_IDS))
_STATES = select(_messages.c.id, _messages.c.status).where(_messages.c.id.in_(_IDS))
_SET_RUNNING = update(_messages).where(_messages.c.id.in_(_IDS)).values(status=State.RUNNING.value)
_FORGET_SEGMENTS = delete(_segments).where(_segments.c.message_id.in_(_IDS))
_BEAT = (
    update(_runs)
    .where(_runs.c.owner == bindparam("of"), _runs.c.message_id.in_(_IDS))
    .values(heartbeat_at=bindparam("now"), state=State.RUNNING.value)
)
_END = (
    delete(_runs)
    .where(_runs.c.message_id.in_(_IDS))
    .returning(_runs.c.message_id, _runs.c.session_id)
)
_END_OWN = _END.where(_runs.c.owner == bindparam("of"))
_SAVE_END = update(_messages).where(_messages.c.id == bindparam("message"))
_TOUCH = update(_sessions).values(updated_at=bindparam("now"))
# A chat that somebody changes just now needs no later time. On SQLite there is one writer.
_FREE = select(_sessions.c.id).where(_sessions.c.id.in_(_IDS)).with_for_update(skip_locked=True)
_TOUCHES = {
    "sqlite": _TOUCH.where(_sessions.c.id.in_(_IDS)),
    "postgresql": _TOUCH.where(_sessions.c.id.in_(_FREE)),
}


@dataclass(frozen=True, slots=True)
class _Lists:
    """Statements whose lists are JSON, in the dialect of one database."""

    own: TextClause
    add_segments: TextClause
    grown: TextualSelect


def _lists(own: str, rows: str, columns: str, wanted: str) -> _Lists:
    return _Lists(
        own=text(f"SELECT {own} FROM runs WHERE owner = :of"),
        # An unacknowledged commit has stored a shorter piece from the same position.
        add_segments=text(
            f"INSERT INTO segments (message_id, start, events) SELECT {columns} FROM {rows} AS r"
            " WHERE true ON CONFLICT (message_id, start) DO UPDATE SET events = excluded.events"
        ),
        grown=text(
            f"SELECT s.message_id, s.start, s.events FROM {wanted} AS w JOIN segments AS s"
            " ON s.message_id = w.key AND s.start >= CAST(w.value AS INTEGER)"
            " ORDER BY s.message_id, s.start"
        ).columns(_segments.c.message_id, _segments.c.start, _segments.c.events),
    )


_LISTS = {
    "sqlite": _lists(
        own="json_group_array(json_array(message_id, stop_requested))",
        rows="json_each(:rows)",
        columns=(
            "json_extract(r.value, '$[0]'), json_extract(r.value, '$[1]'),"
            " json_extract(r.value, '$[2]')"
        ),
        wanted="json_each(:wanted)",
    ),
    "postgresql": _lists(
        own="CAST(coalesce(json_agg(json_build_array(message_id, stop_requested)), '[]') AS text)",
        rows="json_array_elements(CAST(:rows AS json))",
        columns="r.value->>0, CAST(r.value->>1 AS integer), r.value->2",
        wanted="json_each_text(CAST(:wanted AS json))",
    ),
}


def _in_lists(t: Transaction) -> _Lists:
    return _LISTS[t.get_bind().dialect.name]


def owner() -> str:
    """Name this process as the owner of runs; not cached, since `--preload` forks later."""
    return f"{socket.gethostname()}:{os.getpid()}:{_START}"


def error_event(error: ChatAppError) -> Error:
    """Make the terminal event of an error."""
    upstream = asdict(error.upstream) if error.upstream else None
    return Error(
        error.code, error.key, dict(error.params), error.retryable, error.retry_after, upstream
    )


def stored_events(t: Transaction, message_id: str) -> list[Logged]:
    """Return the stored events of a live answer."""
    query = select(Segment.events).where(Segment.message_id == message_id).order_by(Segment.start)
    return [event for events in t.scalars(query) for event in events_from_json(events)]


@dataclass(frozen=True, slots=True)
class Increment:
    """Events that a live answer gained between two flushes."""

    start: int
    end: int
    events: Sequence[Logged]


def save_increments(
    t: Transaction, owner: str, gains: Mapping[str, Increment], alive: Sequence[str]
) -> set[str]:
    """Store new events and the heartbeat of `alive` answers; return those still `owner`'s."""
    mine = stop_flags(t, owner).keys() & gains.keys()
    kept = [(message_id, gains[message_id]) for message_id in mine]
    if kept:
        rows = [[message_id, gain.start, events_to_json(gain.events)] for message_id, gain in kept]
        t.execute(_in_lists(t).add_segments, {"rows": json.dumps(rows, ensure_ascii=False)})
    if fresh := [message_id for message_id, gain in kept if gain.start == 0]:
        t.execute(_SET_RUNNING, {"ids": fresh})
    if alive:
        t.execute(_BEAT, {"ids": alive, "of": owner, "now": now()})
    return mine


def save_anew(t: Transaction, owner: str, whole: Mapping[str, Increment]) -> set[str]:
    """Replace the stored events of answers; return the answers that are still `owner`'s."""
    t.execute(_FORGET_SEGMENTS, {"ids": list(whole)})
    return save_increments(t, owner, whole, [])


def new_events(t: Transaction, followed: Mapping[str, int]) -> dict[str, list[Logged] | None]:
    """Return what followed answers gained since their positions; ended ones come from their row.

    None for one that was reclaimed: its events were stored again, with other boundaries.
    """
    if not followed:
        return {}
    new: dict[str, list[Logged] | None] = {
        message_id: [] for message_id in t.execute(_LIVE, {"ids": list(followed)}).scalars()
    }
    wanted = {message_id: followed[message_id] for message_id in new}
    for message_id, start, events in t.execute(_in_lists(t).grown, {"wanted": json.dumps(wanted)}):
        known = new[message_id]
        if known is None or (not known and start != wanted[message_id]):
            new[message_id] = None
        else:
            known += events_from_json(events)
    for message_id in followed.keys() - new.keys():
        row = t.scalars(select(Message).where(Message.id == message_id)).first()
        ended = (
            log_of(row).read(followed[message_id])
            if row is not None
            else [(0, error_event(Deleted()))]
        )
        new[message_id] = [event for _, event in ended]
    return new


def owned_answer(t: Transaction, user_id: str, message_id: str) -> Message:
    """Return the user's answer, usable after the transaction; raise NotFound."""
    message = owned_message(t, user_id, message_id)
    if message.role != "assistant":
        raise NotFound("message")
    t.expunge(message)
    return message


def request_stop(t: Transaction, message_id: str) -> None:
    """Ask the owner of a run to stop it."""
    t.execute(update(Run).where(Run.message_id == message_id).values(stop_requested=True))


def live_answers(t: Transaction, user_id: str) -> list[str]:
    """Return the ids of a user's live answers."""
    return list(t.scalars(select(Run.message_id).where(Run.user_id == user_id)))


def stop_flags(t: Transaction, owner: str) -> dict[str, bool]:
    """Return an owner's live answers, each with whether a stop was requested."""
    flags: list[tuple[str, bool]] = json.loads(
        t.execute(_in_lists(t).own, {"of": owner}).scalar_one()
    )
    return dict(flags)


def log_of(message: Message) -> AnswerLog:
    """Rebuild the log of an ended answer from its row."""
    terminal: Done | Error
    if message.error:
        fault = message.error
        terminal = Error(
            fault["code"],
            fault["key"],
            fault["params"],
            fault["retryable"],
            fault.get("retry_after"),
            fault.get("upstream"),
        )
    else:
        reason = message.finish_reason or "stop"
        unread = tuple((message.cut or {}).get("unread", ()))
        terminal = Done(reason, message.usage, message.timings, tuple(message.citations), unread)
    context = Context(message.knowledge, message.session_id, message.id, message.parent_id or "")
    shape = [Shape(kind, length) for kind, length in message.shape] or [
        Shape("context", 1),
        Shape("sources", 1),
        Shape("reasoning", len(message.reasoning)),
        Shape("chunk", len(message.content)),
        Shape("error" if message.error else "done", 1),
    ]
    return rebuild(
        shape,
        message.content,
        message.reasoning,
        [context, Sources(tuple(sources_of(message))), terminal],
        [ToolCall(*call) for call in message.tool_calls or ()],
    )


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended: its log, the terminal event, what was cut, and how it was searched."""

    message_id: str
    log: AnswerLog
    state: State
    event: Done | Error
    cut: Mapping[str, Any] = field(default_factory=dict[str, Any])
    search: Mapping[str, Any] | None = None
    used: Used | None = None
    reclaimed: bool = False  # readers may have got the end that the reaper stored


def save_endings(t: Transaction, endings: Sequence[Ending], owner: str | None = None) -> set[str]:
    """Write final states; return the answers that were still `owner`'s and so were written."""
    ids = [ending.message_id for ending in endings]
    gone = t.execute(
        _END_OWN if owner else _END, {"ids": ids} | ({"of": owner} if owner else {})
    ).all()
    mine = {row.message_id for row in gone}
    if mine:
        own = [ending for ending in endings if ending.message_id in mine]
        t.execute(_SAVE_END, [_final(ending) for ending in own])
        keep_texts(t, {ending.message_id: ending.log.sources() for ending in own})
        index_ended(t, mine)
        touch = _TOUCHES[t.get_bind().dialect.name]
        t.execute(touch, {"ids": list({row.session_id for row in gone}), "now": now()})
        add_use(t, [each.used for each in own if each.used])
    return mine


def why_refused(t: Transaction, message_ids: Collection[str]) -> dict[str, ChatAppError]:
    """Return why the ends of these answers cannot be written: they were deleted, or reaped.

    Left out are those with another end: it is stored, but its commit was not acknowledged.
    """
    if not message_ids:
        return {}
    states = {row.id: row.status for row in t.execute(_STATES, {"ids": list(message_ids)})}
    unwritten = (State.INTERRUPTED, *LIVE)
    return {
        each: Interrupted() if each in states else Deleted()
        for each in message_ids
        if each not in states or states[each] in unwritten
    }


def _final(ending: Ending) -> dict[str, Any]:
    """Return the columns of an answer that has ended."""
    log, end = ending.log, ending.event
    sources = log.sources()
    content = log.text(Chunk)
    # An answer that is saved late has told its readers that it was not.
    said = [run for run in log.shape() if run.kind not in ("done", "error")]
    if ending.reclaimed or log.ended:  # readers that have got an end get `reset`
        said.append(Shape("was_thinking", 1))
    shape = [*said, Shape("error" if isinstance(end, Error) else "done", 1)]
    done = end if isinstance(end, Done) else None
    return {
        "message": ending.message_id,
        "status": ending.state.value,
        "cut": dict(ending.cut),
        "search": ending.search,
        "content": content,
        "reasoning": log.text(Reasoning),
        "tool_calls": [list(astuple(call)) for call in log.tool_calls()] or None,
        "sources": without_texts(sources),
        "citations": list(cited(content, len(sources))),
        "shape": [[run.kind, run.length] for run in shape],
        "finish_reason": done.finish_reason if done else None,
        "usage": dict(done.usage) if done else {},
        "timings": dict(done.timings) if done else {},
        "error": asdict(end) if isinstance(end, Error) else None,
    }
