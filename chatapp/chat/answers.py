"""An answer in the database: segments while it is live, its row when it has ended, back to a log.

Functions over a transaction; nothing here waits, and readers are unknown here.
"""

import json
import os
import secrets
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
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
from chatapp.core.answer import AnswerLog, Shape, State, rebuild
from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Logged,
    Reasoning,
    Sources,
    WasThinking,
)
from chatapp.core.prompt import cited
from chatapp.errors import ChatAppError, Deleted, Interrupted, NotFound
from chatapp.storage.models import Message, Run, Segment, Session, now

# Identifies this start of the program; with host and process id it names the owner of a run.
_START = secrets.token_hex(4)
HEARTBEAT_SECONDS = 5


# Core statements, built once: they run several times a second for up to a thousand answers. Lists
# travel as one JSON value, since Python's SQLite releases the GIL at every row.
_messages, _runs = Message.__table__, Run.__table__
_segments, _sessions = Segment.__table__, Session.__table__
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_LIVE = select(_runs.c.message_id).where(_runs.c.message_id.in_(_IDS))
_KNOWN = select(_messages.c.id).where(_messages.c.id.in_(_IDS))
_SET_RUNNING = update(_messages).where(_messages.c.id.in_(_IDS)).values(status=State.RUNNING.value)
_BEAT = (
    update(_runs)
    .where(_runs.c.owner == bindparam("of"), _runs.c.message_id.in_(_IDS))
    .values(heartbeat_at=bindparam("now"), state=State.RUNNING.value)
)
_BEATS = select(_runs.c.message_id, _runs.c.heartbeat_at)
_END = (
    delete(_runs)
    .where(_runs.c.message_id.in_(_IDS))
    .returning(_runs.c.message_id, _runs.c.session_id)
)
_END_OWN = _END.where(_runs.c.owner == bindparam("of"))
_SAVE_END = update(_messages).where(_messages.c.id == bindparam("message"))
_TOUCH = update(_sessions).where(_sessions.c.id.in_(_IDS)).values(updated_at=bindparam("now"))


@dataclass(frozen=True, slots=True)
class _Lists:
    """Statements whose lists are JSON, in the dialect of one database."""

    own: TextClause
    add_segments: TextClause
    grown: TextualSelect


def _lists(own: str, rows: str, columns: str, wanted: str) -> _Lists:
    return _Lists(
        own=text(f"SELECT {own} FROM runs WHERE owner = :of"),
        add_segments=text(
            f"INSERT INTO segments (message_id, start, events) SELECT {columns} FROM {rows} AS r"
        ),
        grown=text(
            f"SELECT s.message_id, s.events FROM {wanted} AS w JOIN segments AS s"
            " ON s.message_id = w.key AND s.start >= CAST(w.value AS INTEGER)"
            " ORDER BY s.message_id, s.start"
        ).columns(_segments.c.message_id, _segments.c.events),
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


_TYPES = {
    kind.__name__: kind for kind in (Context, Sources, Reasoning, Chunk, WasThinking, Done, Error)
}
_FIELDS = {kind: [each.name for each in fields(kind)] for kind in _TYPES.values()}


def events_to_json(events: Iterable[Logged]) -> list[Any]:
    """Write events as JSON-ready lists: the kind, then the fields in their order."""
    return [
        [type(event).__name__, *(getattr(event, name) for name in _FIELDS[type(event)])]
        for event in events
    ]


def events_from_json(stored: Iterable[Any]) -> list[Logged]:
    """Read what `events_to_json` wrote."""
    events: list[Logged] = []
    for name, *values in stored:
        if name == "Sources":
            values = [tuple(values[0])]
        events.append(_TYPES[name](*values))
    return events


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


def new_events(t: Transaction, followed: Mapping[str, int]) -> dict[str, list[Logged]]:
    """Return what followed answers gained since their positions; ended ones come from their row."""
    if not followed:
        return {}
    new: dict[str, list[Logged]] = {
        message_id: [] for message_id in t.execute(_LIVE, {"ids": list(followed)}).scalars()
    }
    wanted = {message_id: followed[message_id] for message_id in new}
    for message_id, events in t.execute(_in_lists(t).grown, {"wanted": json.dumps(wanted)}):
        new[message_id] += events_from_json(events)
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
        [context, Sources(tuple(message.sources)), terminal],
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


def save_endings(t: Transaction, endings: Sequence[Ending], owner: str | None = None) -> set[str]:
    """Write final states; return the answers that were still `owner`'s and so were written."""
    ids = [ending.message_id for ending in endings]
    gone = t.execute(
        _END_OWN if owner else _END, {"ids": ids} | ({"of": owner} if owner else {})
    ).all()
    mine = {row.message_id for row in gone}
    if mine:
        t.execute(_SAVE_END, [_final(ending) for ending in endings if ending.message_id in mine])
        t.execute(_TOUCH, {"ids": list({row.session_id for row in gone}), "now": now()})
    return mine


def why_refused(t: Transaction, message_ids: Collection[str]) -> dict[str, ChatAppError]:
    """Return why the ends of these answers cannot be written: they were deleted, or reaped."""
    known = set(t.execute(_KNOWN, {"ids": list(message_ids)}).scalars()) if message_ids else set()
    return {each: Interrupted() if each in known else Deleted() for each in message_ids}


def lost(t: Transaction, message_ids: Collection[str], owner: str) -> dict[str, ChatAppError]:
    """Return which of these answers are not the owner's any more, and why."""
    return why_refused(t, set(message_ids) - stop_flags(t, owner).keys())


def _final(ending: Ending) -> dict[str, Any]:
    """Return the columns of an answer that has ended."""
    log, end = ending.log, ending.event
    sources = log.sources()
    content = log.text(Chunk)
    # An answer that is saved late has told its readers that it was not.
    said = [run for run in log.shape() if run.kind not in ("done", "error")]
    shape = [*said, Shape("error" if isinstance(end, Error) else "done", 1)]
    done = end if isinstance(end, Done) else None
    return {
        "message": ending.message_id,
        "status": ending.state.value,
        "cut": dict(ending.cut),
        "search": ending.search,
        "content": content,
        "reasoning": log.text(Reasoning),
        "sources": list(sources),
        "citations": list(cited(content, len(sources))),
        "shape": [[run.kind, run.length] for run in shape],
        "finish_reason": done.finish_reason if done else None,
        "usage": dict(done.usage) if done else {},
        "timings": dict(done.timings) if done else {},
        "error": asdict(end) if isinstance(end, Error) else None,
    }


def heartbeats(t: Transaction) -> dict[str, datetime]:
    """Return all live answers with their owners' last heartbeats."""
    return {row.message_id: row.heartbeat_at for row in t.execute(_BEATS)}


def reap(t: Transaction, lost: Mapping[str, datetime]) -> list[str]:
    """Interrupt answers without a newer heartbeat, keeping stored text; return their ids."""
    now_alive = heartbeats(t)
    ended = [message_id for message_id, beat in lost.items() if now_alive.get(message_id) == beat]
    for message_id in ended:
        log = AnswerLog()
        for event in stored_events(t, message_id) or [_context(t, message_id)]:
            log.append(event)
        save_endings(t, [Ending(message_id, log, State.INTERRUPTED, error_event(Interrupted()))])
    return ended


def _context(t: Transaction, message_id: str) -> Context:
    """Return the first event of an answer of which no event was stored."""
    row = t.execute(select(_messages).where(_messages.c.id == message_id)).one()
    return Context(row.knowledge, row.session_id, message_id, row.parent_id or "")
