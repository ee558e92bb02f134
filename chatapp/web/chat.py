"""The turn over HTTP: ask, come back, stop; as a stream and as one JSON answer. The contract is wire.md."""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from chatapp.chains.build import build_chain, leans_on_history
from chatapp.chat.runs.runs import Job, Live, Reader
from chatapp.chat.turns import Opened
from chatapp.core import sse
from chatapp.core.events import Context, Done, Error, Event, Reset
from chatapp.errors import NotFound, Overloaded, Restarting, status_of
from chatapp.i18n import say
from chatapp.knowledge import manual
from chatapp.web.connection import bound, close_after_this
from chatapp.web.question import ChatBody
from chatapp.web.refusals import stored_turn
from chatapp.web.request import Input, person, services
from chatapp.web.shapes import SourceShape

log = logging.getLogger("chatapp.web")
bp = APIBlueprint(
    "chat", __name__, abp_tags=[Tag(name="chat", description="Ask, come back, stop.")]
)

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


class ChatAnswer(BaseModel):
    """A whole answer."""

    answer: str
    sources: list[SourceShape]
    citations: list[int] = Field(description="the numbers of the sources that the answer names")
    session_id: str = Field(description="sent with the next question, it continues this chat")
    message_id: str
    finish_reason: str = Field(description="stop, length, content_filter or stopped")
    usage: dict[str, Any]


class MessagePath(Input):
    """An answer's id."""

    message_id: str


class AfterQuery(Input):
    """The position to go on from."""

    after: str | None = Field(
        default=None,
        description="the id of the last event you have; the header Last-Event-ID goes before it",
    )


@bp.post("/chat/stream", summary="Ask, and read the answer as it is written")
def ask_stream(body: ChatBody) -> Response:
    """Answer with `text/event-stream`; a Last-Event-ID of an own answer attaches to it instead of asking again.

    Event sources keep an id from whatever they read before, so one that is none of ours is ignored here.
    """
    place = sse.parse_event_id(request.headers.get("Last-Event-ID", ""))
    with _admitted() as reader:
        if place is not None:
            return _stream(reader, services().runs.attach(person().id, place[0]), *place)
        message_id, live = _ask(body)
        return _stream(reader, live, message_id, 0)


@bp.post("/chat", summary="Ask, and get the whole answer", responses={200: ChatAnswer})
def ask(body: ChatBody) -> Any:
    """Answer with JSON when the answer is complete; an error has the status of its code."""
    with _admitted() as reader:
        message_id, live = _ask(body)
        end = next((event for _, event in live.tail() if isinstance(event, Done | Error)), None)
    services().runs.dismiss(reader)
    if end is None:
        raise Restarting
    if isinstance(end, Error):
        return _failed(end)
    shown = services().sessions.message(person().id, message_id)
    return jsonify(
        answer=shown["content"],
        sources=shown["sources"],
        citations=shown["citations"],
        session_id=shown["session_id"],
        message_id=message_id,
        finish_reason=shown["finish_reason"],
        usage=shown["usage"],
    )


@bp.get("/chat/stream/<message_id>", summary="Come back to an answer")
def come_back(path: MessagePath, query: AfterQuery) -> Response:
    """Send what follows a position, then the live rest; without one, everything."""
    position = _position(path.message_id, query.after)
    with _admitted() as reader:
        live = services().runs.attach(person().id, path.message_id)
        return _stream(reader, live, path.message_id, position)


@bp.delete("/chat/stream/<message_id>", summary="Stop an answer")
def stop(path: MessagePath) -> tuple[str, int]:
    """Stop an answer and close the connection to its model; what had arrived stays."""
    services().runs.stop(person().id, path.message_id)
    return "", 204


def _position(message_id: str, after: str | None) -> int | None:
    """Return where to go on from: 0 where nothing says so, None where that cannot be read. NotFound for another answer's."""
    value = request.headers.get("Last-Event-ID") or after
    if not value:
        return 0
    place = sse.parse_event_id(value)
    if place is None:
        return None
    if place[0] != message_id:
        raise NotFound("message")
    return place[1]


def _ask(body: ChatBody) -> tuple[str, Live]:
    found = services()
    opened = found.turns.open(person().id, body.to_question(person().defaults))
    g.stored_turn = {"session_id": opened.session_id, "message_id": opened.message_id}
    if opened.ask is None:
        return opened.message_id, found.runs.attach(person().id, opened.message_id)
    return opened.message_id, found.runs.start(_job(opened))


@contextmanager
def _admitted() -> Iterator[Reader]:
    """Take a place among the streams before anything is stored; it is given back here only where the request fails."""
    runs = services().runs
    try:
        reader = runs.admit(bound(request.environ, services().settings.reader_seconds))
    except (Overloaded, Restarting):
        close_after_this(request.environ)
        raise
    try:
        yield reader
    except BaseException:
        runs.dismiss(reader)
        raise


def _job(opened: Opened) -> Job:
    found = services()
    resolved, bases = opened.resolved, opened.bases
    assert resolved is not None and opened.context is not None and opened.ask is not None

    def build() -> Any:
        model = found.suppliers.runnable(resolved)
        if bases is None:
            return build_chain(model, None, None)
        rewrite = leans_on_history if found.settings.rewrite and resolved.endpoint else None
        md5s = list(opened.md5s) or None
        return build_chain(
            model,
            lambda query: found.knowledge.search(bases, query, opened.search_k, md5s),
            rewrite,
            lambda: found.knowledge.unread(bases, md5s),
        )

    names = ",".join(bases.ids) if bases else "-"
    note = (
        f"supplier={resolved.supplier} model={resolved.model} bases={names} request={g.request_id}"
    )
    supplier = resolved.endpoint.label if resolved.endpoint else resolved.supplier
    return Job(opened.context, opened.user_id, opened.ask, build, supplier, note)


def _stream(reader: Reader, live: Live, message_id: str, position: int | None) -> Response:
    """Send what follows a position; where it could not be read, everything, and that what came before is to be forgotten."""
    language = g.language

    def speak(key: str, params: dict[str, Any]) -> str:
        return say(language, key, params)

    def body() -> Iterator[bytes]:
        if position is None:
            yield sse.encode(Reset(), message_id, 0, speak)
        for place, event in live.tail(position or 0):
            block = sse.encode(_spoken(event, language), message_id, place, speak)
            reader.given = monotonic()
            yield block
            reader.given = 0.0

    blocks = _Blocks(body(), functools.partial(services().runs.dismiss, reader))
    return Response(
        blocks, headers=HEADERS, direct_passthrough=True
    )  # Werkzeug would look at every block again


def _spoken(event: Event, language: str) -> Event:
    return (
        replace(event, label=manual.translate_name(event.label, language))
        if type(event) is Context
        else event
    )


class _Blocks:
    """What WSGI iterates over, and closes in any case: a generator that was never begun would not learn of it."""

    def __init__(self, blocks: Iterator[bytes], close: Callable[[], None]) -> None:
        self._blocks = blocks
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks


def _failed(event: Error) -> tuple[Response, int]:
    body = {
        "code": event.code,
        "message": say(g.language, event.key, dict(event.params)),
        "retryable": event.retryable,
        "fields": {},
        "request_id": g.request_id,
        **stored_turn(),
    }
    response = jsonify(error=body)
    if event.retry_after is not None:
        response.headers["Retry-After"] = str(event.retry_after)
    return response, status_of(event.code)
