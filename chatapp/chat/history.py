"""What was said before a question."""

from pathlib import Path

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.images import pictures
from chatapp.core.blank import is_blank
from chatapp.core.prompt import Turn
from chatapp.storage.models import Message

_messages = Message.__table__
# Built once: every question runs it.
_SAID = select(
    _messages.c.id, _messages.c.parent_id, _messages.c.role, _messages.c.content, _messages.c.images
).where(_messages.c.session_id == bindparam("session_id"))


def history(t: Transaction, session_id: str, leaf_id: str | None, files: Path) -> list[Turn]:
    """Return the branch that ends in `leaf_id` as turns, without blank ones; pictures are in the
    folder of files."""
    rows = {row.id: row for row in t.execute(_SAID, {"session_id": session_id})}
    turns: list[Turn] = []
    while leaf_id and (row := rows.pop(leaf_id, None)):
        if not is_blank(row.content):
            turns.append(Turn(row.role, row.content, pictures(row.images, files)))
        leaf_id = row.parent_id
    turns.reverse()
    return turns
