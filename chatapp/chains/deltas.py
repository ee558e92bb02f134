"""Decode a streamed chat completion: from bytes to text and message chunks. No I/O, no clock.

`EventStream` cuts the bytes into events. An event with choices is a chunk and holds a part of the
answer; any other is passed over unless it reports an error. Nothing raises: a fault is kept in
`failure`, after everything that arrived before it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.messages import AIMessageChunk

from chatapp.chains import stream_errors
from chatapp.chains.ending import Ending
from chatapp.chains.event_stream import Broken, Done, EventStream, EventTooLong, Text
from chatapp.chains.finish_reasons import End
from chatapp.chains.output import Output, Streamed
from chatapp.chains.repeats import Messages, Repeats
from chatapp.chains.stream_errors import Notice
from chatapp.chains.thinking import Thoughts

_TEXT_FIELDS = frozenset(("role", "content"))
_ACTS = frozenset(("tool_calls", "function_call", "audio", "refusal"))
_UNKNOWN = object()
OTHER_CHOICES = 8  # chunks of another choice after which it is read, if index 0 has not come
_UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, IndexError)  # of LangChain

__all__ = ["Deltas", "Failure", "ReadChunk", "Streamed"]

Object: TypeAlias = dict[str, Any]
ReadChunk: TypeAlias = Callable[[Object], AIMessageChunk | None]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why reading has to end: the error body, None for unreadable data; and a text for the log."""

    body: Any
    text: object


