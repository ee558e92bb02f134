"""A turn, from what was asked to an answer that can start: session, branch, question and the answer's empty row.

All of it is one transaction, so a question is either stored whole or not at all; a `client_message_id` that was seen
before finds its first answer instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.core.answer import State
from chatapp.core.events import Context
from chatapp.core.prompt import Ask, fits
from chatapp.database import Database
from chatapp.errors import Busy, ContextTooLong, InvalidRequest, NotFound, TooManyAnswers
from chatapp.knowledge import Bases, Knowledge
from chatapp.models import Message, Run, Session, new_id, now
from chatapp.records import owner
from chatapp.sessions import history, owned_message, owned_session
from chatapp.settings import Settings
from chatapp.suppliers import Choice, Suppliers, Wish
from chatapp.titles import title_of

TEMPORARY_HOURS = 24
SEARCH_K = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks, in the words of wire.md. `bases` None means the session's own; `at_root` begins a branch of its own."""

    text: str | None = None
    question_id: str | None = None
    continue_id: str | None = None
    session_id: str | None = None
    parent_id: str | None = None
    at_root: bool = False
    client_message_id: str | None = None
    system_prompt: str = ""
    max_length: int = 20
    documents_only: bool = False
    wish: Wish = field(default_factory=Wish)
    bases: Sequence[str] | None = None
    md5s: Sequence[str] | None = None
    search_k: int | None = None
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer that can start. `ask` None means that it had been started before: attach to it."""

    message_id: str
    session_id: str
    user_id: str
    context: Context | None = None
    ask: Ask | None = None
    choice: Choice | None = None
    bases: Bases | None = None
    md5s: Sequence[str] = ()
    search_k: int = 5


class Turns:
    """Opens turns."""

    def __init__(self, database: Database, settings: Settings, suppliers: Suppliers, knowledge: Knowledge) -> None:
        self._database = database
        self._settings = settings
        self._suppliers = suppliers
        self._knowledge = knowledge

    def open(self, user_id: str, question: Question) -> Opened:
        """Store a question with its answer's row.

        Raises NotFound for what is not the asker's, Busy, TooManyAnswers, NoModel, ModelGone, ContextTooLong.
        """
        session = self._session(user_id, question)
        wish = Wish(session.get("supplier"), session.get("model"))
        choice = self._suppliers.choose(user_id, question.wish, wish)
        wanted = question.bases if question.bases is not None else session.get("bases")
        if wanted is None:
            wanted = self._manual(user_id) if choice.endpoint is None else []
        if question.bases is None:
            wanted = self._still_there(user_id, wanted)
        bases = self._knowledge.choose(user_id, wanted) if wanted else None
        before = session.get("options", {})
        options = {
            "md5s": list(before.get("md5s", []) if question.md5s is None else question.md5s),
            "search_k": question.search_k or before.get("search_k", SEARCH_K),
        }
        return self._database.write(lambda t: self._store(t, user_id, question, choice, bases, options))

    def _manual(self, user_id: str) -> list[str]:
        """Return the bundled base: the built-in model can only quote, so the first question ever asked is put to the manual."""
        return [base["id"] for base in self._knowledge.bases(user_id) if base["bundled"]]

    def _still_there(self, user_id: str, base_ids: Sequence[str]) -> list[str]:
        """Leave out the bases of a session that have been deleted since."""
        known = {base["id"] for base in self._knowledge.bases(user_id)} if base_ids else set()
        return [base_id for base_id in base_ids if base_id in known]

    def _session(self, user_id: str, question: Question) -> dict[str, Any]:
        """Return what a session brings along; nothing where a new one is to be made."""
        if not (question.session_id or question.question_id or question.continue_id):
            return {}

        def read(t: Transaction) -> dict[str, Any]:
            session_id = question.session_id
            for message_id in (question.question_id, question.continue_id):
                if message_id and not session_id:
                    session_id = owned_message(t, user_id, message_id).session_id
            row = owned_session(t, user_id, session_id or "")
            return {
                "supplier": row.supplier,
                "model": row.model,
                "bases": list(row.knowledge_base_ids),
                "options": row.knowledge_options,
            }

        return self._database.read(read)

    def _store(
        self, t: Transaction, user_id: str, question: Question, choice: Choice, bases: Bases | None, options: dict[str, Any]
    ) -> Opened:
        self._database.alone(t, user_id)
        if question.client_message_id and (again := _seen(t, user_id, question.client_message_id)):
            return again
        self._check_limit(t, user_id)
        session, asked, partial = self._place(t, user_id, question)
        _check_free(t, session.id, asked.id, asked.parent_id)
        ask = Ask(
            question=asked.content,
            history=history(t, session.id, asked.parent_id),
            system_prompt=question.system_prompt,
            max_length=question.max_length,
            context_tokens=choice.context_tokens,
            documents_only=question.documents_only,
            partial=partial,
        )
        if not fits(ask):
            raise ContextTooLong
        label = " · ".join(bases.names) if bases else choice.label
        answer = Message(
            id=new_id(),
            session_id=session.id,
            user_id=user_id,
            parent_id=asked.id,
            role="assistant",
            status=State.QUEUED.value,
            knowledge=label,
            supplier=choice.supplier,
            model=choice.model,
            client_message_id=None if asked.client_message_id == question.client_message_id else question.client_message_id,
        )
        session.leaf_id, session.updated_at = answer.id, now()
        session.supplier, session.model = choice.supplier, choice.model
        session.knowledge_base_ids = list(bases.ids) if bases else []
        session.knowledge_options = options
        session.title = session.title or title_of(asked.content)
        t.add(answer)
        t.flush()
        t.add(Run(message_id=answer.id, session_id=session.id, user_id=user_id, owner=owner()))
        context = Context(label, session.id, answer.id, asked.id)
        return Opened(answer.id, session.id, user_id, context, ask, choice, bases, options["md5s"], options["search_k"])

    def _place(self, t: Transaction, user_id: str, question: Question) -> tuple[Session, Message, str]:
        """Find or make the session and the question's row; also the partial answer that is to be continued."""
        if question.continue_id:
            broken = owned_message(t, user_id, question.continue_id)
            if broken.role != "assistant" or not broken.parent_id or not _broken(broken):
                raise InvalidRequest("continue_id", "not_continuable")
            return t.get_one(Session, broken.session_id), owned_message(t, user_id, broken.parent_id), broken.content
        if question.question_id:
            asked = owned_message(t, user_id, question.question_id)
            if asked.role != "user":
                raise NotFound("message")
            return t.get_one(Session, asked.session_id), asked, ""
        if question.session_id:
            session = owned_session(t, user_id, question.session_id)
        else:
            session = _new_session(t, user_id, question.temporary)
        parent_id = None if question.at_root else question.parent_id or session.leaf_id
        if question.parent_id and owned_message(t, user_id, question.parent_id).session_id != session.id:
            raise InvalidRequest("parent_id", "not_of_session")
        asked = Message(
            id=new_id(),
            session_id=session.id,
            user_id=user_id,
            parent_id=parent_id,
            role="user",
            content=question.text or "",
            client_message_id=question.client_message_id,
        )
        t.add(asked)
        t.flush()
        return session, asked, ""

    def _check_limit(self, t: Transaction, user_id: str) -> None:
        limit = self._settings.answers_per_user
        if not limit or self._settings.auth == "off":
            return
        live = t.scalar(select(func.count()).select_from(Run).where(Run.user_id == user_id)) or 0
        if live >= limit:
            raise TooManyAnswers(retry_after=5, limit=limit)


