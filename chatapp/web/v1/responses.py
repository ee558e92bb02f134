"""POST /v1/responses: the same answers as /v1/chat/completions, in OpenAI's newer protocol."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask_openapi3 import Tag
from pydantic import ValidationError

from chatapp.chat.question import SentMessage
from chatapp.chat.runs.runs import Reader
from chatapp.chat.stored_conversations import messages_until, single_message
from chatapp.core.events import Done, Error, Ping, Read
from chatapp.errors import InvalidRequest, NotFound
from chatapp.web.answering import admitted, take_pictures
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.errors import failed_stream_json, raise_invalid_request
from chatapp.web.request import current_user
from chatapp.web.services import services
from chatapp.web.v1.body import ChatCompletionBody, Object
from chatapp.web.v1.chunks import PING
from chatapp.web.v1.completions import Call
from chatapp.web.v1.responses_body import ResponsesBody
from chatapp.web.v1.responses_events import CALL, ResponseEvents
from chatapp.web.v1.shapes import OpenAIResponse

RESPONSE = "resp_"  # before an answer's id: the id of its response
# types of errors to the codes of a failed response
CODES = {
    "server_error": "server_error",
    "rate_limit_error": "rate_limit_exceeded",
    "insufficient_quota": "rate_limit_exceeded",
}

bp = LazyBlueprint(
    "v1_responses",
    __name__,
    abp_tags=[Tag(name="openai", description="OpenAI's protocol, for its clients.")],
)
bp.before_request(take_pictures)


@bp.post("/v1/responses", responses={200: OpenAIResponse})
def create_response(body: ResponsesBody) -> Any:
    """Answer a conversation, whole or as a stream.

    Closing the connection stops the answer. Unknown fields are ignored.
    """
    with _named_as_sent():
        completion = _completion(body)
        with admitted() as reader:
            call = ResponseCall(reader, completion, body)
    return call.answer()


class ResponseCall(Call):
    """An answer as a response, and its only reader."""

    def __init__(
        self, reader: Reader, completion: ChatCompletionBody, asked: ResponsesBody
    ) -> None:
        super().__init__(reader, completion)
        self._asked = asked

    def _json(self, end: Done) -> Object:
        *_, last = self._events().of(self._live.tail())
        whole: Object = last["response"]
        return whole

    def _blocks(self, events: Iterable[tuple[int, Read]]) -> Iterator[bytes]:
        written = self._events()
        yield from map(_block, written.begin())
        for position, event in events:
            if isinstance(event, Ping):
                yield PING
            yield from map(_block, written.take(position, event))

    def _events(self) -> ResponseEvents:
        return ResponseEvents(self._shared(), self._message_id, self._finished, _failure)

    def _shared(self) -> Object:
        """Return what does not change while a response is written."""
        asked = self._asked
        return {
            "id": RESPONSE + self._message_id,
            "object": "response",
            "created_at": self._created,
            "model": asked.model,
            "instructions": asked.instructions,
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "max_output_tokens": asked.max_output_tokens,
            "tools": [tool.model_dump() for tool in asked.tools or ()],
            "tool_choice": asked.tool_choice or "auto",
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "metadata": asked.metadata or {},
            "previous_response_id": asked.previous_response_id,
            "store": services().settings.keep_api_sessions > 0,
        }


@contextmanager
def _named_as_sent() -> Iterator[None]:
    """Name fields in errors as this API does."""
    try:
        yield
    except InvalidRequest as fault:
        fault.reasons = {
            "input" if name.startswith("messages") else name: why
            for name, why in fault.reasons.items()
        }
        raise


def _completion(body: ResponsesBody) -> ChatCompletionBody:
    """Return the chat completion that asks the same; raise InvalidRequest."""
    asked = body.as_completion(_response, _item) | {"stream": body.stream}
    if body.stream:
        asked["stream_options"] = {"include_usage": True}
    try:
        return ChatCompletionBody.model_validate(asked)
    except ValidationError as fault:
        raise_invalid_request(fault)
        raise


def _response(name: str) -> list[Object]:
    """Return the conversation of an earlier response of the user.

    Raises InvalidRequest where it is not, or no longer, stored.
    """
    try:
        said = messages_until(services().database, current_user().id, name.removeprefix(RESPONSE))
    except NotFound as fault:
        raise InvalidRequest("previous_response_id", "item_gone") from fault
    return [_sent_json(message) for message in said]


def _item(name: str) -> Object:
    """Return an item of an earlier response as a message; raise InvalidRequest like `_response`."""
    kind, _, place = name.partition("_")
    message_id, _, number = place.partition("_")
    try:
        message = single_message(services().database, current_user().id, message_id)
    except NotFound as fault:
        raise InvalidRequest("input", "item_gone") from fault
    if f"{kind}_" != CALL:
        return _sent_json(replace(message, tool_calls=()))
    calls = [call for n, call in enumerate(message.tool_calls) if str(n) == number]
    if not calls:
        raise InvalidRequest("input", "item_gone")
    return {"role": "assistant", "content": [], "tool_calls": calls}


def _sent_json(message: SentMessage) -> Object:
    content: list[Object] = [{"type": "text", "text": message.text}] if message.text else []
    content += [{"type": "image_url", "image_url": {"url": each}} for each in message.images]
    sent: Object = {"role": message.role, "content": content}
    if message.tool_calls:
        sent["tool_calls"] = list(message.tool_calls)
    return sent | ({"tool_call_id": message.tool_call_id} if message.tool_call_id else {})


def _failure(event: Error) -> Object:
    """Return an error in the words of this API, which has codes of its own."""
    error: Object = failed_stream_json(event)["error"]
    return error | {"code": CODES.get(error["type"], "invalid_prompt")}


def _block(event: Object) -> bytes:
    text = json.dumps(event, ensure_ascii=True, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {text}\n\n".encode()
