"""A second reader of suppliers' streams: slow, of whole bodies, line by line, to compare with.

It shares with the reader of the product only which finish_reasons name an end, which events report
an error, and what of a delta is thinking.
"""

import json
from dataclasses import dataclass
from typing import Any

from chatapp.chains import finish_reasons, stream_errors
from chatapp.chains.finish_reasons import End
from chatapp.chains.stream_errors import Notice
from chatapp.chains.thinking import Thoughts
from tests.support.plain_events import Event, is_done, is_half, opens, plain_events
from tests.support.wire import CHAT

COMPLETE, CUT, GARBLED, ERROR = "complete", "cut", "garbled", "error"
UNKNOWN = object()
REPEAT_CHARS = 8
OTHER_CHOICES = 8


@dataclass
class Reading:
    """What a body says, and how it ends."""

    text: str = ""
    thought: str = ""
    end: str = ""


def read_plainly(body: bytes, breaks: bool) -> Reading:
    """Read a whole body; `breaks`: the connection broke behind it."""
    reader = _Reader()
    events, rest = plain_events(body)
    for event in events:
        reader.read(event)
        if reader.end:
            break
    return reader.finish(rest, breaks)


class _Reader:
    """Reads events into a Reading, with the whole text at hand."""

    def __init__(self) -> None:
        self.end = ""
        self._text = ""  # the whole of it, in order
        self._thought = ""
        self._deltas = ""  # the text that came as plain strings
        self._thoughts = Thoughts()
        self._held: list[str] = []
        self._first = ""
        self._growing = False
        self._message: dict[str, Any] = {}
        self._said_whole = ""  # by messages
        self._said_again = 0  # characters of it, by deltas
        self._by_deltas = False
        self._acted = self._done = self._seen = self._stands = False
        self._reopened = self._proves = self._whole = self._late = False
        self._doubt = ""
        self._index: Any = UNKNOWN
        self._others: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def read(self, event: Event) -> None:
        if event.data is not None and is_done(event.data):
            self._done = True
            self.end = COMPLETE
            return
        value: Any = None
        text = broken = False
        if event.data is not None:
            try:
                value = json.loads(event.data, strict=False)
            except (ValueError, RecursionError):
                value, text, broken = event.data, True, opens(event.data)
        choices = value.get("choices") if isinstance(value, dict) else None
        if isinstance(choices, list) and choices:
            choice = self._choose(value, choices)
            if choice is not None and not stream_errors.names_error(event.name):
                self._chunk(value, choice, event.bare)
                return
        self._seen = self._seen or isinstance(choices, list)
        if broken:
            self.end = ERROR if stream_errors.tells_error(value) else GARBLED
        elif not (event.bare and text and not self._seen):
            notice = stream_errors.notice(event.name, value)
            if notice is Notice.ERROR:
                self.end = ERROR
            elif notice is Notice.DOUBTFUL:
                self._doubt = ERROR

    def finish(self, rest: Event | None, breaks: bool) -> Reading:
        """Return the reading at the end of the body."""
        cut = False
        if not self.end and rest is not None and rest.data is not None:
            if stream_errors.tells_error(rest.data):
                self.end = ERROR
            cut = self._seen or is_half(rest.data)
        if self._index is UNKNOWN:
            self._adopt()
        if left := self._left():
            if self._late:
                self._follows()
            self._text += left
        stands = self._stands or self._whole
        if self._doubt and not stands and self.end in ("", COMPLETE):
            self.end = self._doubt
        if not self.end:
            sure = stands and self._stands and self._proves and not self._reopened
            if sure or (stands and not breaks):
                self.end = COMPLETE
            else:
                self.end = CUT if breaks or cut or self._seen else GARBLED
        return Reading(self._text, self._thought, self.end)

    def _choose(self, chunk: dict[str, Any], choices: list[Any]) -> dict[str, Any] | None:
        found = [choice for choice in choices if isinstance(choice, dict)]
        ours = 0 if self._index is UNKNOWN else self._index or 0
        for choice in found:
            if (choice.get("index") or 0) == ours:
                self._index = choice.get("index")
                return choice
        if found and self._index is UNKNOWN:
            self._others.append((chunk, found[0]))
            if len(self._others) == OTHER_CHOICES:
                self._adopt()
        return None

    def _adopt(self) -> None:
        if self._others:
            self._index = self._others[0][1].get("index")
        for chunk, choice in self._others:
            if choice.get("index") == self._index:
                self._chunk(chunk, choice, False)
        self._others = []

    def _chunk(self, chunk: dict[str, Any], choice: dict[str, Any], bare: bool) -> None:
        self._seen = True
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        said = self._parts(chunk, choice, delta, plain=not choice.get("logprobs"))
        reason = choice.get("finish_reason")
        message, text = choice.get("message"), choice.get("text")
        if not delta.get("content") and isinstance(message, dict) and (reason or not said):
            self._whole = self._whole or bare
            self._parts(chunk, choice, self._new(message), plain=True, message=True)
        elif not choice.get("delta") and isinstance(text, str) and not isinstance(message, dict):
            self._say(text)
        looked_at = bool(chunk.get("error") or reason or not said)
        if looked_at and (stream_errors.error_in(chunk) or stream_errors.error_in(choice)):
            self.end = ERROR
        elif looked_at:
            end = finish_reasons.end(reason or choice.get("finishReason"))
            if end is End.FAULT:
                self.end = ERROR
            elif end is not End.NONE:
                self._stands = True
                self._proves = end is End.KNOWN and bool(self._deltas or self._acted)

    def _parts(
        self,
        chunk: dict[str, Any],
        choice: dict[str, Any],
        delta: dict[str, Any],
        plain: bool,
        message: bool = False,
    ) -> bool:
        """Read the parts of a delta or message; return whether it has text or thinking."""
        thought, content = self._thoughts.split(delta)
        if thought:
            self._follows()
            self._thought += thought
        said = bool(content or thought)
        if content and isinstance(content, str) and plain:
            fresh = content if message else self._fresh(content)
            said = bool(fresh or thought)
            if fresh:
                self._say(fresh)
            if message:
                self._said_whole = self._message["content"]
        elif content:
            self._by_deltas = self._by_deltas or not message
            if isinstance(content, dict):
                content = [content]
            elif type(content) in (int, float):
                content = str(content)
            self._act(chunk, choice, {"content": content})
        if delta.get("tool_calls") or delta.get("function_call") or delta.get("audio"):
            self._act(chunk, choice, {**delta, "content": None})
        if delta.get("refusal") and isinstance(delta["refusal"], str):
            self._act_text(delta["refusal"])
        return said

    def _say(self, text: str) -> None:
        if text:
            self._follows()
            self._text += text
            self._deltas += text

    def _act(self, chunk: dict[str, Any], choice: dict[str, Any], delta: dict[str, Any]) -> None:
        """Read what LangChain reads; it may hold text."""
        choice = {**choice, "delta": delta, "finish_reason": None}
        try:
            message = CHAT._read_chunk({**chunk, "choices": [choice], "usage": None})
        except (ValueError, TypeError, AttributeError, KeyError, IndexError):
            return
        if message is not None:
            self._act_text(text_of(message))

    def _act_text(self, text: str) -> None:
        self._follows()
        held = self._taken_back() + "".join(self._held)
        self._held = []
        self._text += held + text
        self._deltas += held
        self._acted = True

    def _follows(self) -> None:
        self._reopened = self._reopened or self._stands
        self._stands = False
        self._doubt = ""

    def _new(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a whole message that were not there before."""
        new: dict[str, Any] = {}
        for field, part in message.items():
            before = self._message.get(field)
            known = self._by_deltas if field == "content" else self._thought or self._acted
            if not part or part == before or (known and (field == "content" or before is None)):
                continue
            if isinstance(part, str) and isinstance(before, str):
                longer = part.startswith(before)
                new[field] = part[len(before) :] if longer else part
                self._message[field] = part if longer else before + part
            else:
                new[field] = self._message[field] = part
        return new

    def _fresh(self, delta: str) -> str:
        """Return what a delta adds to the text before it, and hold what may be a repetition."""
        said = self._deltas
        new = delta
        self._first = self._first or delta
        if len(self._said_whole) > self._said_again:
            if self._said_whole[self._said_again :].startswith(delta):
                self._said_again += len(delta)
                new = ""
            else:
                new = self._taken_back() + delta
        elif self._growing:
            self._growing = delta.startswith(said)
            new = delta[len(said) :] if self._growing else delta
        elif self._held:
            longest = self._held[-1]
            if len(longest) > len(said) and delta.startswith(longest):
                self._held.append(delta)
                new = ""
                if len(delta) >= REPEAT_CHARS:
                    self._held, self._growing, new = [], True, delta[len(said) :]
            else:
                new, self._held = "".join([*self._held, delta]), []
        elif said and delta.startswith(said):
            is_summary = said != self._first and len(said) >= REPEAT_CHARS
            if delta != said or is_summary:
                self._held, new = [delta], ""
        self._late = not new and self._stands
        self._by_deltas = self._by_deltas or bool(new)
        return new

    def _taken_back(self) -> str:
        """Return what only seemed to be said again."""
        again, whole = self._said_again, self._said_whole
        if again == len(whole):
            return ""
        self._said_again, self._said_whole = 0, ""
        return whole[:again]

    def _left(self) -> str:
        """Return what is new of the deltas that were held, at the end."""
        if self._said_again < REPEAT_CHARS and (left := self._taken_back()):
            return left
        if not self._held:
            return ""
        longest = self._held[-1]
        if len(self._deltas) >= REPEAT_CHARS:
            return longest[len(self._deltas) :]
        if len(self._held) > 1 and len(longest) >= REPEAT_CHARS:
            return longest[len(self._deltas) :]
        return "".join(self._held)


def text_of(message: Any) -> str:
    """Return the text of a message: its content and its refusal."""
    content = message.content
    parts = content if isinstance(content, list) else [content]
    text = "".join(
        part if isinstance(part, str) else str(part.get("text") or "")
        for part in parts
        if isinstance(part, str | dict)
    )
    return text + str(message.additional_kwargs.get("refusal", ""))
