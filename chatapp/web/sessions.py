"""/api/sessions and /api/messages."""

from typing import Any, Literal

from flask import g, jsonify, make_response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from chatapp.chat.sessions import as_markdown, branch
from chatapp.errors import InvalidRequest
from chatapp.knowledge import manual
from chatapp.storage.paging import LONGEST_CURSOR
from chatapp.web.question import Id, Ids
from chatapp.web.refusals import stored_error_json
from chatapp.web.request import Input, person, services
from chatapp.web.shapes import ExportShape, FoundShape, MessageShape, Page, SessionShape

bp = APIBlueprint(
    "sessions",
    __name__,
    url_prefix="/api",
    abp_tags=[Tag(name="sessions", description="Conversations.")],
)


class ListQuery(Input):
    """Which page of a list."""

    after: str | None = Field(default=None, max_length=LONGEST_CURSOR)
    limit: int = Field(default=50, ge=1, le=200)


class MessagesQuery(Input):
    """Which messages; all of them where nothing is said."""

    after: str | None = Field(default=None, max_length=LONGEST_CURSOR)
    limit: int | None = Field(default=None, ge=1, le=1000)


class SearchQuery(Input):
    """What to look for."""

    q: str = Field(min_length=1, max_length=200)
    limit: int = Field(default=50, ge=1, le=200)


class ExportQuery(Input):
    """As what."""

    format: Literal["md", "json"] = "md"


class SessionPath(Input):
    """A session's id."""

    session_id: str


class MessagePath(Input):
    """A message's id."""

    message_id: str


class SessionBody(Input):
    """What of a session can be set; what is left out stays."""

    title: str | None = Field(default=None, max_length=200)
    pinned: bool | None = None
    knowledge_base_id: Ids | None = None
    supplier: str | None = Field(default=None, max_length=80)
    model: str | None = Field(default=None, max_length=200)


class SessionChange(SessionBody):
    """The same, and the branch that is looked at."""

    leaf_id: Id | None = None


@bp.get("/sessions", responses={200: Page[SessionShape]})
def list_sessions(query: ListQuery) -> Any:
    """List sessions, pinned ones first, then the latest."""
    items, following = services().sessions.page(person().id, query.after, query.limit)
    return jsonify(items=items, next=following)


@bp.post("/sessions", responses={201: SessionShape})
def create_session(body: SessionBody) -> Any:
    """Make an empty session."""
    return jsonify(services().sessions.create(person().id, _values(body))), 201


@bp.get("/sessions/search", responses={200: Page[FoundShape]})
def search_sessions(query: SearchQuery) -> Any:
    """Find sessions by what their title or messages say; the latest first, each with a snippet."""
    return jsonify(items=services().sessions.search(person().id, query.q, query.limit), next=None)


@bp.get("/sessions/<session_id>/export", responses={200: ExportShape})
def export_session(path: SessionPath, query: ExportQuery) -> Any:
    """Download a session: the branch last looked at as Markdown, or all of it as JSON."""
    session = services().sessions.read(person().id, path.session_id)
    rows, _ = services().sessions.messages(person().id, path.session_id, None, None)
    if query.format == "json":
        response = jsonify(session=session, messages=[_shown(row) for row in rows])
    else:
        response = make_response(as_markdown(session, branch(rows, session["leaf_id"])))
        response.headers["Content-Type"] = "text/markdown; charset=utf-8"
    response.headers.set(
        "Content-Disposition", "attachment", filename=f"chat-{session['id'][:8]}.{query.format}"
    )
    return response


@bp.get("/sessions/<session_id>", responses={200: SessionShape})
def read_session(path: SessionPath) -> Any:
    """Read one session."""
    return jsonify(services().sessions.read(person().id, path.session_id))


@bp.patch("/sessions/<session_id>", responses={200: SessionShape})
def change_session(path: SessionPath, body: SessionChange) -> Any:
    """Rename, pin, choose model and documents, or look at another branch."""
    return jsonify(services().sessions.change(person().id, path.session_id, _values(body)))


@bp.delete("/sessions/<session_id>")
def delete_session(path: SessionPath) -> tuple[str, int]:
    """Delete a session and its messages; its live answers are stopped first."""
    services().runs.stop_session(person().id, path.session_id)
    services().sessions.delete(person().id, path.session_id)
    return "", 204


@bp.get("/sessions/<session_id>/messages", responses={200: Page[MessageShape]})
def list_messages(path: SessionPath, query: MessagesQuery) -> Any:
    """List the messages of all branches, oldest first."""
    rows, following = services().sessions.messages(
        person().id, path.session_id, query.after, query.limit
    )
    return jsonify(items=[_shown(row) for row in rows], next=following)


@bp.get("/messages/<message_id>", responses={200: MessageShape})
def read_message(path: MessagePath) -> Any:
    """Read one message."""
    return jsonify(_shown(services().sessions.message(person().id, path.message_id)))


@bp.delete("/messages/<message_id>")
def delete_message(path: MessagePath) -> tuple[str, int]:
    """Delete a message and what follows it in its branch."""
    services().sessions.delete_message(person().id, path.message_id)
    return "", 204


def _shown(row: dict[str, Any]) -> dict[str, Any]:
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
            services().knowledge.select_bases(person().id, wanted).ids if wanted else []
        )
    return values
