"""Sessions and their messages: reading, changing, deleting. `turns.py` stores turns.

The getters check permission: `owned_session` and `owned_message` return what belongs to the user,
or raise NotFound.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.branches import Window, count_branch, delete_branch, read_part
from chatapp.chat.feedback import feedback_of
from chatapp.chat.images import Images
from chatapp.chat.session_search import Found, search_sessions
from chatapp.errors import NotFound
from chatapp.identity.defaults import Defaults
from chatapp.storage.database import Database
from chatapp.storage.models import Message, Session, new_id, now
from chatapp.storage.paging import Keyset
from chatapp.storage.passages import sources_of

MOST = 200
SETTINGS = tuple(setting.name for setting in fields(Defaults))  # that a chat may have of its own
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LATEST_FIRST = Keyset("sessions", Session.pinned, Session.updated_at, Session.id, descending=True)
OLDEST_FIRST = Keyset("messages", Message.number, created=Message.created_at)
DELETED_TOGETHER = 100  # sessions in one transaction: other writes wait for it
# Built once: every question runs them.
_messages, _sessions = Message.__table__, Session.__table__
_COUNTED = {"chats": _sessions, "messages": _messages}
_LAST = (
    select(_sessions.c.supplier, _sessions.c.model)
    .where(_sessions.c.user_id == bindparam("user_id"), _sessions.c.kind == "chat")
    .where(_sessions.c.supplier != bindparam("but"))
    .order_by(_sessions.c.updated_at.desc())
    .limit(1)
)

_DELETE_SOME = (
    delete(_sessions)
    .where(
        _sessions.c.id.in_(
            select(_sessions.c.id)
            .where(_sessions.c.user_id == bindparam("user_id"))
            .limit(DELETED_TOGETHER)
        )
    )
    .returning(_sessions.c.id)
)


def owned_session(t: Transaction, user_id: str, session_id: str) -> Session:
    """Return the user's session; raise NotFound."""
    session = t.get(Session, session_id)
    if session is None or session.user_id != user_id:
        raise NotFound("session")
    return session


def owned_message(t: Transaction, user_id: str, message_id: str) -> Message:
    """Return the user's message; raise NotFound."""
    message = t.scalars(select(Message).where(Message.id == message_id)).first()
    if message is None or message.user_id != user_id:
        raise NotFound("message")
    return message


