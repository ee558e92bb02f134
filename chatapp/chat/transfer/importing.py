"""Importing conversations. The same file twice adds nothing.

Ids of a file are never used: a stored id is made of the user's id and the foreign ones, so that a
message that is here already is recognised, and no user can reach another's messages. A conversation
that has grown since its last import gains its new messages.
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.titles import title_of
from chatapp.chat.transfer.formats import conversation_of, title_in
from chatapp.chat.transfer.items import Item, read_items
from chatapp.chat.transfer.tree import Conversation, Node, NotTaken, text_of
from chatapp.core.answer import State
from chatapp.storage import threads
from chatapp.storage.chat_models import Feedback
from chatapp.storage.database import Database
from chatapp.storage.message_index import Text, index_new
from chatapp.storage.models import Message, Session, now
from chatapp.storage.passages import keep_texts, without_texts

MOST_TEMPERATURE, PROMPT_CHARACTERS, MOST_LENGTH = 2, 20_000, 1000  # as in web/question.py
MOST_NAMED = 100  # conversations that were not taken, in a report
PRODUCTS = {"own": "", "chatgpt": "ChatGPT", "open_webui": "Open WebUI"}
_messages, _feedback = Message.__table__, Feedback.__table__


@dataclass(slots=True)
class Report:
    """What was taken. `left_out` names conversations with the reason, `parts` counts by reason."""

    chats: int = 0
    messages: int = 0
    grown: int = 0  # chats that were here and gained messages
    present: int = 0  # chats that were here
    left_out: list[tuple[str, str]] = field(default_factory=list)
    left_out_chats: int = 0
    parts: Counter[str] = field(default_factory=Counter)

    def leave_out(self, title: str, reason: str) -> None:
        """Note a conversation that was not taken."""
        self.left_out_chats += 1
        if len(self.left_out) < MOST_NAMED:
            self.left_out.append((title, reason))


def import_chats(database: Database, user_id: str, file: IO[bytes], report: Report) -> None:
    """Import all conversations of a file; raise InvalidRequest for a file that is no export."""
    items = read_items(file)
    while (read := threads.run(lambda: _next(items))) is not None:
        if not isinstance(read, Conversation):
            report.leave_out(*read)
            continue

        def store(t: Transaction, chat: Conversation = read) -> tuple[bool, int]:
            database.advisory_lock(t, user_id)
            return _store(t, user_id, chat)

        known, added = database.write(store)
        report.messages += added
        report.present += known and not added
        report.grown += bool(known and added)
        report.chats += not known
        report.parts.update(read.left_out if added else {})


def _next(items: Iterator[Item]) -> Conversation | tuple[str, str] | None:
    """Return the next conversation, or the title and reason of one that cannot be taken."""
    item = next(items, None)
    if item is None or item.fault:
        return ("", item.fault) if item else None
    try:
        return conversation_of(item.value)
    except NotTaken as fault:
        return title_in(item.value), str(fault)


def _store(t: Transaction, user_id: str, chat: Conversation) -> tuple[bool, int]:
    """Store what is not here; return whether the chat was, and how many messages were added."""
    original = t.get(Session, chat.id) if chat.kind == "own" else None
    if original is not None and original.user_id == user_id:
        return True, 0
    session_id = own_id(user_id, chat.kind, chat.id)
    session = t.get(Session, session_id)
    ids = {node.id: own_id(session_id, node.id) for node in chat.nodes}
    here = select(_messages.c.id).where(_messages.c.session_id == session_id)
    present = set(t.scalars(here)) if session is not None else set()
    added = [node for node in chat.nodes if ids[node.id] not in present]
    rows = [_row(node, ids, chat, session_id, user_id) for node in added]
    known = session is not None
    if not rows:
        return known, 0
    if session is None:
        session = _session(chat, session_id, user_id)
        t.add(session)
        t.flush()
    last = max(row["created_at"] for row in rows)
    session.updated_at = max(session.updated_at, last) if known else chat.updated_at or last
    session.leaf_id = ids[chat.leaf] if chat.leaf else session.leaf_id
    t.flush()
    t.execute(insert(_messages), rows)
    keep_texts(t, {ids[node.id]: node.sources for node in added})
    rated = [node for node in chat.nodes if node.rating and node.role == "assistant"]
    new = [node for node in rated if ids[node.id] not in present]
    if new:
        t.execute(insert(_feedback), [_opinion(node, ids[node.id]) for node in new])
    index_new(t, [Text(row["id"], user_id, row["content"]) for row in rows])
    return known, len(rows)


def _opinion(node: Node, message_id: str) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "rating": node.rating,
        "reason": node.reason,
        "updated_at": node.created_at or now(),
    }


def own_id(*names: str) -> str:
    """Return an id for foreign names, always the same for the same ones."""
    joined = "".join(f"{len(name)}:{name}" for name in ("import", *names))
    digest = hashlib.sha256(joined.encode("utf-8", "surrogatepass")).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def _session(chat: Conversation, session_id: str, user_id: str) -> Session:
    first = next((node.text for node in chat.nodes if node.role == "user"), chat.nodes[0].text)
    created = chat.created_at or chat.nodes[0].created_at or now()
    return Session(
        id=session_id,
        user_id=user_id,
        kind="chat",
        title=chat.title.strip() or title_of(first),
        pinned=chat.pinned,
        settings=_settings(chat.settings),
        created_at=created,
        updated_at=created,
    )


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings of an export that are what they should be."""
    temperature, length = given.get("temperature"), given.get("max_length")
    prompt, only = given.get("system_prompt"), given.get("documents_only")
    found: dict[str, Any] = {}
    if isinstance(temperature, int | float) and 0 <= temperature <= MOST_TEMPERATURE:
        found["temperature"] = temperature
    if isinstance(prompt, str):
        found["system_prompt"] = text_of(prompt, PROMPT_CHARACTERS)
    if type(length) is int and 0 <= length <= MOST_LENGTH:
        found["max_length"] = length
    return found | ({"documents_only": only} if isinstance(only, bool) else {})


def _row(
    node: Node, ids: Mapping[str, str], chat: Conversation, session_id: str, user_id: str
) -> dict[str, Any]:
    is_answer = node.role == "assistant"
    created: datetime = node.created_at or chat.created_at or chat.updated_at or now()
    return {
        "id": ids[node.id],
        "session_id": session_id,
        "user_id": user_id,
        "parent_id": ids[node.parent] if node.parent else None,
        "role": node.role,
        "content": node.text,
        "status": (State.STOPPED if node.stopped else State.COMPLETE).value,
        "knowledge": (node.model or PRODUCTS[chat.kind]) if is_answer else "",
        "reasoning": node.reasoning,
        "sources": without_texts(node.sources),
        "citations": list(node.citations),
        "usage": {},
        "timings": {},
        "cut": {},
        "shape": [],
        "model": node.model if is_answer else None,
        "finish_reason": ("stopped" if node.stopped else "stop") if is_answer else None,
        "created_at": created,
    }
