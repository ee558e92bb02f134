"""An answer's events as the chunks of a streamed completion.

    for chunk in Chunks(head, …).of(live.tail()): …

A client that has read text cannot take it back: what turns out to have been thinking stays where
it is. A comment is sent where /chat sends `ping`; OpenAI's clients skip it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chatapp.core.events import Chunk, Done, Error, Ping, Read, Reasoning, Reset, ToolCall
from chatapp.core.sse import quoted
from chatapp.web.v1.message import Finished, call_json

PING = b": ping\n\n"
END = b"data: [DONE]\n\n"


def data(value: Mapping[str, Any]) -> bytes:
    """Return a JSON object as a block of a stream."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


class Chunks:
    """Writes the chunks of one completion; `head` has the fields that all of them share.

    `finish` describes the end, `fail` the error that ends a stream instead.
    """

    def __init__(
        self,
        head: Mapping[str, Any],
        finish: Callable[[Done], Finished],
        fail: Callable[[Error], dict[str, Any]],
        with_usage: bool,
    ) -> None:
        self._head = {**head, "object": "chat.completion.chunk"}
        self._finish = finish
        self._fail = fail
        self._with_usage = with_usage
        # Nearly all chunks are a piece of text between these two.
        begin, end = self._chunk({"content": "\0"}).decode().split('"\\u0000"')
        self._begin, self._end = begin, end
        self._seen = 0  # the position after what was sent
        self._again = 0  # events up to here were sent before a reset

    def of(self, events: Iterable[tuple[int, Read]]) -> Iterator[bytes]:
        """Yield the blocks of the stream, from its first event to its end."""
        yield self._chunk({"role": "assistant", "content": ""})
        for position, event in events:
            if isinstance(event, Reset):
                self._again = self._seen
            elif isinstance(event, Ping):
                yield PING
            elif isinstance(event, Chunk | Reasoning):
                if text := self._new(event.text, position):
                    yield self._text(type(event), text)
            elif isinstance(event, ToolCall):
                if position > self._again:
                    yield self._chunk({"tool_calls": [call_json(event)]})
            elif isinstance(event, Done):
                yield from self._done(self._finish(event))
                return
            elif isinstance(event, Error):
                yield data(self._fail(event))
                return
            self._seen = max(self._seen, position)

    def _new(self, text: str, position: int) -> str:
        """Return what of a text was not sent before a reset."""
        repeated = self._again - (position - len(text))
        return text[repeated:] if repeated > 0 else text

    def _text(self, kind: type[Chunk | Reasoning], text: str) -> bytes:
        if kind is Reasoning:
            return self._chunk({"reasoning_content": text})
        return f"{self._begin}{quoted(text)}{self._end}".encode(errors="replace")

    def _done(self, finished: Finished) -> Iterator[bytes]:
        if finished.appended:
            yield self._chunk({"content": finished.appended})
        delta = {"annotations": finished.annotations} if finished.annotations else {}
        yield self._chunk(delta, finished.reason)
        if self._with_usage:
            yield data({**self._head, "choices": [], "usage": finished.usage})
        yield END

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        chunk = {**self._head, "choices": [choice]}
        return data(chunk | ({"usage": None} if self._with_usage else {}))
