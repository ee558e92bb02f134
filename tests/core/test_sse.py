"""SSE cut at every byte: the decoder against the specification, the encoder against it."""

import json
from pathlib import Path
from typing import Any

import pytest

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
from chatapp.core.sse import Decoder, encode, parse_event_id

VECTORS = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "sse_vectors.json").read_text("utf-8")
)


def vector_bytes(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"]) if "hex" in vector else vector["text"].encode()


def decode(*parts: bytes) -> tuple[list[tuple[str, str, str]], Decoder]:
    decoder = Decoder()
    return [(m.event, m.data, m.last_id) for part in parts for m in decoder.feed(part)], decoder


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_specifications_cases_cut_at_every_byte(vector: dict[str, Any]) -> None:
    raw = vector_bytes(vector)
    expected = [(event["type"], event["data"], event["id"]) for event in vector["events"]]
    for cut in range(len(raw) + 1):
        messages, decoder = decode(raw[:cut], raw[cut:])
        assert messages == expected, cut
        assert decoder.retry == vector.get("retry")
        assert "last_id" not in vector or decoder.last_id == vector["last_id"]
    messages, _ = decode(*(raw[i : i + 1] for i in range(len(raw))))
    assert messages == expected


def say(key: str, params: dict[str, Any]) -> str:
    return f"{key} {params}"


LINE_ENDS = 'line\r\nend\u2028\u2029\x85 中文 😀 \\ " \x00\ufffd'
EVENTS: list[tuple[Event, Any]] = [
    (Context("Handbook", "s", "m", "q"), "Handbook"),
    (Chunk(LINE_ENDS), LINE_ENDS),
    (Reasoning("hm"), "hm"),
    (Sources(({"n": 1, "name": "a.pdf"},)), [{"n": 1, "name": "a.pdf"}]),
    (Status("searching"), "searching"),
    (Done("stop", {"completion_tokens": 3}, {"ttft_ms": 1}, (1, 3)),
     {"finish_reason": "stop", "usage": {"completion_tokens": 3}, "timings": {"ttft_ms": 1},
      "citations": [1, 3]}),
    (Error("busy", "error.busy", {"n": 1}, True, 5), "error.busy {'n': 1}"),
    (Reset(), {}),
    (Ping(), {}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "data"), EVENTS, ids=lambda value: type(value).__name__)
def test_encoded_events_decode_at_any_cut(event: Event, data: Any) -> None:
    raw = encode(event, "m-1", 7, say)
    kind = type(event).__name__.lower()
    basic = kind in ("context", "chunk", "error")
    for cut in range(len(raw) + 1):
        [(name, text, last_id)], _ = decode(raw[:cut], raw[cut:])
        assert name == ("message" if basic else kind)
        assert json.loads(text)["type"] == kind
        assert json.loads(text)["data"] == data
        assert last_id == ("" if kind in ("status", "reset", "ping") else "m-1:7")


def test_the_data_has_no_line_end_of_any_kind() -> None:
    raw = encode(Chunk("a\rb\nc\u2028d\u2029e\x85f\x0bg\x0ch"), "m", 1, say).decode()
    lines = raw.splitlines()
    assert len(lines) == 3 and lines[1].startswith("data: ")


def test_a_lone_surrogate_is_replaced() -> None:
    assert b"?" in encode(Chunk("\ud800"), "m", 1, say)


def test_context_and_error_carry_their_fields_beside_the_data() -> None:
    [(_, text, _)], _ = decode(encode(Context("x", "s", "m", "q"), "m", 1, say))
    assert {"session_id": "s", "message_id": "m", "question_id": "q"}.items() <= json.loads(
        text
    ).items()
    [(_, text, _)], _ = decode(encode(Error("c", "k", {}, True, 9), "m", 1, say))
    assert {"code": "c", "retryable": True, "retry_after": 9}.items() <= json.loads(text).items()


@pytest.mark.parametrize(
    ("value", "place"),
    [("m:1", ("m", 1)), (" m:1 ", ("m", 1)), ("a:b:2", ("a:b", 2))]
    + [(bad, None) for bad in ("", "m", "m:", ":1", "m:-1", "m:x", "m:１", "m:" + "9" * 13)],
)
def test_event_ids_are_parsed_or_rejected(value: str, place: tuple[str, int] | None) -> None:
    assert parse_event_id(value) == place
