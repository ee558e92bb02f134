"""Chats of many turns, written into the database of a running service."""

from dataclasses import dataclass

from sqlalchemy import select

from chatapp.storage.database import open_database
from chatapp.storage.models import Message, Session, User, new_id
from tests.support.service import Service

TABLE = "\n\n| days | who |\n|---|---|\n| 27 | all |\n"


@dataclass(frozen=True, slots=True)
class LongChat:
    """A session, its current branch from its first message, and an older version of an answer."""

    session_id: str
    ids: list[str]
    older: str


def add_long_chat(service: Service, turns: int, two_versions: int = 1) -> LongChat:
    """Add a chat whose answer of one turn, counted from the end, has an older version."""
    database = open_database(f"sqlite:///{service.home}/chatapp.db")
    session_id, ids, rows, older = new_id(), [], [], ""
    user_id = database.read(lambda t: t.scalars(select(User.id)).one())

    def add(role: str, content: str, parent: str | None) -> str:
        each = {"id": new_id(), "session_id": session_id, "user_id": user_id}
        rows.append(Message(**each, role=role, content=content, parent_id=parent))
        return str(each["id"])

    for turn in range(1, turns + 1):
        ids.append(add("user", f"Question {turn}", ids[-1] if ids else None))
        if turn == turns + 1 - two_versions:
            older = add("assistant", f"Older answer {turn}", ids[-1])
        code = "".join(f"line {n}\n" for n in range(turn % 7))
        answer = f"Answer {turn}. {'Some words. ' * (turn % 20)}{TABLE}\n```\n{code}```\n"
        ids.append(add("assistant", answer, ids[-1]))

    database.write(
        lambda t: t.add(Session(id=session_id, user_id=user_id, title="Long", leaf_id=ids[-1]))
    )
    for row in rows:
        database.write(lambda t, row=row: t.add(row))  # type: ignore[misc]
    database.close()
    return LongChat(session_id, ids, older)
