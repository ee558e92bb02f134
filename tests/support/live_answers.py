"""Answers that are being written, as a database has them."""

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat import answers
from chatapp.chat.answers import Ending
from chatapp.core.answer import AnswerLog, State
from chatapp.core.events import Chunk, Context, Done
from chatapp.storage.database import Database
from chatapp.storage.models import Message, Run, Session, User, new_id


def begin(database: Database, owner: str | None = None) -> Ending:
    """Store an answer that is being written, and return its end."""

    def add(t: Transaction) -> str:
        user_id = t.scalars(select(User.id)).one()
        session = Session(id=new_id(), user_id=user_id)
        t.add(session)
        t.flush()
        answer = Message(
            id=new_id(), session_id=session.id, user_id=user_id, role="assistant", status="running"
        )
        t.add(answer)
        t.flush()
        t.add(
            Run(
                message_id=answer.id,
                session_id=session.id,
                user_id=user_id,
                owner=owner or answers.owner(),
            )
        )
        return answer.id

    message_id = Database(database.engine).write(add)
    log = AnswerLog()
    log.append(Context("Handbook", "s", message_id, "q"))
    log.append(Chunk(f"The answer {message_id}."))
    return Ending(message_id, log, State.COMPLETE, Done("stop"))
