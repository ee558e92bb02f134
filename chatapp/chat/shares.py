"""Read-only links to one branch of a chat.

A link shows the branch that ends in the message it was made for: no later message, no other branch,
no files. Its secret is stored only as a hash, it ends at a date, and it can be revoked. What is
deleted from the chat is not shown any more.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.sessions import branch, message_json, owned_message, owned_session
from chatapp.core.answer import State
from chatapp.errors import Busy, InvalidRequest, NotFound
from chatapp.identity.tokens import hash_of
from chatapp.storage.chat_models import Share
from chatapp.storage.database import Database
from chatapp.storage.models import Message, User, now

MOST = 1000  # links of one user
LIVE = (State.QUEUED.value, State.RUNNING.value)


class Shares:
    """Links that share chats, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, user_id: str, session_id: str, leaf_id: str | None, days: int
    ) -> dict[str, Any]:
        """Share a branch, by default the current one; only this call returns the secret.

        Raises NotFound, Busy for an answer in progress, InvalidRequest for an empty chat or too
        many links.
        """
        secret = secrets.token_urlsafe(32)

        def add(t: Transaction) -> dict[str, Any]:
            session = owned_session(t, user_id, session_id)
            leaf = leaf_id or session.leaf_id
            if leaf is None:
                raise InvalidRequest("leaf_id", "nothing_to_share")
            message = owned_message(t, user_id, leaf)
            if message.session_id != session_id:
                raise NotFound("message")
            if message.status in LIVE:
                raise Busy
            t.execute(delete(Share).where(Share.user_id == user_id, Share.expires_at <= now()))
            count = select(func.count()).where(Share.user_id == user_id)
            if (t.scalar(count) or 0) >= MOST:
                raise InvalidRequest("days", "too_many_links", most=MOST)
            share = Share(
                user_id=user_id,
                session_id=session_id,
                leaf_id=leaf,
                hash=hash_of(secret),
                title=session.title,
                expires_at=now() + timedelta(days=days),
            )
            t.add(share)
            t.flush()
            return _json(share)

        return {**self._database.write(add), "secret": secret}

    def all(self, user_id: str, session_id: str | None = None) -> list[dict[str, Any]]:
        """Return a user's links that have not ended, latest first, without the secrets."""
        query = (
            select(Share)
            .where(Share.user_id == user_id, Share.expires_at > now())
            .order_by(Share.created_at.desc(), Share.id)
        )
        if session_id:
            query = query.where(Share.session_id == session_id)
        return self._database.read(lambda t: [_json(row) for row in t.scalars(query)])

    def revoke(self, user_id: str, share_id: str) -> None:
        """End a link now; raise NotFound."""
        query = delete(Share).where(Share.id == share_id, Share.user_id == user_id)
        gone = self._database.write_deletion(
            lambda t: t.execute(query.returning(Share.id)).scalar()
        )
        if gone is None:
            raise NotFound

    def read(self, secret: str) -> dict[str, Any]:
        """Return what a link shows; raise NotFound for one that does not exist or has ended."""
        query = (
            select(Share)
            .join(User, User.id == Share.user_id)
            .where(Share.hash == hash_of(secret), Share.expires_at > now(), ~User.disabled)
        )

        def load(t: Transaction) -> dict[str, Any]:
            share = t.scalars(query).first()
            if share is None:
                raise NotFound
            rows = t.scalars(select(Message).where(Message.session_id == share.session_id))
            path = branch([message_json(row) for row in rows], share.leaf_id)
            if not path:
                raise NotFound
            return {**_json(share), "messages": [_shown(row) for row in path]}

        return self._database.read(load)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what strangers see of a message: its text, and the sentences that it cites."""
    cited = [source for source in row["sources"] if source["n"] in row["citations"]]
    return {
        "role": row["role"],
        "content": row["content"],
        "created_at": row["created_at"],
        "sources": [
            {name: source.get(name) for name in ("n", "name", "page", "quote")} for source in cited
        ],
    }


def _json(share: Share) -> dict[str, Any]:
    return {
        "id": share.id,
        "session_id": share.session_id,
        "title": share.title,
        "created_at": share.created_at,
        "expires_at": share.expires_at,
    }
