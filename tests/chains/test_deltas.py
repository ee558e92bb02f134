"""Bytes to deltas, whole and cut at every byte."""

import json
from typing import Any

import pytest

from chatapp.chains.deltas import Deltas
from tests.support.wire import CHAT


def event(content: str, reason: str | None = None) -> bytes:
    return json.dumps(
        {"choices": [{"delta": {"content": content}, "finish_reason": reason}]}, ensure_ascii=False
    ).encode()


ONE, TWO, END = event("数据 "), event("b"), event("", "stop")
STREAMS = {
    "common": b"data: " + ONE + b"\n\ndata: " + TWO + b"\n\ndata: " + END + b"\n\ndata: [DONE]\n\n",
    "no blank": b"data:" + ONE + b"\n\ndata:" + TWO + b"\n\ndata:" + END + b"\n\ndata:[DONE]\n\n",
    "crlf": b"data: "
    + ONE
    + b"\r\n\r\ndata: "
    + TWO
    + b"\r\n\r\ndata: "
    + END
    + b"\r\n\r\ndata: [DONE]\r\n\r\n",
    "cr": b"data: " + ONE + b"\r\rdata: " + TWO + b"\r\rdata: " + END + b"\r\rdata: [DONE]\r\r",
    "comments": b": hi\n\nevent: x\n: hi\ndata: "
    + ONE
    + b"\nid: 4\n\n\n\n:\n\ndata: "
    + TWO
    + b"\n\ndata: "
    + END
    + b"\n\ndata: [DONE]\n\n",
    "lines": b"data: "
    + ONE.replace(b": [", b":\ndata: [")
    + b"\n\ndata: "
    + TWO
    + b"\n\ndata: "
    + END
    + b"\n\ndata: [DONE]\n\n",
    "two ends": b"data: "
    + ONE
    + b"\n\n\ndata: "
    + TWO
    + b"\n\n\n\ndata: "
    + END
    + b"\n\ndata: [DONE]\n\n",
}


def read(parts: list[bytes]) -> tuple[str, str, bool, bool]:
    deltas = Deltas(lambda chunk: None)
    text = ""
    for part in parts:
        deltas.feed(part)
        text += "".join(piece for piece in deltas.take() if isinstance(piece, str))
    return text, deltas.ending.reason, deltas.done, deltas.failure is None


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_form_of_sse_is_read_at_any_cut(stream: bytes) -> None:
    expected = ("数据 b", "stop", True, True)
    assert read([stream]) == expected
    assert read([stream[n : n + 1] for n in range(len(stream))]) == expected
    for at in range(len(stream)):
        assert read([stream[:at], stream[at:]]) == expected


NOTHING = [
    b"5",
    b"null",
    b"[]",
    b'"ping"',
    b"ping",
    b'{"choices": 3}',
    b'{"choices": [3]}',
    b'{"choices": [{"delta": "x"}]}',
    b'{"choices": [{"delta": {"tool_calls": [5]}}]}',
    b'{"choices": [{"delta": {"content": [5]}}]}',
    b'{"choices": [{"delta": {"content": true}}], "usage": [1]}',
    b'{"choices": [{"finish_reason": ["stop"]}]}',
    b'{"a": 1}',
]


@pytest.mark.parametrize("data", NOTHING)
def test_events_that_say_nothing_are_passed_over(data: bytes) -> None:
    deltas = Deltas(CHAT._read_chunk)
    for each in (data, ONE, data, TWO, data, END, data):
        deltas.feed(b"data: " + each + b"\n\n")
    said = "".join(piece for piece in deltas.take() if isinstance(piece, str))
    assert (said, deltas.failure, deltas.ending.stands) == ("数据 b", None, True)