class Deltas:
    """Decodes a stream: `feed` its bytes, `close` at the end of the body; `take` what was decoded.

    `over`: nothing further is read. `done` is set by [DONE], `seen` by any chunk, `cut` where the
    body ends within an event.
    `read_chunk` turns a chunk that holds more than text into a message.
    """

    def __init__(self, read_chunk: ReadChunk) -> None:
        self.over = False
        self.done = False
        self.seen = False
        self.cut = False
        self.ending = Ending()
        self.usage: Mapping[str, Any] = {}
        self.failure: Failure | None = None
        self._read_chunk = read_chunk
        self._events = EventStream(self._event)
        self._thoughts = Thoughts()
        self._repeats = Repeats()
        self._out = Output(self._repeats.note)
        self._text, self._reasoning = self._out.text, self._out.thought
        self._least = 0  # a copy of `_repeats.least`, which is read for every delta
        self._held_late = False  # a delta was held that came behind a finish_reason
        self._messages = Messages()
        self._by_deltas = False  # text has come in deltas, so messages are summaries
        self._whole = False  # a message came in no event: the body is one answer
        self._index: object = _UNKNOWN  # of the choice that is read
        self._others: list[tuple[Object, Object]] = []  # chunks of another choice
        self._doubt: Failure | None = None  # an error if nothing follows it
        self._watch = False  # the answer seems to have ended: by a reason, or in doubt

    @property
    def started(self) -> bool:
        """Whether anything but blanks has arrived."""
        return self._events.started

    def feed(self, data: bytes) -> None:
        """Decode the next bytes of the stream."""
        if self.over:
            return
        try:
            self._events.feed(data)
        except EventTooLong:
            self._fail(None, "an event without end")
        if self.over:
            self._settle()

    def close(self) -> None:
        """Decode what is pending at the end of the body."""
        if self.over:
            return
        broken = self._events.close()
        if broken is not None:
            if stream_errors.tells_error(broken):
                self._fail({"error": broken}, broken)
            self.cut = self.seen or broken.half
        self._settle()

    def take(self) -> list[Streamed]:
        """Return what was decoded since the last call, adjacent text joined."""
        return self._out.take()

    def _event(self, name: str, value: Any) -> bool:
        """Read one event; return whether the stream is over."""
        if name:
            return self._any_event(name, value)
        try:
            choice = value["choices"][0]
            delta = choice["delta"]
            content = delta.get("content")
            if choice.get("index") != self._index:
                return self._any_event(name, value)
        except (KeyError, IndexError, TypeError, AttributeError):
            return self._any_event(name, value)
        # The most frequent event is a piece of text and nothing else: it takes the shortest way.
        if (
            type(content) is str
            and 0 < len(content) < self._least
            and (len(delta) == 1 or not _has_more(delta))
            and not (self._watch or self._reasoning)
            and not choice.get("finish_reason")
            and not choice.get("logprobs")
            and not value.get("usage")
            and not value.get("error")
        ):
            self._text.append(content)
            return False
        self._chunk(value, choice)
        return self.over

    def _any_event(self, name: str, value: Any) -> bool:
        if type(value) is dict and type(choices := value.get("choices")) is list and choices:
            choice = choices[0]
            if type(choice) is not dict or choice.get("index") != self._index:
                choice = self._choice(value, choices)
            if choice is not None and not (name and stream_errors.names_error(name)):
                self._chunk(value, choice)
                return self.over
        self._no_chunk(name, value)
        return self.over

    def _choice(self, chunk: Object, choices: list[Any]) -> Object | None:
        """Return the choice to read: index 0 or none, unless the supplier counts otherwise."""
        found = [choice for choice in choices if type(choice) is dict]
        ours = 0 if self._index is _UNKNOWN else self._index or 0
        for choice in found:
            if (choice.get("index") or 0) == ours:
                self._index = choice.get("index")
                return choice
        if found and self._index is _UNKNOWN:
            self._others.append((chunk, found[0]))
            if len(self._others) >= OTHER_CHOICES:
                self._read_others()
        return None

    def _read_others(self) -> None:
        """Read the first of the other choices where index 0 does not come."""
        others, self._others = self._others, []
        if others and self._index is _UNKNOWN:
            self._index = others[0][1].get("index")
            for chunk, choice in others:
                if choice.get("index") == self._index:
                    self._chunk(chunk, choice)

    def _chunk(self, chunk: Object, choice: Object) -> None:
        self.seen = True
        delta = choice.get("delta")
        if type(delta) is not dict:
            delta = {}
        thought, content = self._thoughts.split(delta)
        if thought:
            if self._watch:
                self._go_on()
            if self._text:
                self._out.flush()
            self._reasoning.append(thought)
        if content:
            if type(content) is str and not choice.get("logprobs"):
                if len(content) < self._least or (content := self._fresh(content)):
                    self._say(content)
            else:
                self._by_deltas = True
                self._add_content(chunk, choice, content)
        if not _ACTS.isdisjoint(delta):
            self._add_acts(chunk, choice, delta)
        if usage := chunk.get("usage"):
            self._count(usage)
        reason = choice.get("finish_reason")
        if reason or not (content or thought) or chunk.get("error"):
            self._read_rest(chunk, choice, delta, reason)

    def _fresh(self, content: str) -> str:
        """Return what a long delta adds, as it may repeat all that was said before."""
        self._out.flush()
        content = self._repeats.fresh(content)
        self._least = self._repeats.least
        self._held_late = not content and self.ending.stands
        self._by_deltas = self._by_deltas or bool(content)
        return content

    def _say(self, text: str) -> None:
        if self._watch:
            self._go_on()
        self._out.say(text)

    def _go_on(self) -> None:
        self.ending.go_on()
        self._doubt = None
        self._watch = False

    def _add_content(self, chunk: Object, choice: Object, content: Any) -> None:
        """Add content that is not plain text: parts, an object, a number, text with logprobs."""
        if isinstance(content, dict):
            content = [content]
        elif type(content) in (int, float):
            content = str(content)
        self._add_message(chunk, choice, {"content": content})

    def _add_acts(self, chunk: Object, choice: Object, delta: Object) -> None:
        if delta.get("tool_calls") or delta.get("function_call") or delta.get("audio"):
            calls = delta.get("tool_calls")
            if type(calls) is list:  # LangChain reads none without an index
                calls = [
                    {"index": None, **call} if isinstance(call, dict) else call for call in calls
                ]
            self._add_message(chunk, choice, {**delta, "content": None, "tool_calls": calls})
        if (refusal := delta.get("refusal")) and type(refusal) is str:
            refused = AIMessageChunk(content="", additional_kwargs={"refusal": refusal})
            self._append(refused)

    def _add_message(self, chunk: Object, choice: Object, delta: Object) -> None:
        choice = {**choice, "delta": delta, "finish_reason": None}
        try:
            message = self._read_chunk({**chunk, "choices": [choice], "usage": None})
        except _UNREADABLE:
            return
        if message:
            self._append(message)

    def _append(self, message: AIMessageChunk) -> None:
        self._go_on()
        if held := self._repeats.let_go():
            self._out.say(held)
        self._out.add(message)

    def _read_rest(self, chunk: Object, choice: Object, delta: Object, reason: Any) -> None:
        """Read what a chunk without a piece of the answer holds, or one with a finish_reason."""
        if not delta.get("content"):
            self._read_message(chunk, choice)
        self._count(choice.get("usage"))  # Moonshot
        if type(own := chunk.get("x_groq")) is dict and not self.usage:
            self._count(own.get("usage"))
        if stream_errors.error_in(chunk):
            self._fail(chunk, chunk)
        elif stream_errors.error_in(choice):
            self._fail(choice, chunk)
        else:
            reason = reason or choice.get("finishReason")  # Gemini
            beside = any(part for field, part in delta.items() if field != "role")
            alone = not (beside or choice.get("message") or choice.get("text"))
            spoken = bool(self._text) or self._out.spoken or self._out.acted
            end = self.ending.read(reason, alone, spoken)
            if end is End.FAULT:
                self._fail({"error": {"type": reason}}, chunk)
            self._watch = self._watch or self.ending.stands

    def _read_message(self, chunk: Object, choice: Object) -> None:
        """Add what a whole message says and no delta has said."""
        message = choice.get("message")
        if type(message) is not dict:
            text = choice.get("text")  # of the older protocol without a chat
            if text and type(text) is str and not choice.get("delta"):
                self._say(text)
            return
        self._out.flush()
        self._whole = self._whole or self._events.bare
        new = self._messages.new(message, self._by_deltas, self._out.reasoned or self._out.acted)
        thought, content = self._thoughts.split(new)
        if thought:
            self._go_on()
            self._out.think(thought)
        if content and type(content) is str:
            self._say(content)
            self._repeats.expect(self._messages.text)
            self._least = self._repeats.least
        elif content:
            self._add_content(chunk, choice, content)
        self._add_acts(chunk, choice, new)

    def _no_chunk(self, name: str, value: Any) -> None:
        """Read an event without a part of the answer."""
        if isinstance(value, Done):
            self.over = self.done = True
            return
        if isinstance(value, dict):
            self._count(value.get("usage"))
            self.seen = self.seen or type(value.get("choices")) is list
        body = {"error": value or name} if value is None or isinstance(value, str) else value
        if isinstance(value, Broken):
            self._fail(body if stream_errors.tells_error(value) else None, value)
        elif self._events.bare and isinstance(value, Text) and not self.seen:
            pass  # a web page
        elif (notice := stream_errors.notice(name, value)) is Notice.ERROR:
            self._fail(body, value)
        elif notice is Notice.DOUBTFUL:
            self._doubt, self._watch = Failure(body, value), True

    def _fail(self, body: Any, text: object) -> None:
        self.failure = Failure(body, text)
        self.over = True

    def _settle(self) -> None:
        """Decide what only the end of the stream decides."""
        self._read_others()
        if rest := self._repeats.rest():
            if self._held_late:
                self._go_on()
            self._out.say(rest)
        if self._whole:
            self.ending.stands = True
        if self._doubt is not None and not self.ending.stands and self.failure is None:
            self.failure = self._doubt

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict) and usage:
            self.usage = usage


def _has_more(delta: Object) -> bool:
    """Return whether a delta holds more than text."""
    for field in delta:  # noqa: SIM110 - for every token; a generator costs twice as much
        if field not in _TEXT_FIELDS and delta[field]:
            return True
    return False
