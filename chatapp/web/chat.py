"""The turn over HTTP: ask, come back, stop; as a stream and as one JSON answer. The contract is wire.md."""

import functools
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Annotated, Any

from flask import Response, g, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator

from chatapp.chains import build_chain, leans_on_history
from chatapp.core import sse
from chatapp.core.events import Done, Error
from chatapp.errors import NotFound, Overloaded, Restarting, status_of
from chatapp.runs import Job, Live, Reader
from chatapp.suppliers import Wish
from chatapp.turns import Opened, Question
from chatapp.web import Input, person, services
from chatapp.web.connection import bound, close_after_this
from chatapp.words import say

log = logging.getLogger("chatapp.web")
bp = APIBlueprint("chat", __name__, abp_tags=[Tag(name="chat", description="Ask, come back, stop.")])

QUESTION_MOST = 100_000
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Id = Annotated[str, Field(min_length=1, max_length=80)]
ONE_OR_MANY = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
Ids = Annotated[list[Id], BeforeValidator(_one_or_many), Field(max_length=100), ONE_OR_MANY]


def _md5s(values: list[str]) -> list[str]:
    found = [value.lower() for value in values]
    if not all(re.fullmatch("[0-9a-f]{32}", value) for value in found):
        raise ValueError("md5")
    return found


Md5s = Annotated[list[str], BeforeValidator(_one_or_many), Field(max_length=1000), AfterValidator(_md5s), ONE_OR_MANY]


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


class ChatConfig(Input):
    """How to talk."""

    system_prompt: str = Field(default="", max_length=20_000)
    max_length: int = Field(default=20, ge=0, le=1000, description="how many earlier messages go along")
    documents_only: bool = False


class LLMConfig(Input):
    """Which model. A key that comes along serves this one request."""

    supplier: str | None = Field(default=None, max_length=80)
    model: str | None = Field(default=None, max_length=200)
    temperature: float | None = Field(default=None, ge=0, le=2)
    api_key: str | None = Field(default=None, max_length=500, repr=False)


class KnowledgeConfig(Input):
    """Which documents."""

    knowledge_base_id: Ids | None = None
    filter_by_file_md5: Md5s = Field(default_factory=list)
    search_k: int = Field(default=5, ge=1, le=50)


class ChatBody(Input):
    """A question, or another answer to one, or the rest of an answer."""

    question: str | None = Field(default=None, min_length=1, max_length=QUESTION_MOST)
    question_id: Id | None = None
    continue_id: Id | None = None
    session_id: Id | None = None
    parent_id: Id | None = None
    client_message_id: Id | None = None
    chat_config: Annotated[ChatConfig, BeforeValidator(_or_empty)] = Field(default_factory=ChatConfig)
    llm_config: Annotated[LLMConfig, BeforeValidator(_or_empty)] = Field(default_factory=LLMConfig)
    knowledge_config: KnowledgeConfig | None = None
    temporary: bool = False

    @model_validator(mode="after")
    def _has_a_question(self) -> "ChatBody":
        if not (self.question or self.question_id or self.continue_id):
            raise ValueError("question:question_needed")
        if self.question is not None and not self.question.strip():
            raise ValueError("question:blank")
        return self

    def to_question(self) -> Question:
        """Put the request into the words of the turn."""
        given = "knowledge_config" in self.model_fields_set
        knowledge = self.knowledge_config or KnowledgeConfig()
        bases = knowledge.knowledge_base_id
        if given and bases is None and (self.knowledge_config is None or "knowledge_base_id" in knowledge.model_fields_set):
            bases = []
        return Question(
            text=self.question,
            question_id=self.question_id,
            continue_id=self.continue_id,
            session_id=self.session_id,
            parent_id=self.parent_id,
            at_root="parent_id" in self.model_fields_set and self.parent_id is None,
            client_message_id=self.client_message_id,
            system_prompt=self.chat_config.system_prompt,
            max_length=self.chat_config.max_length,
            documents_only=self.chat_config.documents_only,
            wish=Wish(**self.llm_config.model_dump()),
            bases=bases,
            md5s=knowledge.filter_by_file_md5 if self.knowledge_config else None,
            search_k=knowledge.search_k if self.knowledge_config else None,
            temporary=self.temporary,
        )


class ChatAnswer(BaseModel):
    """A whole answer."""

    answer: str
    sources: list[dict[str, Any]]
    session_id: str
    message_id: str
    finish_reason: str
    usage: dict[str, Any]


class MessagePath(Input):
    """An answer's id."""

    message_id: str


class AfterQuery(Input):
    """The position to go on from, an event's id."""

    after: str | None = None


@bp.post("/chat/stream", summary="Ask, and read the answer as it is written")
def ask_stream(body: ChatBody) -> Response:
    """Answer with `text/event-stream`; a Last-Event-ID of an own answer attaches to it instead of asking again."""
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
        session_id=shown["session_id"],
        message_id=message_id,
        finish_reason=shown["finish_reason"],
        usage=shown["usage"],
    )


@bp.get("/chat/stream/<message_id>", summary="Come back to an answer")
def come_back(path: MessagePath, query: AfterQuery) -> Response:
    """Send what follows a position, then the live rest; without one, everything."""
    place = sse.parse_event_id(request.headers.get("Last-Event-ID") or query.after or "")
    if place is not None and place[0] != path.message_id:
        raise NotFound("message")
    with _admitted() as reader:
        live = services().runs.attach(person().id, path.message_id)
        return _stream(reader, live, path.message_id, place[1] if place else 0)


@bp.delete("/chat/stream/<message_id>", summary="Stop an answer")
def stop(path: MessagePath) -> tuple[str, int]:
    """Stop an answer and close the connection to its model; what had arrived stays."""
    services().runs.stop(person().id, path.message_id)
    return "", 204


def _ask(body: ChatBody) -> tuple[str, Live]:
    found = services()
    opened = found.turns.open(person().id, body.to_question())
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
    choice, bases = opened.choice, opened.bases
    assert choice is not None and opened.context is not None and opened.ask is not None

    def build() -> Any:
        model = found.suppliers.runnable(choice)
        if bases is None:
            return build_chain(model, None, None)
        rewrite = leans_on_history if found.settings.rewrite and choice.endpoint else None
        md5s = list(opened.md5s) or None
        return build_chain(
            model,
            lambda query: found.knowledge.search(bases, query, opened.search_k, md5s),
            rewrite,
            lambda: found.knowledge.unread(bases, md5s),
        )

    names = ",".join(bases.ids) if bases else "-"
    note = f"supplier={choice.supplier} model={choice.model} bases={names} request={g.request_id}"
    supplier = choice.endpoint.label if choice.endpoint else choice.supplier
    return Job(opened.context, opened.user_id, opened.ask, build, supplier, note)


def _stream(reader: Reader, live: Live, message_id: str, position: int) -> Response:
    language = g.language

    def speak(key: str, params: dict[str, Any]) -> str:
        return say(language, key, params)

    def body() -> Iterator[bytes]:
        for place, event in live.tail(position):
            block = sse.encode(event, message_id, place, speak)
            reader.given = monotonic()
            yield block
            reader.given = 0.0

    blocks = _Blocks(body(), functools.partial(services().runs.dismiss, reader))
    return Response(blocks, headers=HEADERS, direct_passthrough=True)  # Werkzeug would look at every block again


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
    }
    response = jsonify(error=body)
    if event.retry_after is not None:
        response.headers["Retry-After"] = str(event.retry_after)
    return response, status_of(event.code)
