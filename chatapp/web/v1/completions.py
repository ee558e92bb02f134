"""POST /v1/chat/completions: one more reader of an answer's log, in OpenAI's protocol.

The conversation comes whole with each request. An answer is stored as any other, in a session of
its own. OpenAI's clients know no other way to stop than to close the connection, so that stops the
model here. A stream begins with the first piece of the answer: what fails before has the status of
its error.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from flask import Response, g, jsonify, request, stream_with_context
from flask_openapi3 import Tag

from chatapp.chat.question import Question
from chatapp.chat.runs.runs import Live, Reader
from chatapp.core.events import Context, Done, Error, Read, Sources, Status
from chatapp.errors import ModelGone, Restarting
from chatapp.web.answering import STREAM_HEADERS, admitted, job_of, take_pictures
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.connection import when_closed
from chatapp.web.data_urls import data_urls_stored
from chatapp.web.errors import failed_answer_response, failed_stream_json
from chatapp.web.proxies import root_url
from chatapp.web.request import current_user
from chatapp.web.services import services
from chatapp.web.v1.body import ChatCompletionBody
from chatapp.web.v1.chunks import Chunks
from chatapp.web.v1.embeddings import embedding_model
from chatapp.web.v1.ids import completion_id
from chatapp.web.v1.message import Finished, finished, message_json
from chatapp.web.v1.shapes import ChatCompletion

bp = LazyBlueprint(
    "completions",
    __name__,
    abp_tags=[Tag(name="openai", description="OpenAI's protocol, for its clients.")],
)
bp.before_request(take_pictures)


@bp.post("/v1/chat/completions", responses={200: ChatCompletion})
def create_chat_completion(body: ChatCompletionBody) -> Any:
    """Answer a conversation, whole or as a stream.

    Closing the connection stops the answer. Unknown fields are ignored.
    """
    with admitted() as reader:
        call = Call(reader, body)
    return call.answer()


class Call:
    """An answer as a completion, and its only reader."""

    def __init__(self, reader: Reader, body: ChatCompletionBody) -> None:
        self._reader = reader
        self._body = body
        self._address = root_url()
        self._language = g.language
        self._runs = services().runs
        self._message_id, self._live = _ask(body)
        self._created = int(time.time())
        self._end_watch = when_closed(request.environ, self._stop)

    def close(self) -> None:
        """Release the reader's place; stop an answer that has not ended."""
        self._end_watch()
        self._stop()
        self._runs.dismiss(self._reader)

    def answer(self) -> Any:
        """Return the answer, whole or as a stream."""
        try:
            return self._stream() if self._body.stream else self._whole()
        except BaseException:
            self.close()
            raise

    def _whole(self) -> Any:
        """Wait for the end and return the whole answer."""
        end = next((each for _, each in self._live.tail() if isinstance(each, Done | Error)), None)
        self.close()
        if end is None:
            raise Restarting
        if isinstance(end, Error):
            return failed_answer_response(end)
        return jsonify(self._json(end))

    def _json(self, end: Done) -> dict[str, Any]:
        done = self._finished(end)
        choice = {
            "index": 0,
            "message": message_json(self._live.log, done),
            "logprobs": None,
            "finish_reason": done.reason,
        }
        head = {"object": "chat.completion", **self._head()}
        return {**head, "choices": [choice], "usage": done.usage}

    def _stream(self) -> Any:
        """Wait for the first piece and return the stream."""
        events = self._live.tail()
        first = next((each for each in events if _is_piece(each[1])), None)
        if first is None:
            raise Restarting
        if isinstance(first[1], Error):
            self.close()
            return failed_answer_response(first[1])
        blocks = self._timed(self._blocks(chain([first], events)))
        response = Response(stream_with_context(blocks), headers=STREAM_HEADERS)
        response.call_on_close(self.close)
        return response

    def _stop(self) -> None:
        self._runs.stop_here(self._message_id)

    def _blocks(self, events: Iterable[tuple[int, Read]]) -> Iterator[bytes]:
        chunks = Chunks(self._head(), self._finished, failed_stream_json, self._body.wants_usage)
        return chunks.of(events)

    def _timed(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Note since when a block waits for the client to read it."""
        for block in blocks:
            self._reader.given = time.monotonic()
            yield block
            self._reader.given = 0.0

    def _head(self) -> dict[str, Any]:
        return {
            "id": completion_id(self._message_id),
            "created": self._created,
            "model": self._body.model,
            "system_fingerprint": None,
        }

    def _finished(self, end: Done) -> Finished:
        return finished(
            self._live.log, end, self._address, self._body.lists_sources, self._language
        )


def _is_piece(event: Read) -> bool:
    """Return whether an event is sent to the client: with the first one the stream begins."""
    return not isinstance(event, Context | Sources | Status)


def _ask(body: ChatCompletionBody) -> tuple[str, Live]:
    app, user = services(), current_user()
    if body.model == embedding_model():
        raise ModelGone("embeds", model=body.model)
    named = app.model_ids.read(user.id, body.model)
    with data_urls_stored(body.pictures) as images:
        messages = body.sent(images)
        asked = next((each for each in reversed(messages) if each.role == "user"), messages[-1])
        question = Question(
            text=asked.text,
            model_request=named.model,
            bases=list(named.base_ids) or None,
            images=images,
            messages=messages,
            must_call_tool=body.must_call_tool,
        )
        opened = app.turns.open(user.id, question)
    assert opened.resolved is not None
    resolved = opened.resolved.asked_with(body.options())
    return opened.message_id, app.runs.start(job_of(opened, resolved, has_tools=True))
