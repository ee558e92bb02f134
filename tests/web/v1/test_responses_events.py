"""The events of /v1/responses, each read with the types of OpenAI's client."""

from collections.abc import Iterable
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from chatapp.core.events import Chunk, Context, Done, Error, Event, Reasoning, Reset, ToolCall
from chatapp.web.v1.message import Finished
from chatapp.web.v1.responses_events import ResponseEvents

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SHARED = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "wire/echo",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
CITED = {
    "type": "url_citation",
    "url_citation": {
        "start_index": 6,
        "end_index": 9,
        "url": "http://localhost/x",
        "title": "leave.pdf",
        "file_id": "f1",
        "filename": "leave.pdf",
    },
}
BEGIN = ["response.created", "response.in_progress"]
BEGIN_ITEM = ["response.output_item.added", "response.content_part.added"]
END_ITEM = ["response.content_part.done", "response.output_item.done"]
TEXT, THOUGHT = "response.output_text", "response.reasoning_text"


def written(events: Iterable[Event], finished: Finished | None = None) -> list[Any]:
    """Return the events as OpenAI's client reads them; each takes its place in the log."""
    place, placed = 0, []
    for event in events:
        if not isinstance(event, Reset):
            place += len(event.text) if isinstance(event, Chunk | Reasoning) else 1
        else:
            place = 0
        placed.append((place, event))
    end = finished or Finished("stop", USAGE, [])
    made = ResponseEvents(
        SHARED, "1", lambda _: end, lambda _: {"code": "server_error", "message": "No."}
    )
    return [EVENT.validate_python(event) for event in made.of(placed)]


def kinds(events: list[Any]) -> list[str]:
    return [event.type for event in events]


def done() -> Done:
    return Done("stop")


def test_text_is_a_message() -> None:
    context = Context("echo", "s", "1", "q")
    events = written([context, Chunk("Hello "), Chunk("there"), done()])
    deltas = [f"{TEXT}.delta"] * 2
    end = [f"{TEXT}.done", *END_ITEM, "response.completed"]
    assert kinds(events) == [*BEGIN, *BEGIN_ITEM, *deltas, *end]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    whole = events[-1].response
    assert isinstance(whole, Response)
    assert (whole.status, whole.output_text) == ("completed", "Hello there")
    assert whole.usage is not None and whole.usage.input_tokens == 5
    assert events[2].item.id == events[4].item_id == whole.output[0].id == "msg_1"
    assert events[0].response.status == "in_progress" and events[0].response.output == []


def test_thinking_is_an_item_of_its_own_that_ends_where_text_begins() -> None:
    events = written([Reasoning("Let me "), Reasoning("think."), Chunk("7"), Chunk("8"), done()])
    thought = [*BEGIN_ITEM, f"{THOUGHT}.delta", f"{THOUGHT}.delta", f"{THOUGHT}.done", *END_ITEM]
    text = [*BEGIN_ITEM, f"{TEXT}.delta", f"{TEXT}.delta", f"{TEXT}.done", *END_ITEM]
    assert kinds(events) == [*BEGIN, *thought, *text, "response.completed"]
    reasoning, message = events[-1].response.output
    assert reasoning.content[0].text == "Let me think." and message.content[0].text == "78"


def test_thinking_between_text_is_another_item() -> None:
    events = written([Reasoning("a"), Chunk("1"), Reasoning("b"), Chunk("2"), done()])
    output = events[-1].response.output
    assert [item.type for item in output] == ["reasoning", "message", "reasoning"]
    assert len({item.id for item in output}) == 3
    assert events[-1].response.output_text == "12"


def test_what_was_sent_before_a_reset_is_not_sent_again() -> None:
    events = written([Chunk("Hello "), Reset(), Chunk("Hello there"), done()])
    assert events[-1].response.output_text == "Hello there"


def test_citations_are_annotations() -> None:
    events = written([Chunk("Leave [1]"), done()], Finished("stop", None, [CITED], "\n\n[1] leave"))
    [added] = [event for event in events if event.type == f"{TEXT}.annotation.added"]
    [annotation] = events[-1].response.output[0].content[0].annotations
    assert added.annotation.to_dict() == annotation.to_dict()
    assert (annotation.type, annotation.url, annotation.end_index) == (
        "url_citation",
        "http://localhost/x",
        9,
    )
    assert events[-1].response.output_text == "Leave [1]\n\n[1] leave"
    assert events[-1].response.usage is None


def test_an_answer_that_is_cut_off_is_incomplete() -> None:
    events = written([Chunk("Hel"), done()], Finished("length", USAGE, []))
    assert kinds(events)[-1] == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"
    assert events[-1].response.output[0].status == "incomplete"


def test_an_error_ends_a_response() -> None:
    events = written([Chunk("Hel"), Error("upstream_error", "error.upstream_error", {}, True)])
    assert kinds(events)[-1] == "response.failed"
    assert events[-1].response.error.message == "No."


def test_an_answer_without_text_is_a_message_too() -> None:
    events = written([done()])
    assert events[-1].response.output_text == "" and len(events[-1].response.output) == 1


def test_calls_of_tools_are_items() -> None:
    calls = [
        ToolCall(0, "c1", "find", '{"a'),
        ToolCall(0, arguments='":1}'),
        ToolCall(1, "c2", "f"),
    ]
    events = written([*calls, done()], Finished("tool_calls", USAGE, []))
    added, more = "response.output_item.added", "response.function_call_arguments"
    ends = [f"{more}.done", "response.output_item.done"] * 2
    begin = [*BEGIN, added, f"{more}.delta", f"{more}.delta", added]
    assert kinds(events) == [*begin, *ends, "response.completed"]
    first, second = events[-1].response.output
    assert (first.call_id, first.name, first.arguments) == ("c1", "find", '{"a":1}')
    assert (second.call_id, second.arguments) == ("c2", "")
    assert first.id != second.id


def test_calls_of_tools_stand_behind_the_text_before_them() -> None:
    events = written([Chunk("Let me look."), ToolCall(0, "c1", "find", "{}"), done()])
    assert [item.type for item in events[-1].response.output] == ["message", "function_call"]
    assert events[-1].response.output_text == "Let me look."
