"""Decode a streamed chat completion: from bytes to text and message chunks. No I/O, no clock.

The common form of an event, `data: {json}` and an empty line, is cut out of the bytes directly.
Every other form of SSE (CR and CRLF, comments, event names, several data lines) is converted to it
first. Nothing raises: a fault is kept in `failure`, after everything that arrived before it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from langchain_core.messages import AIMessageChunk

from chatapp.chains.thinking import Thoughts

EVENT_BYTES = 16 * 1024 * 1024  # one event, which is one delta
# finish_reasons that report a fault of the supplier
FAULTS = ("error", "network_error", "insufficient_system_resource", "abort")
_BOM = b"\xef\xbb\xbf"

Streamed: TypeAlias = str | AIMessageChunk
ReadChunk: TypeAlias = Callable[[dict[str, Any]], AIMessageChunk | None]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why reading has to end: the error body, None for unreadable data; and a text for the log."""

    body: Any
    text: object


class Deltas:
    """Decodes a stream: `feed` bytes, then `take` the decoded text and messages.

    `done` is set by [DONE], `seen` by any event that could be read. `read_chunk` turns a chunk
    that holds more than text into a message.
    """

    def __init__(self, read_chunk: ReadChunk) -> None:
        self.done = False
        self.seen = False
        self.finish_reason = ""
        self.usage: Mapping[str, Any] = {}
        self.failure: Failure | None = None
        self._read_chunk = read_chunk
        self._out: list[Streamed] = []
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._thoughts = Thoughts()
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._plain = True
        self._after_cr = False
        self._started = False

    @property
    def started(self) -> bool:
        """Whether anything but blanks has arrived."""
        return self._started

    def begins_whole(self, data: bytes) -> bool:
        """Return whether the first bytes begin one JSON body: some suppliers cannot stream."""
        return not self._started and data.lstrip(b" \t\r\n" + _BOM)[:1] in (b"{", b"[")

    def feed(self, data: bytes) -> None:
        """Decode the next bytes of the stream."""
        if not self._started:
            data = data.removeprefix(_BOM)
            self._started = bool(data.strip())
        if not self._plain or b"\r" in data:
            data = self._line_feeds(data)
        self._rest_bytes += len(data)
        if b"\n" not in data:  # inside one event; joined once at its end, so the cost stays linear
            self._rest.append(data)
        else:
            *events, rest = (b"".join([*self._rest, data]) if self._rest else data).split(b"\n\n")
            self._rest, self._rest_bytes = [rest] if rest else [], len(rest)
            for event in events:
                self._event(event)
                if self.done or self.failure:
                    break
        if self._rest_bytes > EVENT_BYTES and not self.failure:
            self.failure = Failure(None, "an event without end")

    def feed_whole(self, data: bytes) -> None:
        """Decode an answer that arrived as one JSON body."""
        self._started = True
        self._data(data.strip().removeprefix(_BOM))
        self.done = self.failure is None and self.seen

    def take(self) -> list[Streamed]:
        """Return what was decoded since the last call, adjacent text joined."""
        self._flush()
        out, self._out = self._out, []
        return out

    def _line_feeds(self, data: bytes) -> bytes:
        """Make every line end an LF; a CRLF may be cut in two."""
        self._plain = False
        if self._after_cr:
            data = data.removeprefix(b"\n")
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _event(self, event: bytes) -> None:
        if event.startswith(b"data: {") and b"\n" not in event:
            self._data(event[6:])
            return
        lines = [
            line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")
        ]
        if lines and (data := b"\n".join(lines).strip()):
            if data == b"[DONE]":
                self.seen = self.done = True
            else:
                self._data(data)

    def _data(self, data: bytes) -> None:
        try:
            try:
                chunk = orjson.loads(data)
            except orjson.JSONDecodeError:
                # A lone surrogate: half of a character, whose other half is in the next delta.
                chunk = json.loads(data.decode())
            self._chunk(chunk)
        except (
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
            IndexError,
            RecursionError,
        ) as error:
            self.failure = Failure(None, f"{type(error).__name__}: {data[:200]!r}")

    def _chunk(self, chunk: Any) -> None:
        choices = chunk.get("choices")
        if usage := chunk.get("usage"):
            self.usage = usage
        if not choices:
            self._without_choice(chunk, choices)
            return
        self.seen = True
        choice = choices[0]
        delta = choice.get("delta") or choice.get("message")
        if delta:
            thought, content = self._thoughts.split(delta)
            if thought:
                self._add(self._reasoning, self._text, thought)
            if content:
                if type(content) is str and not choice.get("logprobs"):
                    self._add(self._text, self._reasoning, content)
                else:
                    self._add_message(chunk, choice, {"content": content})
            if delta.get("tool_calls") or delta.get("function_call") or delta.get("audio"):
                self._add_message(chunk, choice, {**delta, "content": None})
            if refusal := delta.get("refusal"):
                self._add_refusal(refusal)
        if reason := choice.get("finish_reason"):
            self._finish(chunk, choice, reason)

    def _without_choice(self, chunk: dict[str, Any], choices: Any) -> None:
        if chunk.get("error"):
            self.failure = Failure(chunk, chunk)
        elif choices is None and (chunk.get("message") or chunk.get("msg") or chunk.get("detail")):
            self.failure = Failure({"error": chunk}, chunk)
        elif choices is not None or self.usage:
            self.seen = True
        else:
            self.failure = Failure(None, chunk)

    def _finish(self, chunk: dict[str, Any], choice: dict[str, Any], reason: str) -> None:
        if usage := choice.get("usage"):  # Moonshot
            self.usage = usage
        if chunk.get("error") or reason in FAULTS:
            body = chunk if chunk.get("error") else {"error": {"type": reason}}
            self.failure = Failure(body, chunk)
        else:
            self.finish_reason = str(reason)

    def _add(self, to: list[str], other: list[str], text: Any) -> None:
        if type(text) is not str:
            raise TypeError
        if other:
            self._flush()
        to.append(text)

    def _add_message(
        self, chunk: dict[str, Any], choice: dict[str, Any], delta: dict[str, Any]
    ) -> None:
        self._flush()
        choice = {**choice, "delta": delta, "finish_reason": None}
        if message := self._read_chunk({**chunk, "choices": [choice], "usage": None}):
            self._out.append(message)

    def _add_refusal(self, text: Any) -> None:
        if type(text) is not str:
            raise TypeError
        self._flush()
        self._out.append(AIMessageChunk(content="", additional_kwargs={"refusal": text}))

    def _flush(self) -> None:
        if self._text:
            self._out.append("".join(self._text))
            self._text.clear()
        if self._reasoning:
            reasoning = {"reasoning_content": "".join(self._reasoning)}
            self._out.append(AIMessageChunk(content="", additional_kwargs=reasoning))
            self._reasoning.clear()