def _new_session(t: Transaction, user_id: str, temporary: bool) -> Session:
    if temporary:
        old = now() - timedelta(hours=TEMPORARY_HOURS)
        t.execute(delete(Session).where(Session.kind == "temporary", Session.updated_at < old))
    session = Session(id=new_id(), user_id=user_id, kind="temporary" if temporary else "chat", knowledge_base_ids=[])
    t.add(session)
    t.flush()
    return session


def _seen(t: Transaction, user_id: str, client_message_id: str) -> Opened | None:
    """Find the first answer to what was sent before under this id: a question, or a wish for another answer."""
    query = select(Message).where(Message.user_id == user_id, Message.client_message_id == client_message_id)
    found = t.scalars(query).first()
    if found is not None and found.role == "user":
        answers = select(Message).where(Message.parent_id == found.id, Message.role == "assistant")
        asked, found = found, t.scalars(answers.order_by(Message.number)).first()
        if found is None:  # its answer was deleted: the id is free for another try
            asked.client_message_id = None
            t.flush()
    return Opened(found.id, found.session_id, user_id) if found else None


def _broken(answer: Message) -> bool:
    return answer.status in ("stopped", "failed", "interrupted") or answer.finish_reason == "length"


def _check_free(t: Transaction, session_id: str, asked_id: str, parent_id: str | None) -> None:
    """Raise Busy where the branch that is to grow has a live answer."""
    query = select(Message.id, Message.parent_id).join(Run, Run.message_id == Message.id).where(Run.session_id == session_id)
    for row in t.execute(query):
        if row.id == parent_id or row.parent_id == asked_id:
            raise Busy
