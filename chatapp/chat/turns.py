"""Opening a turn: session, branch, question, and the answer's empty row.

One transaction stores all of it or nothing. A `client_message_id` that was seen before returns its
first answer, whatever happened to the model or documents it names. Statements are Core and built
once: every question waits for them, and building one costs as much as running two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from sqlalchemy import Row, bindparam, delete, exists, insert, select, update
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.answers import owner
from chatapp.chat.chosen_model import ModelRequest, ResolvedModel
from chatapp.chat.history import history
from chatapp.chat.images import claim, pictures, use
from chatapp.chat.limits import require_allowed
from chatapp.chat.notices import lost_bases
from chatapp.chat.question import Opened, Question
from chatapp.chat.resent import first_answer
from chatapp.chat.sent_messages import ask_of, rows_of
from chatapp.chat.suppliers import Suppliers
from chatapp.chat.titles import title_of
from chatapp.core.answer import State
from chatapp.core.blank import is_blank
from chatapp.core.events import Context
from chatapp.core.prompt import Ask, fits
from chatapp.errors import Busy, ContextTooLong, InvalidRequest, NotFound
from chatapp.knowledge.selection import Bases, bundled_bases, select_bases
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.storage.models import Message, Run, Session, new_id, now

TEMPORARY_HOURS = 24
SEARCH_K = 5

_Row: TypeAlias = Row[*tuple[Any, ...]]

_sessions, _messages, _runs = Session.__table__, Message.__table__, Run.__table__
_SESSION = select(
    _sessions.c.id,
    _sessions.c.title,
    _sessions.c.supplier,
    _sessions.c.model,
    _sessions.c.knowledge_base_ids,
    _sessions.c.knowledge_options,
    _sessions.c.settings,
    _sessions.c.leaf_id,
).where(_sessions.c.id == bindparam("session_id"), _sessions.c.user_id == bindparam("user_id"))
_MESSAGE = select(
    _messages.c.id,
    _messages.c.session_id,
    _messages.c.parent_id,
    _messages.c.role,
    _messages.c.content,
    _messages.c.status,
    _messages.c.finish_reason,
    _messages.c.images,
).where(_messages.c.id == bindparam("message_id"), _messages.c.user_id == bindparam("user_id"))
_LIVE_HERE = (
    select(_messages.c.id, _messages.c.parent_id)
    .join(_runs, _runs.c.message_id == _messages.c.id)
    .where(_runs.c.session_id == bindparam("session_id"))
)
# Chats that another transaction holds can wait: two that delete must not wait for each other.
_OLD = delete(_sessions).where(
    _sessions.c.id.in_(
        select(_sessions.c.id)
        .where(
            _sessions.c.kind == "temporary",
            _sessions.c.updated_at < bindparam("before"),
            ~exists().where(_runs.c.session_id == _sessions.c.id),
        )
        .with_for_update(skip_locked=True)
    )
)
_ADD_SESSION, _ADD_MESSAGES, _ADD_RUN = insert(_sessions), insert(_messages), insert(_runs)
_CHANGE_SESSION = update(_sessions).where(_sessions.c.id == bindparam("its_id"))


class Turns:
    """Opens turns."""

    def __init__(self, database: Database, settings: Settings, suppliers: Suppliers) -> None:
        self._database = database
        self._settings = settings
        self._suppliers = suppliers

    def open(self, user_id: str, question: Question) -> Opened:
        """Store a question with its answer's row.

        Raises NotFound, Busy, TooManyAnswers, QuotaUsed, NoModel, ModelGone, ContextTooLong, and
        InvalidRequest for pictures for a model that does not see.
        """
        return self._database.write_batched(lambda t: self._open(t, user_id, question), user_id)

    def _open(self, t: Transaction, user_id: str, question: Question) -> Opened:
        sent = question.client_message_id
        if sent and (again := first_answer(t, user_id, sent)):
            return Opened(*again, user_id)
        require_allowed(t, self._settings, user_id)
        place = _place(t, user_id, question)
        if place.stored is not None:
            _check_free(t, place)
            question = question.with_settings(place.stored.settings)
        resolved = self._suppliers.resolve(t, user_id, question.model_request, place.model_request)
        bases, files = _bases(t, user_id, question, place, resolved), self._settings.files_folder
        if question.messages:
            ask = ask_of(question, place.images, resolved, files)
            return _store(t, user_id, question, place, ask, resolved, bases)
        ask = Ask(
            question=place.text,
            history=history(t, place.session_id, place.parent_id, files) if place.parent_id else (),
            system_prompt=question.system_prompt,
            max_length=question.max_length,
            context_tokens=resolved.context_tokens,
            documents_only=question.documents_only,
            partial=place.partial,
            images=pictures(place.images, files),
            sees=resolved.sees is not False,
            notice=lost_bases(place.text) if bases and bases.lost and not place.partial else "",
        )
        if ask.images and not ask.sees and resolved.endpoint is not None:
            raise InvalidRequest("images", "blind", model=resolved.model)
        if not fits(ask):
            raise ContextTooLong("images" if ask.images else None)
        return _store(t, user_id, question, place, ask, resolved, bases)


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of an answer: its session and question; `text` is the question's."""

    session_id: str
    stored: _Row | None  # the session's row; None for a new session
    question_id: str
    parent_id: str | None  # the question's
    text: str
    asked: bool = False  # the question is stored already
    partial: str = ""  # text of the answer to continue
    images: Sequence[dict[str, Any]] = ()  # the question's

    @property
    def model_request(self) -> ModelRequest:
        """The session's last model."""
        return (
            ModelRequest(self.stored.supplier, self.stored.model)
            if self.stored is not None
            else ModelRequest()
        )


