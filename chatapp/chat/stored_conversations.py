"""Conversations of programs that are still stored, for those that continue one by an id (/v1)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.question import SentMessage
from chatapp.chat.sessions import owned_message
from chatapp.storage.database import Database
from chatapp.storage.models import Message

_messages = Message.__table__
_SAID = select(
    _messages.c.id,
    _messages.c.parent_id,
    _messages.c.role,
    _messages.c.content,
    _messages.c.images,
    _messages.c.tool_calls,
)


def messages_until(database: Database, user_id: str, message_id: str) -> list[SentMessage]:
    """Return the messages of a conversation up to one, the last; raise NotFound."""

    def read(t: Transaction) -> list[SentMessage]:
        session_id = owned_message(t, user_id, message_id).session_id
        query = _SAID.where(_messages.c.session_id == session_id)
        rows = {row.id: row for row in t.execute(query)}
        said, next_id = [], message_id
        while row := rows.pop(next_id, None):
            said.append(_sent(row))
            next_id = row.parent_id
        return said[::-1]

    return database.read(read)


def single_message(database: Database, user_id: str, message_id: str) -> SentMessage:
    """Return one message; raise NotFound."""
    return database.read(lambda t: _sent(owned_message(t, user_id, message_id)))


def _sent(row: Any) -> SentMessage:
    images = tuple(image["id"] for image in row.images or ())
    calls: Sequence[Any] = row.tool_calls or ()
    if row.role == "tool":
        return SentMessage(row.role, row.content, images, tool_call_id=calls[0][1])
    return SentMessage(row.role, row.content, images, _whole(calls))


def _whole(pieces: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    """Return calls in OpenAI's form; an answer keeps them in pieces."""
    calls: dict[int, dict[str, Any]] = {}
    for index, call_id, name, arguments in pieces:
        if index in calls:
            calls[index]["function"]["arguments"] += arguments
        else:
            function = {"name": name, "arguments": arguments}
            calls[index] = {"id": call_id, "type": "function", "function": function}
    return tuple(calls.values())
