"""Cut a stream into events: Server-Sent Events in all the forms in which suppliers send them.

The common form of an event, `data: {json}` and an empty line, is cut out of the bytes directly.
Every other form is read line by line: CR and CRLF, comments, names, several data lines, `data:`
twice, no empty line between two events, JSON in no field at all. No I/O, no knowledge of chats.
"""

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

from chatapp.chains.stream_errors import names_error

EVENT_BYTES = 16 * 1024 * 1024  # one event, which is one delta or a whole answer
_BOM = b"\xef\xbb\xbf"
_DONE = (b"[done]", b"done", b'"[done]"')
_DONE_BYTES = max(map(len, _DONE))
_FIELD = re.compile(rb"([A-Za-z][\w.-]*):\s*")
# what stands behind the place of a JSON error where the end of the data is missing
# What is left where JSON is cut off: in an escape, before or in a value, behind one.
_CUT_ESCAPE = re.compile(r"u[\da-fA-F]{0,4}")
_CUT_VALUE = re.compile(r"\s*|t(ru?)?|f(a(ls?)?)?|n(ul?)?|-")
_CUT_BEHIND = re.compile(r"\s*|\.|[eE][+-]?")
_AGAIN = re.compile(rb"(?:data:\s*)+")
_OPENING = re.compile(rb"""[{\[]\s*(?:["'{\[}\]]|$)""")  # of JSON


class Text(str):
    """Data that is not JSON."""


class Broken(Text):
    """Data that begins like JSON and is none; `half` where only its end is missing."""

    half = False


class Done:
    """`[DONE]`, the end that a supplier announces."""


class EventTooLong(Exception):
    """An event exceeds EVENT_BYTES."""


# Takes an event's name, mostly "", and its decoded data; returns whether the stream is over.
Handler: TypeAlias = Callable[[str, Any], bool]