def _place(t: Transaction, user_id: str, question: Question) -> _Place:
    """Find the place of an answer: below a stored question or a new one."""
    if question.continue_id:
        broken = _message(t, user_id, question.continue_id)
        if broken.role != "assistant" or not broken.parent_id or not _broken(broken):
            raise InvalidRequest("continue_id", "not_continuable")
        partial = "" if is_blank(broken.content) else broken.content
        return _below(t, user_id, _message(t, user_id, broken.parent_id), partial)
    if question.question_id:
        return _below(t, user_id, _message(t, user_id, question.question_id))
    session = _session(t, user_id, question.session_id) if question.session_id else None
    session_id = session.id if session is not None else new_id()
    if question.parent_id and _message(t, user_id, question.parent_id).session_id != session_id:
        raise InvalidRequest("parent_id", "not_of_session")
    leaf_id = session.leaf_id if session is not None else None
    parent_id = None if question.at_root else question.parent_id or leaf_id
    images = claim(t, user_id, question.images)
    text = question.text or ""
    return _Place(session_id, session, new_id(), parent_id, text, images=images)


def _below(t: Transaction, user_id: str, asked: _Row, partial: str = "") -> _Place:
    if asked.role != "user":
        raise NotFound("message")
    session = _session(t, user_id, asked.session_id)
    said, images = asked.content, asked.images or ()
    return _Place(session.id, session, asked.id, asked.parent_id, said, True, partial, images)


def _session(t: Transaction, user_id: str, session_id: str) -> _Row:
    row = t.execute(_SESSION, {"session_id": session_id, "user_id": user_id}).first()
    if row is None:
        raise NotFound("session.asked")
    return row


def _message(t: Transaction, user_id: str, message_id: str) -> _Row:
    row = t.execute(_MESSAGE, {"message_id": message_id, "user_id": user_id}).first()
    if row is None:
        raise NotFound("message")
    return row


def _broken(answer: _Row) -> bool:
    return answer.status in ("stopped", "failed", "interrupted") or answer.finish_reason == "length"


def _check_free(t: Transaction, place: _Place) -> None:
    """Raise Busy if the branch has a live answer."""
    for row in t.execute(_LIVE_HERE, {"session_id": place.session_id}):
        if row.id == place.parent_id or row.parent_id == place.question_id:
            raise Busy


