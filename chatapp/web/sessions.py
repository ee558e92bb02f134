"""/api/sessions and /api/messages: list, search, export, update and delete."""

from typing import Any, Literal

from flask import g, jsonify, make_response
from flask_openapi3 import Tag
from pydantic import BaseModel, Field

from chatapp.chat.branches import BRANCH_MESSAGES, CURRENT, Window
from chatapp.chat.sessions import branch
from chatapp.chat.transfer.markdown import as_markdown
from chatapp.core.trace import candidates_json
from chatapp.errors import InvalidRequest
from chatapp.knowledge import manual
from chatapp.storage.paging import LONGEST_CURSOR
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.errors import stored_error_json
from chatapp.web.fields import Id, Ids, Input, Md5s
from chatapp.web.question import SearchK, SettingsBody
from chatapp.web.request import current_user
from chatapp.web.responses import Message, Page, SessionExport
from chatapp.web.search_responses import AnswerSearch, FoundSession
from chatapp.web.services import services
from chatapp.web.session_responses import Feedback, Session

bp = LazyBlueprint(
    "sessions",
    __name__,
    url_prefix="/api",
    abp_tags=[Tag(name="sessions", description="Sessions and their messages.")],
)


class ListQuery(Input):
    """Which page of the list."""

    after: str | None = Field(default=None, max_length=LONGEST_CURSOR)
    limit: int = Field(default=50, ge=1, le=200)


class MessagesQuery(Input):
    """Which page of the messages of all branches, or which part of one branch."""

    after: str | None = Field(
        default=None,
        max_length=LONGEST_CURSOR,
        description="what the last page returned as `next`; with `leaf`, a message of the branch",
    )
    leaf: Id | None = Field(
        default=None,
        description="one branch: the one through this message, or `current`, the session's",
    )
    before: Id | None = Field(default=None, description="one branch: the messages before this one")
    around: Id | None = Field(
        default=None, description="one branch: this message, those before it, and those after it"
    )
    limit: int | None = Field(
        default=None, ge=1, le=1000, description="all messages without it; 30 of one branch"
    )


class ListedMessage(Message):
    """A message in a list."""

    siblings: list[str] | None = Field(
        default=None,
        description="of one branch: the ids of the message and its alternatives, in order",
    )


class MessageList(Page[ListedMessage]):
    """Messages of a session, oldest first."""

    before: str | None = Field(
        default=None, description="of one branch: send it as `before` for earlier messages"
    )
    after: str | None = Field(
        default=None, description="of one branch: send it as `after`, with `leaf`, for later ones"
    )


class MessageCount(BaseModel):
    """How many messages a deletion deletes."""

    messages: int


class SearchQuery(Input):
    """Words and "phrases" to search for."""

    q: str = Field(min_length=1, max_length=200)
    limit: int = Field(default=50, ge=1, le=200)


class ExportQuery(Input):
    """The format of the export."""

    format: Literal["md", "json"] = "md"


class SessionPath(Input):
    """The id of a session."""

    session_id: str


class MessagePath(Input):
    """The id of a message."""

    message_id: str


class FeedbackBody(Input):
    """What the user thinks of an answer, and why."""

    rating: Literal["up", "down"]
    reason: str = Field(default="", max_length=2000)


class SessionBody(Input):
    """The fields of a session; omitted ones have defaults."""

    title: str | None = Field(default=None, max_length=200)
    pinned: bool | None = None
    knowledge_base_id: Ids | None = None
    filter_by_file_md5: Md5s | None = Field(
        default=None,
        description="search only these files; omitted with other knowledge bases, or null: all",
    )
    search_k: SearchK | None = Field(default=None, description="null restores the default")
    supplier: str | None = Field(default=None, max_length=80)
    model: str | None = Field(default=None, max_length=200)
    settings: SettingsBody | None = Field(
        default=None, description="settings of this chat; null for one: as in the user's defaults"
    )


class SessionChange(SessionBody):
    """The fields of a session that can be updated; omitted ones are unchanged."""

    leaf_id: Id | None = None
    temporary: Literal[False] | None = Field(
        default=None, description="false keeps and lists a temporary session"
    )


@bp.get("/sessions", responses={200: Page[Session]})
def list_sessions(query: ListQuery) -> Any:
    """List sessions: pinned ones first, then by latest activity."""
    items, following = services().sessions.page(current_user().id, query.after, query.limit)
    return jsonify(items=items, next=following)


@bp.post("/sessions", responses={201: Session})
def create_session(body: SessionBody) -> Any:
    """Create an empty session."""
    return jsonify(services().sessions.create(current_user().id, _values(body))), 201


@bp.get("/sessions/search", responses={200: Page[FoundSession]})
def search_sessions(query: SearchQuery) -> Any:
    """Search titles and messages of sessions.

    All words must occur, in any order; quotation marks make a phrase. Sessions with all words in
    the title come first, then the latest, each with a snippet of the match.
    """
    return jsonify(
        items=services().sessions.search(current_user().id, query.q, query.limit), next=None
    )


