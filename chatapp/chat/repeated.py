"""Requests that were sent before: a `client_message_id` names the first answer to its request."""

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session as Transaction

from chatapp.storage.models import Message

# Built once: every question runs the first.
_messages = Message.__table__
_SENT = select(_messages.c.id, _messages.c.session_id, _messages.c.role).where(
    _messages.c.user_id == bindparam("user_id"),
    _messages.c.client_message_id == bindparam("client_message_id"),
)
_ANSWERS = (
    select(_messages.c.id)
    .where(_messages.c.parent_id == bindparam("question_id"), _messages.c.role == "assistant")
    .order_by(_messages.c.number)
)
_FORGET_SENT = (
    update(_messages)
    .where(_messages.c.id == bindparam("message_id"))
    .values(client_message_id=None)
)


def first_answer(t: Transaction, user_id: str, client_message_id: str) -> tuple[str, str] | None:
    """Find the first answer to an earlier request with this id, a question or a retry.

    Returns the ids of the answer and of its session.
    """
    found = t.execute(_SENT, {"user_id": user_id, "client_message_id": client_message_id}).first()
    if found is None:
        return None
    if found.role == "assistant":
        return found.id, found.session_id
    answer_id = t.execute(_ANSWERS, {"question_id": found.id}).scalar()
    if answer_id is None:  # its answer was deleted, so the id may be used again
        t.execute(_FORGET_SENT, {"message_id": found.id})
        return None
    return answer_id, found.session_id
