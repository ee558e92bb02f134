"""What users think of answers: up or down, with a reason. Deleted with the answer."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import NotFound
from chatapp.storage.chat_models import Feedback
from chatapp.storage.database import Database
from chatapp.storage.models import Message, now

AT_ONCE = 500  # ids in one statement


def feedback_of(t: Transaction, messages: Sequence[Message]) -> dict[str, dict[str, Any]]:
    """Return the feedback of those messages that have one, by their ids."""
    ids = [message.id for message in messages if message.role == "assistant"]
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), AT_ONCE):
        query = select(Feedback).where(Feedback.message_id.in_(ids[start : start + AT_ONCE]))
        found |= {row.message_id: _json(row) for row in t.scalars(query)}
    return found


class AnswerFeedback:
    """The feedback of all users, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(self, user_id: str, message_id: str, rating: str, reason: str) -> dict[str, Any]:
        """Store feedback in place of an earlier one; raise NotFound, also for a question."""

        def save(t: Transaction) -> dict[str, Any]:
            self._database.advisory_lock(t, user_id)
            _check_answer(t, user_id, message_id)
            row = t.merge(
                Feedback(message_id=message_id, rating=rating, reason=reason, updated_at=now())
            )
            t.flush()
            return _json(row)

        return self._database.write(save)

    def withdraw(self, user_id: str, message_id: str) -> None:
        """Delete the feedback of an answer, if there is one; raise NotFound."""

        def remove(t: Transaction) -> None:
            _check_answer(t, user_id, message_id)
            t.execute(delete(Feedback).where(Feedback.message_id == message_id))

        self._database.write_deletion(remove)


def _check_answer(t: Transaction, user_id: str, message_id: str) -> None:
    query = select(Message.id).where(
        Message.id == message_id, Message.user_id == user_id, Message.role == "assistant"
    )
    if t.scalar(query) is None:
        raise NotFound("message")


def _json(row: Feedback) -> dict[str, Any]:
    return {"rating": row.rating, "reason": row.reason, "updated_at": row.updated_at}