@bp.get("/sessions/<session_id>/export", responses={200: SessionExport})
def export_session(path: SessionPath, query: ExportQuery) -> Any:
    """Export a session.

    The branch last shown as Markdown, or all branches as JSON.
    """
    session = services().sessions.read(current_user().id, path.session_id)
    rows, _ = services().sessions.messages(current_user().id, path.session_id, None, None)
    if query.format == "json":
        response = jsonify(session=session, messages=[localized(row) for row in rows])
    else:
        response = make_response(as_markdown(session, branch(rows, session["leaf_id"])))
        response.headers["Content-Type"] = "text/markdown; charset=utf-8"
    response.headers.set(
        "Content-Disposition", "attachment", filename=f"chat-{session['id'][:8]}.{query.format}"
    )
    return response


@bp.get("/sessions/<session_id>", responses={200: Session})
def get_session(path: SessionPath) -> Any:
    """Get a session."""
    return jsonify(services().sessions.read(current_user().id, path.session_id))


@bp.patch("/sessions/<session_id>", responses={200: Session})
def update_session(path: SessionPath, body: SessionChange) -> Any:
    """Update a session: title, pin, model, knowledge bases, settings, or current branch."""
    return jsonify(services().sessions.change(current_user().id, path.session_id, _values(body)))


@bp.delete("/sessions/<session_id>")
def delete_session(path: SessionPath) -> tuple[str, int]:
    """Delete a session and its messages.

    Answers in progress end.
    """
    services().sessions.delete(current_user().id, path.session_id)
    return "", 204


@bp.get("/sessions/<session_id>/messages", responses={200: MessageList})
def list_messages(path: SessionPath, query: MessagesQuery) -> Any:
    """List the messages of all branches, or of one, oldest first.

    `leaf`, `before` or `around` asks for a part of one branch, each message with its siblings.
    """
    if query.leaf or query.before or query.around:
        part = services().sessions.part(current_user().id, path.session_id, _window(query))
        return jsonify(part | {"items": [localized(row) for row in part["items"]], "next": None})
    rows, following = services().sessions.messages(
        current_user().id, path.session_id, query.after, query.limit
    )
    return jsonify(items=[localized(row) for row in rows], next=following)


@bp.get("/messages/<message_id>", responses={200: Message})
def get_message(path: MessagePath) -> Any:
    """Get a message."""
    return jsonify(localized(services().sessions.message(current_user().id, path.message_id)))


@bp.get("/messages/<message_id>/search", responses={200: AnswerSearch})
def get_message_search(path: MessagePath) -> Any:
    """Get how the passages of an answer were chosen.

    Not found for a message without a search, or from a version that did not keep it.
    """
    stored = services().sessions.search_trace(current_user().id, path.message_id)
    candidates = services().knowledge.with_places(current_user().id, candidates_json(stored))
    shown = {name: stored[name] for name in ("query", "k", "found", "cut")}
    return jsonify(**shown, candidates=candidates)


@bp.get("/messages/<message_id>/branch", responses={200: MessageCount})
def count_messages(path: MessagePath) -> Any:
    """Count a message and all messages below it, which deleting it deletes."""
    counted = services().sessions.count_branch(current_user().id, path.message_id)
    return jsonify(messages=counted)


@bp.put("/messages/<message_id>/feedback", responses={200: Feedback})
def set_feedback(path: MessagePath, body: FeedbackBody) -> Any:
    """Give feedback on an answer, in place of an earlier one."""
    reason = body.reason.strip()
    return jsonify(
        services().feedback.give(current_user().id, path.message_id, body.rating, reason)
    )


@bp.delete("/messages/<message_id>/feedback")
def delete_feedback(path: MessagePath) -> tuple[str, int]:
    """Withdraw the feedback on an answer."""
    services().feedback.withdraw(current_user().id, path.message_id)
    return "", 204


@bp.delete("/messages/<message_id>")
def delete_message(path: MessagePath) -> tuple[str, int]:
    """Delete a message and all messages below it.

    Answers in progress end.
    """
    services().sessions.delete_message(current_user().id, path.message_id)
    return "", 204


def _window(query: MessagesQuery) -> Window:
    """Return which part of a branch is asked for; raise InvalidRequest for two at once."""
    named = [name for name in ("before", "after", "around") if getattr(query, name)]
    if len(named) > 1:
        raise InvalidRequest(named[0], "not_with", other=named[1])
    return Window(
        query.leaf or CURRENT,
        query.before,
        query.after,
        query.around,
        query.limit or BRANCH_MESSAGES,
    )


def localized(row: dict[str, Any]) -> dict[str, Any]:
    """Return a message in the reader's language."""
    return {
        **row,
        "knowledge": manual.translate_name(row["knowledge"], g.language),
        "error": stored_error_json(row["error"]),
    }


def _values(body: SessionBody) -> dict[str, Any]:
    values = body.model_dump(exclude_unset=True)
    if "title" in values:
        values["title"] = (values["title"] or "").strip()
        if not values["title"]:
            raise InvalidRequest("title", "blank")
    if "pinned" in values:
        values["pinned"] = bool(values["pinned"])
    if "knowledge_base_id" in values:
        wanted = values.pop("knowledge_base_id") or []
        values["knowledge_base_ids"] = (
            services().knowledge.select_bases(current_user().id, wanted).ids if wanted else []
        )
        values.setdefault("filter_by_file_md5", None)
    options = {
        name: values.pop(field)
        for name, field in (("md5s", "filter_by_file_md5"), ("search_k", "search_k"))
        if field in values
    }
    return values | {"knowledge_options": options} if options else values
