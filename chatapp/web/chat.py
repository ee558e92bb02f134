"""/chat: ask, resume and stop an answer, as a stream or as one JSON body (docs/api.md)."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

from flask import Response, g, jsonify, request, stream_with_context
from flask_openapi3 import Tag
from pydantic import BaseModel, Field

from chatapp.chat.runs.runs import Live, Reader
from chatapp.core import sse
from chatapp.core.events import Context, Done, Error, Event, Reset, ToolCall
from chatapp.errors import NotFound, Restarting
from chatapp.i18n import say
from chatapp.knowledge import manual
from chatapp.web.answering import STREAM_HEADERS, admitted, job_of, take_pictures
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.data_urls import data_urls_stored
from chatapp.web.errors import failed_answer_response, note_stored_turn
from chatapp.web.fields import Input
from chatapp.web.question import ChatBody
from chatapp.web.request import current_user
from chatapp.web.responses import Source
from chatapp.web.services import services

bp = LazyBlueprint(
    "chat",
    __name__,
    abp_tags=[Tag(name="chat", description="Ask questions; resume and stop answers.")],
)
bp.before_request(take_pictures)


class ChatAnswer(BaseModel):
    """A complete answer."""

    answer: str
    sources: list[Source]
    citations: list[int] = Field(description="numbers of the sources that the answer cites")
    session_id: str = Field(description="send it with the next question to continue this session")
    message_id: str
    finish_reason: str = Field(description="stop, length, content_filter or stopped")
    usage: dict[str, Any]


class MessagePath(Input):
    """The id of an answer."""

    message_id: str


class AfterQuery(Input):
    """Where to resume."""

    after: str | None = Field(
        default=None,
        description="id of the last event received; the header Last-Event-ID takes precedence",
    )


@bp.post("/chat/stream")
def ask_stream(body: ChatBody) -> Response:
    """Ask a question and stream the answer.

    A `Last-Event-ID` of one of your own answers resumes that answer instead of asking a question.
    An unreadable id is ignored, because event source clients also send ids of other streams.
    """
    resumed = sse.parse_event_id(request.headers.get("Last-Event-ID", ""))
    with admitted() as reader:
        if resumed is not None:
            message_id, position = resumed
            live = services().runs.attach(current_user().id, message_id)
            return _stream(reader, live, message_id, position)
        message_id, live = _ask(body)
        return _stream(reader, live, message_id, 0)


@bp.post("/chat", responses={200: ChatAnswer})
def ask(body: ChatBody) -> Any:
    """Ask a question and get the complete answer.

    The response is sent when the answer is complete. If the answer fails, the response has the
    HTTP status of its error code.
    """
    with admitted() as reader:
        message_id, live = _ask(body)
        end = next((event for _, event in live.tail() if isinstance(event, Done | Error)), None)
    services().runs.dismiss(reader)
    if end is None:
        raise Restarting
    if isinstance(end, Error):
        return failed_answer_response(end)
    message = services().sessions.message(current_user().id, message_id)
    return jsonify(
        answer=message["content"],
        sources=message["sources"],
        citations=message["citations"],
        session_id=message["session_id"],
        message_id=message_id,
        finish_reason=message["finish_reason"],
        usage=message["usage"],
    )


@bp.get("/chat/stream/<message_id>")
def resume_stream(path: MessagePath, query: AfterQuery) -> Response:
    """Resume the stream of an answer.

    Sends all events after the given position, then new ones as they are written. Without a
    position, sends all events.
    """
    position = _resume_position(path.message_id, query.after)
    with admitted() as reader:
        live = services().runs.attach(current_user().id, path.message_id)
        return _stream(reader, live, path.message_id, position)


@bp.delete("/chat/stream/<message_id>")
def stop_answer(path: MessagePath) -> tuple[str, int]:
    """Stop an answer.

    Closes the connection to the model and keeps the text received so far. Idempotent.
    """
    services().runs.stop(current_user().id, path.message_id)
    return "", 204


def _resume_position(message_id: str, after: str | None) -> int | None:
    """Return where to resume: 0 without a position, None if it is unreadable.

    Raises NotFound for a position in another answer.
    """
    value = request.headers.get("Last-Event-ID") or after
    if not value:
        return 0
    resumed = sse.parse_event_id(value)
    if resumed is None:
        return None
    if resumed[0] != message_id:
        raise NotFound("message")
    return resumed[1]


def _ask(body: ChatBody) -> tuple[str, Live]:
    app, user = services(), current_user()
    with data_urls_stored(body.images) as images:
        opened = app.turns.open(user.id, body.to_question(user.defaults, images))
    note_stored_turn(opened.session_id, opened.message_id)
    if opened.ask is None:
        return opened.message_id, app.runs.attach(user.id, opened.message_id)
    assert opened.resolved is not None
    return opened.message_id, app.runs.start(job_of(opened, opened.resolved))


def _stream(reader: Reader, live: Live, message_id: str, position: int | None) -> Response:
    """Return the events after a position as a stream. None means an unreadable position.

    The response follows the answer's log: closing it ends the reader, not the answer.
    """
    blocks = _blocks(reader, live, message_id, position)
    response = Response(stream_with_context(blocks), headers=STREAM_HEADERS)
    response.call_on_close(functools.partial(services().runs.dismiss, reader))
    return response


def _blocks(reader: Reader, live: Live, message_id: str, position: int | None) -> Iterator[bytes]:
    """Yield SSE blocks: `reset` and everything where the position is unreadable."""
    language, is_admin = g.language, current_user().is_admin
    say_to_reader = functools.partial(say, language)
    if position is None:
        yield sse.encode(Reset(), message_id, 0, say_to_reader)
    for place, event in live.tail(position or 0):
        if isinstance(event, ToolCall):  # for readers of /v1
            continue
        shown = _for_reader(event, language, is_admin)
        block = sse.encode(shown, message_id, place, say_to_reader)
        reader.given = monotonic()
        yield block
        reader.given = 0.0


def _for_reader(event: Event, language: str, is_admin: bool) -> Event:
    """Translate the bundled manual's name; show a supplier's answer to administrators only."""
    if type(event) is Context:
        return replace(event, label=manual.translate_name(event.label, language))
    if type(event) is Error and event.upstream and not is_admin:
        return replace(event, upstream=None)
    return event