class Sessions:
    """Conversations, on one database."""

    def __init__(self, database: Database, images: Images | None = None) -> None:
        """`images` deletes the pictures of deleted messages."""
        self._database = database
        self._images = images

    def page(
        self, user_id: str, after: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of sessions, pinned first, then latest first, and the next page's cursor.

        Raises InvalidRequest for a cursor of another list.
        """
        query = select(Session).where(Session.user_id == user_id, Session.kind == "chat")

        def rows(t: Transaction) -> tuple[list[dict[str, Any]], str | None]:
            found, following = LATEST_FIRST.page(t, query, after, max(1, min(limit, MOST)))
            return [session_json(row) for row in found], following

        return self._database.read(rows)

    def search(self, user_id: str, query: str, limit: int) -> list[dict[str, Any]]:
        """Return sessions that contain all words of a query, with what shows where."""
        limit = max(1, min(limit, MOST))
        return self._database.read(
            lambda t: [found_json(each) for each in search_sessions(t, user_id, query, limit)]
        )

    def create(self, user_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Make an empty session."""
        settings = with_settings({}, values.pop("settings", None) or {})
        options = with_settings({}, values.pop("knowledge_options", {}))
        session = Session(
            id=new_id(),
            user_id=user_id,
            kind="chat",
            settings=settings,
            knowledge_options=options,
            created_at=now(),
            updated_at=now(),
            **values,
        )

        def add(t: Transaction) -> dict[str, Any]:
            t.add(session)
            t.flush()
            return session_json(session)

        return self._database.write(add)

    def read(self, user_id: str, session_id: str) -> dict[str, Any]:
        """Return one session; raise NotFound."""
        return self._database.read(lambda t: session_json(owned_session(t, user_id, session_id)))

    def change(self, user_id: str, session_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Change a session; raise NotFound, also for a leaf that is not one of its messages.

        Of `settings` and `knowledge_options`, only those given change; None restores the default.
        `temporary` False keeps a temporary session.
        """
        settings = values.pop("settings", None)
        options = values.pop("knowledge_options", {})
        kept = values.pop("temporary", None) is False

        def save(t: Transaction) -> dict[str, Any]:
            session = owned_session(t, user_id, session_id)
            leaf = values.get("leaf_id")
            if leaf and owned_message(t, user_id, leaf).session_id != session_id:
                raise NotFound("message")
            for name, value in values.items():
                setattr(session, name, value)
            if kept and session.kind == "temporary":
                session.kind = "chat"
            if settings is not None:
                session.settings = with_settings(session.settings, settings)
            if options:
                session.knowledge_options = with_settings(session.knowledge_options, options)
            t.flush()
            return session_json(session)

        return self._database.write(save)

    def delete(self, user_id: str, session_id: str) -> None:
        """Delete a session with all its messages; raise NotFound."""
        self._database.write_deletion(lambda t: t.delete(owned_session(t, user_id, session_id)))
        self._delete_images(user_id)

    def delete_all(self, user_id: str) -> None:
        """Delete all sessions of a person, temporary ones too, with their messages."""
        some = {"user_id": user_id}
        while self._database.write_deletion(lambda t: t.execute(_DELETE_SOME, some).all()):
            pass
        self._delete_images(user_id)

    def stored(self, user_id: str) -> dict[str, int]:
        """Count a person's sessions, temporary ones too, and their messages."""
        counts = {
            name: select(func.count()).where(table.c.user_id == user_id)
            for name, table in _COUNTED.items()
        }
        return self._database.read(
            lambda t: {name: t.scalar(count) or 0 for name, count in counts.items()}
        )

    def messages(
        self, user_id: str, session_id: str, after: str | None, limit: int | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return messages of all branches, oldest first, and the next page's cursor.

        `after` is a cursor or the id of a message; `limit` None means all. Raises NotFound for a
        session or message that is not the user's, InvalidRequest for a cursor of another list.
        """

        def rows(t: Transaction) -> tuple[list[dict[str, Any]], str | None]:
            owned_session(t, user_id, session_id)
            query, cursor = select(Message).where(Message.session_id == session_id), after
            if after and _ID.fullmatch(after):
                query = query.where(Message.number > owned_message(t, user_id, after).number)
                cursor = None
            found, following = OLDEST_FIRST.page(t, query, cursor, limit)
            feedback = feedback_of(t, found)
            return [message_json(row, feedback) for row in found], following

        return self._database.read(rows)

    def part(self, user_id: str, session_id: str, window: Window) -> dict[str, Any]:
        """Return a part of one branch, oldest first, with the messages beyond which it goes on.

        Raises NotFound for a session or message that is not the user's.
        """

        def read(t: Transaction) -> dict[str, Any]:
            part = read_part(t, owned_session(t, user_id, session_id), window)
            feedback = feedback_of(t, part.messages)
            items = [
                message_json(row, feedback) | {"siblings": part.siblings[row.id]}
                for row in part.messages
            ]
            return {"items": items, "before": part.before, "after": part.after}

        return self._database.read(read)

    def message(self, user_id: str, message_id: str) -> dict[str, Any]:
        """Return one message; raise NotFound."""

        def read(t: Transaction) -> dict[str, Any]:
            message = owned_message(t, user_id, message_id)
            return message_json(message, feedback_of(t, [message]))

        return self._database.read(read)

    def search_trace(self, user_id: str, message_id: str) -> dict[str, Any]:
        """Return how an answer's passages were chosen, and what was cut; raise NotFound."""

        def read(t: Transaction) -> dict[str, Any]:
            message = owned_message(t, user_id, message_id)
            if message.search is None:
                raise NotFound("search")
            cut = {"passages": 0, "history": 0} | (message.cut or {})
            return message.search | {"cut": {name: cut[name] for name in ("passages", "history")}}

        return self._database.read(read)

    def count_branch(self, user_id: str, message_id: str) -> int:
        """Count a message and all messages below it, in all branches; raise NotFound."""

        def counted(t: Transaction) -> int:
            return count_branch(t, owned_message(t, user_id, message_id).id)

        return self._database.read(counted)

    def delete_message(self, user_id: str, message_id: str) -> None:
        """Delete a message and all messages below it, in all branches; raise NotFound."""

        def remove(t: Transaction) -> None:
            message = owned_message(t, user_id, message_id)
            delete_branch(t, t.get_one(Session, message.session_id), message)

        self._database.write_deletion(remove)
        self._delete_images(user_id)

    def _delete_images(self, user_id: str) -> None:
        if self._images is not None:
            self._images.delete_unused(user_id)


def last_model(t: Transaction, user_id: str, but: str) -> tuple[str | None, str | None]:
    """Return supplier and model of a user's last chat with a supplier other than `but`."""
    row = t.execute(_LAST, {"user_id": user_id, "but": but}).first()
    return (row.supplier, row.model) if row is not None else (None, None)


def with_settings(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return settings with those given; None removes one."""
    return {name: value for name, value in (before | given).items() if value is not None}


def branch(rows: list[dict[str, Any]], leaf_id: str | None) -> list[dict[str, Any]]:
    """Return the messages that lead to `leaf_id`, oldest first."""
    by_id = {row["id"]: row for row in rows}
    found: list[dict[str, Any]] = []
    while leaf_id and (row := by_id.pop(leaf_id, None)):
        found.append(row)
        leaf_id = row["parent_id"]
    return found[::-1]


def session_json(session: Session) -> dict[str, Any]:
    """Return a session as the API shows it."""
    bases, options = list(session.knowledge_base_ids), session.knowledge_options
    return {
        "id": session.id,
        "title": session.title,
        "pinned": session.pinned,
        "temporary": session.kind == "temporary",
        "created_at": session.created_at,
        "updated_at": session.updated_at,
        "knowledge_base_id": bases if len(bases) > 1 else (bases[0] if bases else None),
        "filter_by_file_md5": options.get("md5s", []),
        "search_k": options.get("search_k"),
        "supplier": session.supplier,
        "model": session.model,
        "settings": dict.fromkeys(SETTINGS) | session.settings,
        "leaf_id": session.leaf_id,
    }


def found_json(found: Found) -> dict[str, Any]:
    """Return a session that a search found as the API shows it."""
    return session_json(found.session) | {
        "snippet": found.snippet,
        "message_id": found.message_id,
        "title_marks": found.title_marks,
        "snippet_marks": found.snippet_marks,
    }


def message_json(
    message: Message, feedback: Mapping[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a message as the API shows it, with its own of `feedback`; the view translates."""
    return {
        "id": message.id,
        "session_id": message.session_id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": message.content,
        "status": message.status,
        "reasoning": message.reasoning,
        "knowledge": message.knowledge,
        "sources": sources_of(message),
        "citations": message.citations,
        "usage": message.usage,
        "timings": message.timings,
        "supplier": message.supplier,
        "model": message.model,
        "finish_reason": message.finish_reason,
        "images": message.images or [],
        "unread": (message.cut or {}).get("unread", []),
        "searched": message.searched,
        "error": message.error,
        "feedback": (feedback or {}).get(message.id),
        "created_at": message.created_at,
    }