PLACES = (
    *(f"choices.0.delta.{field}" for field in (
        "role", "content", "reasoning_content", "reasoning", "reasoning_details", "thinking",
        "tool_calls", "tool_calls.0", "tool_calls.0.index", "tool_calls.0.function",
        "tool_calls.0.function.arguments", "function_call", "audio", "refusal", "content.0",
        "content.0.text", "content.0.thinking", "annotations",
    )),
    "choices.0.message", "choices.0.message.content", "choices.0.text", "choices.0.index",
    "choices.0.finish_reason", "choices.0.logprobs", "choices.0.usage", "choices.0.error",
    "usage", "usage.prompt_tokens", "usage.completion_tokens_details", "error", "error.code",
    "error.message", "x_groq", "id", "model", "object", "base_resp", "choices",
)  # fmt: skip
VALUES = (True, False, None, 0, -1, 1.5, 10**30, "", "x", [], [True], [None], {}, {"a": True}, [[]])


@pytest.mark.parametrize("place", PLACES)
def test_no_value_in_any_place_stops_the_reading(place: str) -> None:
    for value in VALUES:
        made: Any = value
        for name in reversed(place.split(".")):
            made = [made] if name == "0" else {name: made}
        deltas = Deltas(CHAT._read_chunk)
        for each in (ONE, json.dumps(made).encode(), TWO, END):
            deltas.feed(b"data: " + each + b"\n\n")
        assert "".join(map(str, deltas.take())).startswith("数据 "), value


@pytest.mark.parametrize("data", [b"{", b'{"choices": [}', b"[" * 100_000, b'{"a": \xff}'])
def test_json_that_is_broken_is_a_failure_behind_the_text(data: bytes) -> None:
    deltas = Deltas(lambda chunk: None)
    deltas.feed(b"data: " + ONE + b"\n\ndata: " + data + b"\n\n")
    assert deltas.take() == ["数据 "]
    assert deltas.failure is not None and deltas.failure.body is None


def test_an_event_without_end_is_a_failure() -> None:
    for begin in (b'data: {"a": "', b"{\n", b"data: x\ndata: "):
        deltas = Deltas(lambda chunk: None)
        deltas.feed(b"data: " + ONE + b"\n\n" + begin)
        for _ in range(17):
            deltas.feed(b"x" * 1024 * 1024)
        assert deltas.take() == ["数据 "] and deltas.failure is not None


def test_a_frame_in_many_frames_is_read_in_linear_time() -> None:
    deltas = Deltas(lambda chunk: None)
    deltas.feed(b"data: " * 1_000_000 + ONE + b"\n\n")
    assert deltas.take() == ["数据 "]


def test_a_json_in_many_lines_is_read_in_linear_time() -> None:
    deltas = Deltas(lambda chunk: None)
    lines = [b"{", *(b'"a%d": {' % n + b"}," for n in range(100_000)), b'"choices": []}']
    deltas.feed(b"\n\n".join(lines))
    deltas.close()
    assert deltas.seen and deltas.failure is None


@pytest.mark.parametrize("reason", ["network_error", "insufficient_system_resource", "ERROR"])
def test_some_finish_reasons_are_faults(reason: str) -> None:
    deltas = Deltas(lambda chunk: None)
    deltas.feed(b"data: " + event("x", reason) + b"\n\n")
    assert deltas.take() == ["x"] and deltas.failure is not None and not deltas.ending.reason


CUTS = [
    b'data: {"choices": [{"delta": {"content": "\\ud83d\\ude00 \xe6\x95\xb0"}}], "x": [1.5, null]}',
    b'{"choices": [{"message": {"content": "a"}, "finish_reason": true}], "usage": {"a": -1}}',
]


@pytest.mark.parametrize("body", CUTS)
def test_half_an_event_at_the_end_of_the_body_is_known_at_any_cut(body: bytes) -> None:
    for end in range(body.index(b"{") + 1, len(body)):
        deltas = Deltas(lambda chunk: None)
        deltas.feed(body[:end])
        deltas.close()
        assert (deltas.cut, deltas.failure, deltas.take()) == (True, None, []), body[:end]


@pytest.mark.parametrize(
    "data", [b'{"id": u', b'{"id": ull,', b'{"id": "\\uq', b'{"id": truf', b"[null nul"]
)
def test_what_no_text_would_complete_is_not_half_an_event(data: bytes) -> None:
    deltas = Deltas(lambda chunk: None)
    deltas.feed(b"data: " + data)
    deltas.close()
    assert not deltas.cut