def _bases(
    t: Transaction, user_id: str, question: Question, place: _Place, resolved: ResolvedModel
) -> Bases | None:
    """Find the bases to search: the question's, else those of the session.

    In a new session without any, the built-in model searches the bundled manual. The session keeps
    those that are lost: each answer says so until others are chosen, or they are shared again.
    """
    remembered = place.stored.knowledge_base_ids if place.stored is not None else ()
    if question.bases or (question.bases is None and remembered):
        return select_bases(t, user_id, question.bases or remembered, remembered)
    if question.bases is None and place.stored is None and resolved.endpoint is None:
        return bundled_bases(t)
    return None


def _store(
    t: Transaction,
    user_id: str,
    question: Question,
    place: _Place,
    ask: Ask,
    resolved: ResolvedModel,
    bases: Bases | None,
) -> Opened:
    """Write the session, a new question, and the answer's row with its run."""
    answer_id = new_id()
    label = " · ".join(bases.names) if bases and bases.names else resolved.label
    options = _options(question, place)
    changed = {
        "leaf_id": answer_id,
        "supplier": resolved.supplier,
        "model": resolved.model,
        "knowledge_base_ids": [*bases.ids, *bases.lost] if bases else [],
        "knowledge_options": options,
        "updated_at": now(),
    }
    _store_session(t, user_id, question.kind, place, changed)
    common = {"session_id": place.session_id, "user_id": user_id}
    answer: dict[str, Any] = common | {
        "id": answer_id,
        "parent_id": place.question_id,
        "role": "assistant",
        "content": "",
        "status": State.QUEUED.value,
        "client_message_id": question.client_message_id if place.asked else None,
        "knowledge": label,
        "supplier": resolved.supplier,
        "model": resolved.model,
        "images": None,
    }
    if place.asked:
        t.execute(_ADD_MESSAGES, [answer])
    else:
        asked = _asked(question, place, answer)
        if question.messages:
            rows = [*rows_of(question.messages, place.images, asked), answer | {"tool_calls": None}]
        else:
            rows = [asked, answer]
        t.execute(_ADD_MESSAGES, rows)
        use(t, place.question_id, place.images)
    t.execute(_ADD_RUN, {"message_id": answer_id, "owner": owner(), **common})
    context = Context(label, place.session_id, answer_id, place.question_id)
    return Opened(
        answer_id,
        place.session_id,
        user_id,
        context,
        ask,
        resolved,
        bases if bases and bases.ids else None,
        options["md5s"],
        options["search_k"],
    )


def _asked(question: Question, place: _Place, answer: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a new question, which has the columns of its answer's."""
    return answer | {
        "id": place.question_id,
        "parent_id": place.parent_id,
        "role": "user",
        "content": place.text,
        "status": State.COMPLETE.value,
        "client_message_id": question.client_message_id,
        "knowledge": "",
        "supplier": None,
        "model": None,
        "images": list(place.images) or None,
    }


def _options(question: Question, place: _Place) -> dict[str, Any]:
    """Search options: the question's, else the session's."""
    before = place.stored.knowledge_options if place.stored is not None else {}
    return {
        "md5s": list(before.get("md5s", []) if question.md5s is None else question.md5s),
        "search_k": question.search_k or before.get("search_k", SEARCH_K),
    }


def _store_session(
    t: Transaction, user_id: str, kind: str, place: _Place, values: dict[str, Any]
) -> None:
    if place.stored is not None:
        title = place.stored.title or title_of(place.text)
        t.execute(_CHANGE_SESSION, {"its_id": place.session_id, "title": title, **values})
        return
    if kind == "temporary":
        t.execute(_OLD, {"before": now() - timedelta(hours=TEMPORARY_HOURS)})
    new = {"id": place.session_id, "user_id": user_id, "kind": kind, "title": title_of(place.text)}
    t.execute(_ADD_SESSION, new | values)
