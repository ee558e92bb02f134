"""Server-sent events: encodes our events as bytes and decodes bytes as messages (docs/api.md).

Every block has one JSON object with a `type`. There are no comments, since common clients report
those as empty messages; `id:` and `event:` hold only our own ids and constant names; the data holds
no line end of any kind.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, TypeAlias

from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Event,
    Ping,
    Reasoning,
    Reset,
    Sources,
    Status,
)

Say: TypeAlias = Callable[[str, dict[str, Any]], str]

# JSON does not escape these, but some line readers end a line at them.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_LINE_END = re.compile(r"[\x85\u2028\u2029]")


def encode(event: Event, message_id: str, position: int, say: Say) -> bytes:
    """Return one event as one block; `say(key, params)` translates an error."""
    if type(event) is Chunk:  # nearly all blocks
        data = f'{{"type":"chunk","data":{quoted(event.text)}}}'
        return f"id: {message_id}:{position}\ndata: {data}\n\n".encode(errors="replace")
    kind = type(event).__name__.lower()
    body: dict[str, Any] = {"type": kind, "data": _data(event, say)}
    if isinstance(event, Context):
        body |= {
            "session_id": event.session_id,
            "message_id": event.message_id,
            "question_id": event.question_id,
        }
    elif isinstance(event, Error):
        body |= {"code": event.code, "retryable": event.retryable, "retry_after": event.retry_after}
        if event.upstream:
            body["upstream"] = event.upstream
    named = "" if isinstance(event, Context | Chunk | Error) else f"event: {kind}\n"
    placed = "" if isinstance(event, Status | Reset | Ping) else f"id: {message_id}:{position}\n"
    text = _on_one_line(json.dumps(body, ensure_ascii=False, separators=(",", ":")))
    return f"{named}{placed}data: {text}\n\n".encode(errors="replace")


def quoted(text: str) -> str:
    """Return a text as JSON, on one line for every line reader."""
    return _on_one_line(encode_basestring(text))


def _on_one_line(text: str) -> str:
    return text if text.isascii() or not _LINE_END.search(text) else text.translate(_LINE_ENDS)


def _data(event: Event, say: Say) -> Any:
    match event:
        case Chunk(text) | Reasoning(text):
            return text
        case Context():
            return event.label
        case Sources(items):
            return list(items)
        case Done():
            done = {
                "finish_reason": event.finish_reason,
                "usage": event.usage,
                "timings": event.timings,
                "citations": list(event.citations),
            }
            return done | ({"unread": list(event.unread)} if event.unread else {})
        case Error():
            return say(event.key, dict(event.params))
        case Status(stage):
            return stage
        case Reset() | Ping():
            return {}


def parse_event_id(value: str) -> tuple[str, int] | None:
    """Parse `<message id>:<position>`; None for anything else."""
    message_id, colon, position = value.strip().rpartition(":")
    if (
        not colon
        or not message_id
        or not position.isascii()
        or not position.isdigit()
        or len(position) > 12
    ):
        return None
    return message_id, int(position)


@dataclass(frozen=True, slots=True)
class Message:
    """One dispatched SSE event: its type, its data, and the last event id in force."""

    event: str
    data: str
    last_id: str


class Decoder:
    """Decodes bytes, cut anywhere, by the WHATWG algorithm. Drops an unfinished event.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.retry: int | None = None
        self._buffer = b""
        self._started = False
        self._after_cr = False
        self._event = ""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[Message]:
        """Decode the next bytes and yield the messages that they complete."""
        for line in self._lines(data):
            if line:
                self._field(line)
                continue
            if self._data:
                text = b"\n".join(self._data).decode(errors="replace")
                yield Message(self._event or "message", text, self.last_id)
            self._event, self._data = "", []

    def _lines(self, data: bytes) -> list[bytes]:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        buffer = self._buffer + data
        if not self._started:
            if len(buffer) < 3 and b"\xef\xbb\xbf".startswith(buffer):
                self._buffer = buffer
                return []
            self._started = True
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in buffer:
            # A CR ends its line at once; an LF at the start of the next bytes belongs to it.
            self._after_cr = buffer.endswith(b"\r")
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._buffer = buffer.split(b"\n")
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self.last_id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit():
            self.retry = int(value)