class EventStream:
    """Decodes the bytes of a stream and hands each event to `handle`.

    `started` is set by anything but blanks; `bare` while the event that is handled is in no field,
    so it is no Server-Sent Event.
    """

    def __init__(self, handle: Handler) -> None:
        self.started = False
        self.bare = False
        self._handle = handle
        self._rest: list[bytes] = []  # the line that has not ended
        self._rest_bytes = 0
        self._name = ""
        self._data: list[bytes] = []  # the lines of the event that has not ended
        self._json: list[bytes] = []  # lines in no field that may become JSON
        self._lines_bytes = 0  # of those two
        self._inside = False  # an event that is read line by line has not ended
        self._plain = True
        self._after_cr = False

    def feed(self, data: bytes) -> None:
        """Decode the next bytes, up to the end of the stream. Raises EventTooLong."""
        if not self.started:
            self.started = bool(data.strip())
        if not self._plain or b"\r" in data:
            data = self._line_feeds(data)
        if b"\n" not in data:  # inside one line; joined once at its end, so the cost stays linear
            self._rest.append(data)
            self._rest_bytes += len(data)
        else:
            if self._rest:
                data = b"".join([*self._rest, data])
                self._rest, self._rest_bytes = [], 0
            *events, rest = data.split(b"\n\n")
            for event in events:
                if event.startswith(b"data: {") and b"\n" not in event and not self._inside:
                    try:
                        value = orjson.loads(event[6:])
                    except orjson.JSONDecodeError:
                        value = _decoded(event[6:])
                    over = self._handle("", value)
                else:
                    over = self._lines(event) or self._end_event()
                if over:
                    return
            if rest:
                self._end_of(rest)
        if self._rest_bytes + self._lines_bytes > EVENT_BYTES:
            raise EventTooLong

    def close(self) -> Broken | None:
        """Decode what is pending at the end of the body; return it where it is broken JSON."""
        rest, self._rest = b"".join(self._rest), []
        if rest and self._lines(rest):
            return None
        for lines, bare in ((self._data, False), (self._json, True)):
            value = _decoded(b"\n".join(lines)) if lines else None
            if isinstance(value, Broken):
                return value
            if lines and self._hand(self._take_name(), value, bare):
                return None
        if name := self._take_name():
            self._hand(name, None)
        return None

    def _end_of(self, data: bytes) -> None:
        """Read the lines behind the last empty line; keep the one that has not ended."""
        lines, end, rest = data.rpartition(b"\n")
        if not (end and self._lines(lines)) and rest:
            self._rest, self._rest_bytes = [rest], len(rest)

    def _line_feeds(self, data: bytes) -> bytes:
        """Make every line end an LF; a CRLF may be cut in two."""
        self._plain = False
        if self._after_cr:
            data = data.removeprefix(b"\n")
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _lines(self, lines: bytes) -> bool:
        over = any(self._line(line.strip()) for line in lines.split(b"\n"))
        self._inside = bool(self._name or self._data or self._json)
        return over

    def _line(self, line: bytes) -> bool:
        line = line.removeprefix(_BOM)
        if not line:
            return self._end_event()
        if line.startswith(b":"):
            return False
        field = _FIELD.match(line)
        name, value = (field[1].lower(), line[field.end() :]) if field else (b"", line)
        if name == b"data":
            return self._end_json() or self._data_line(value)
        if name == b"event":
            self._name = value.decode(errors="replace")
            return False
        if len(line) <= _DONE_BYTES and line.lower() in _DONE:
            return self._hand("", Done())
        if self._json or _OPENING.match(line):
            return self._json_line(line)
        if name and not names_error(name.decode()):  # `id`, `retry`, and fields of no meaning
            return False
        return self._hand(name.decode(), _decoded(value), bare=not name)

    def _data_line(self, value: bytes) -> bool:
        """Read a data line. One that is a whole JSON is an event: an empty line may be missing."""
        if again := _AGAIN.match(value):  # from relays that frame what is framed already
            value = value[again.end() :]
        if value.startswith(b":"):  # a comment that a relay framed
            return False
        if len(value) <= _DONE_BYTES and value.lower() in _DONE:
            return self._end_data() or self._hand("", Done())
        if _OPENING.match(value) and not (self._data and _OPENING.match(self._data[0])):
            if self._end_data():
                return True
            if not isinstance(event := _decoded(value), Broken):
                return self._hand(self._take_name(), event)
        if value:
            self._data.append(value)
            self._lines_bytes += len(value)
        return False

    def _json_line(self, line: bytes) -> bool:
        """Read a line in no field: JSON without a stream, or an error that a proxy appends."""
        if not self._json and not isinstance(event := _decoded(line), Broken):
            return self._hand("", event, bare=True)
        self._json.append(line)
        self._lines_bytes += len(line)
        return False

    def _end_event(self) -> bool:
        if self._end_data():
            return True
        name = self._take_name()
        return bool(name) and self._hand(name, None)

    def _end_data(self) -> bool:
        if not self._data:
            return False
        lines, self._data = self._data, []
        self._lines_bytes -= sum(map(len, lines))
        name, value = self._take_name(), _decoded(b"\n".join(lines))
        if isinstance(value, Broken) and len(lines) > 1:
            return any(self._hand(name, _decoded(line)) for line in lines)
        return self._hand(name, value)

    def _end_json(self) -> bool:
        if not self._json:
            return False
        lines, self._json = self._json, []
        self._lines_bytes -= sum(map(len, lines))
        return self._hand("", _decoded(b"\n".join(lines)), bare=True)

    def _take_name(self) -> str:
        name, self._name = self._name, ""
        return name

    def _hand(self, name: str, value: Any, bare: bool = False) -> bool:
        self.bare = bare
        try:
            return self._handle(name, value)
        finally:
            self.bare = False


def _decoded(data: bytes) -> Any:
    """Return data as JSON, else as Text; what orjson refuses and others send is read too."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        text = data.decode(errors="replace")
    try:  # half of a character (a lone surrogate), NaN, control characters, bytes that are no UTF-8
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        if not _OPENING.match(data):
            return Text(text)
        broken = Broken(text)
        value = _CUT_VALUE if "Expecting value" in error.msg else _CUT_BEHIND
        cut = _CUT_ESCAPE if "escape" in error.msg else value
        broken.half = bool(cut.fullmatch(text, error.pos)) or "Unterminated" in error.msg
        return broken
    except (ValueError, RecursionError):
        return Broken(text)
