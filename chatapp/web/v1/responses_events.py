"""An answer's events as those of the Responses API; the last one holds the whole response.

    for event in ResponseEvents(…).of(live.tail()): …

Text is the item `message`, a call of a tool is a `function_call`, and thinking is an item
`reasoning`, which ends where text or a call begins. A client that has read text cannot take it
back: what turns out to have been thinking stays where it is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from chatapp.core.events import Chunk, Done, Error, Read, Reasoning, Reset, ToolCall
from chatapp.web.v1.message import Finished

Json: TypeAlias = dict[str, Any]

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
# before an answer's id: ids of its items
MESSAGE, REASONING, CALL = "msg_", "rs_", "fc_"


class _Item:
    """An item that is being written; a message and thinking have one part."""

    def __init__(self, index: int, item: Json, part: Json | None = None) -> None:
        self.index = index
        self.item = item
        self.part = part or {}
        self.texts: list[str] = []

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self.texts)

    @property
    def place(self) -> Json:
        """Where its part is."""
        return {"item_id": self.item["id"], "output_index": self.index, "content_index": 0}


class ResponseEvents:
    """Writes the events of one response; `shared` has the fields that do not change.

    `finish` describes the end, `fail` the error that ends a response instead.
    """

    def __init__(
        self,
        shared: Mapping[str, Any],
        message_id: str,
        finish: Callable[[Done], Finished],
        fail: Callable[[Error], Json],
    ) -> None:
        self._shared = shared
        self._message_id = message_id
        self._finish = finish
        self._fail = fail
        self._number = 0  # of the next event
        self._output: list[Json] = []  # complete items; those that are not hold their place
        self._message: _Item | None = None
        self._thought: _Item | None = None
        self._calls: dict[int, _Item] = {}
        self._seen = 0  # the position after what was sent
        self._again = 0  # events up to here were sent before a reset

    def of(self, events: Iterable[tuple[int, Read]]) -> Iterator[Json]:
        """Yield all events, from the first to the end."""
        yield from self.begin()
        for position, event in events:
            yield from self.take(position, event)

    def begin(self) -> Iterator[Json]:
        """Yield the events before any of the answer."""
        yield self._state("response.created", "in_progress")
        yield self._state("response.in_progress", "in_progress")

    def take(self, position: int, event: Read) -> Iterator[Json]:
        """Yield what an event of the answer, which ends at a position, becomes."""
        if isinstance(event, Reset):
            self._again = self._seen
        elif isinstance(event, Chunk | Reasoning):
            repeated = self._again - (position - len(event.text))
            if text := event.text[max(repeated, 0) :]:
                yield from self._text(type(event), text)
        elif isinstance(event, ToolCall):
            if position > self._again:
                yield from self._call(event)
        elif isinstance(event, Done):
            yield from self._done(self._finish(event))
        elif isinstance(event, Error):
            yield self._state("response.failed", "failed", error=self._fail(event))
        self._seen = max(self._seen, position)

    def _text(self, kind: type[Chunk | Reasoning], text: str) -> Iterator[Json]:
        if kind is Reasoning:
            yield from self._think(text)
            return
        yield from self._end_thought()
        if self._message is None:
            yield from self._begin_message()
        assert self._message is not None
        self._message.texts.append(text)
        more = {"delta": text, "logprobs": []}
        yield self._event("response.output_text.delta", self._message.place | more)

    def _think(self, text: str) -> Iterator[Json]:
        if self._thought is None:
            index = len(self._output)
            name = f"{REASONING}{self._message_id}" + (f"_{index}" if index else "")
            item = {"type": "reasoning", "id": name, "summary": []}
            self._thought = _Item(index, item, {"type": "reasoning_text"})
            yield from self._begin(self._thought)
        self._thought.texts.append(text)
        yield self._event("response.reasoning_text.delta", self._thought.place | {"delta": text})

    def _end_thought(self) -> Iterator[Json]:
        if thought := self._thought:
            self._thought = None
            text = thought.text
            yield self._event("response.reasoning_text.done", thought.place | {"text": text})
            yield from self._end(thought, "completed")

    def _call(self, piece: ToolCall) -> Iterator[Json]:
        yield from self._end_thought()
        call = self._calls.get(piece.index)
        if call is None:
            name = f"{CALL}{self._message_id}_{len(self._calls)}"
            item = {"type": "function_call", "id": name, "call_id": piece.id, "name": piece.name}
            call = self._calls[piece.index] = _Item(len(self._output), item)
            yield self._added(call, {"arguments": ""})
        if piece.arguments:
            call.texts.append(piece.arguments)
            more = {"item_id": call.item["id"], "output_index": call.index}
            kind = "response.function_call_arguments.delta"
            yield self._event(kind, more | {"delta": piece.arguments})

    def _end_calls(self) -> Iterator[Json]:
        for call in self._calls.values():
            arguments = {"arguments": call.text}
            more = {"item_id": call.item["id"], "output_index": call.index}
            yield self._event("response.function_call_arguments.done", more | arguments)
            yield self._finished(call, arguments | {"status": "completed"})

    def _begin_message(self) -> Iterator[Json]:
        item = {"type": "message", "id": MESSAGE + self._message_id, "role": "assistant"}
        part = {"type": "output_text", "annotations": [], "logprobs": []}
        self._message = _Item(len(self._output), item, part)
        yield from self._begin(self._message)

    def _done(self, finished: Finished) -> Iterator[Json]:
        if finished.appended:
            yield from self._text(Chunk, finished.appended)
        yield from self._end_thought()
        reason = INCOMPLETE.get(finished.reason)
        status = "incomplete" if reason else "completed"
        if self._message is None and not self._calls:
            yield from self._begin_message()
        if self._message is not None:
            yield from self._end_message(self._message, finished, status)
        yield from self._end_calls()
        yield self._state(
            f"response.{status}",
            status,
            incomplete_details={"reason": reason} if reason else None,
            usage=_usage(finished.usage),
        )

    def _end_message(self, message: _Item, finished: Finished, status: str) -> Iterator[Json]:
        for number, annotation in enumerate(finished.annotations):
            more = {"annotation": _citation(annotation), "annotation_index": number}
            yield self._event("response.output_text.annotation.added", message.place | more)
            message.part["annotations"].append(more["annotation"])
        more = {"text": message.text, "logprobs": []}
        yield self._event("response.output_text.done", message.place | more)
        yield from self._end(message, status)

    def _begin(self, written: _Item) -> Iterator[Json]:
        yield self._added(written, {"content": []})
        part = written.part | {"text": ""}
        yield self._event("response.content_part.added", written.place | {"part": part})

    def _end(self, written: _Item, status: str) -> Iterator[Json]:
        part = written.part | {"text": written.text}
        yield self._event("response.content_part.done", written.place | {"part": part})
        yield self._finished(written, {"status": status, "content": [part]})

    def _added(self, written: _Item, empty: Json) -> Json:
        self._output.append({})
        item = written.item | {"status": "in_progress"} | empty
        more = {"output_index": written.index, "item": item}
        return self._event("response.output_item.added", more)

    def _finished(self, written: _Item, whole: Json) -> Json:
        item = self._output[written.index] = written.item | whole
        more = {"output_index": written.index, "item": item}
        return self._event("response.output_item.done", more)

    def _state(self, kind: str, status: str, **more: Any) -> Json:
        """Return an event with the whole response."""
        response = {
            **self._shared,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "usage": None,
            "output": [item for item in self._output if item],
            **more,
        }
        return self._event(kind, {"response": response})

    def _event(self, kind: str, more: Json) -> Json:
        self._number += 1
        return {"type": kind, "sequence_number": self._number - 1, **more}


def _citation(annotation: Mapping[str, Any]) -> Json:
    """Return an annotation of a chat completion in the form of this API."""
    return {"type": annotation["type"], **annotation["url_citation"]}


def _usage(usage: Mapping[str, Any] | None) -> Json | None:
    if usage is None:
        return None
    given, made = (usage.get(f"{name}_tokens_details", {}) for name in ("prompt", "completion"))
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {
            "cached_tokens": given.get("cached_tokens", 0),
            "cache_write_tokens": 0,
        },
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": made.get("reasoning_tokens", 0)},
        "total_tokens": usage["total_tokens"],
    }
