"""Thinking in fields: every name and shape, and each thought once."""

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk

from chatapp.chains.build import pieces
from chatapp.chains.deltas import Deltas
from chatapp.chains.thinking import FIELDS, Thoughts
from chatapp.core.events import Chunk, Reasoning

HM = {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "index": 0}
SHAPES: list[tuple[str, dict[str, Any], str]] = [
    *[(name, {name: "Hm."}, "Hm.") for name in FIELDS],
    ("a list of details", {"reasoning_details": [HM]}, "Hm."),
    (
        "a summary",
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}]},
        "Hm.",
    ),
    ("encrypted", {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, ""),
    (
        "blocks",
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]},
        "Hm.",
    ),
    ("redacted", {"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]}, ""),
    ("an object", {"reasoning": {"content": "Hm."}}, "Hm."),
    ("an object of lists", {"reasoning": {"summary": [{"text": "Hm."}, "."]}}, "Hm.."),
    ("null", {"reasoning_content": None, "reasoning": "Hm."}, "Hm."),
    ("numbers", {"reasoning_content": 3, "reasoning": {"effort": 2}, "thinking": True}, ""),
    ("lists of numbers", {"reasoning_details": [1, None, [[2]]]}, ""),
    ("very deep", {"reasoning": [[[[[[[[[["Hm."]]]]]]]]]]}, ""),
    ("the same in two fields", {"reasoning": "Hm.", "reasoning_details": [HM]}, "Hm."),
    ("the same in all fields", dict.fromkeys(FIELDS, "Hm."), "Hm."),
    ("the same but for blanks", {"reasoning": "\nHm.", "reasoning_content": "Hm."}, "Hm."),
    ("two thoughts", {"reasoning": "So.", "reasoning_content": "Hm."}, "So.Hm."),
]


def streamed(*deltas: dict[str, Any]) -> tuple[str, str]:
    """Return thinking and answer of an OpenAI stream of these deltas."""
    read = Deltas(lambda chunk: AIMessageChunk(content=chunk["choices"][0]["delta"]["content"]))
    for delta in deltas:
        event = {"choices": [{"index": 0, "delta": delta}]}
        read.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert read.failure is None
    return split(read.take())


def split(stream: list[Any]) -> tuple[str, str]:
    found = list(pieces(stream))
    return tuple(  # type: ignore[return-value]
        "".join(piece.text for piece in found if isinstance(piece, kind))
        for kind in (Reasoning, Chunk)
    )


@pytest.mark.parametrize(("fields", "thought"), [r[1:] for r in SHAPES], ids=[r[0] for r in SHAPES])
def test_thinking_in_any_field_is_read(fields: dict[str, Any], thought: str) -> None:
    assert streamed(fields, {"content": "Yes."}) == (thought, "Yes.")
    assert streamed({**fields, "content": "Yes."}) == (thought, "Yes.")
    assert split([AIMessageChunk(content="Yes.", additional_kwargs=fields)]) == (thought, "Yes.")


def test_a_whole_message_is_read_alike() -> None:
    read = Deltas(lambda chunk: None)
    message = {"content": "Yes.", "thinking": "Hm.", "reasoning_details": [HM]}
    read.feed(json.dumps({"choices": [{"message": message}]}).encode())
    read.close()
    assert split(read.take()) == ("Hm.", "Yes.")


REPEATS: list[tuple[str, list[dict[str, Any]], str]] = [
    (
        "in turn",
        [{"reasoning": "Let "}, {"thinking": "Let "}, {"reasoning": "me"}, {"thinking": "me."}],
        "Let me.",
    ),
    ("one behind", [{"reasoning": "Let me"}, {"thinking": "L"}, {"thinking": "et me."}], "Let me."),
    (
        "the whole at the end",
        [{"reasoning": "Let "}, {"reasoning": "me."}, {"reasoning_details": [{"text": "Let me."}]}],
        "Let me.",
    ),
    (
        "the whole each time",
        [{"reasoning_details": [{"text": text}]} for text in ("L", "Let", "Let me", "Let me.")],
        "Let me.",
    ),
    (
        "the whole each time beside the parts",
        [
            {"reasoning_content": part, "reasoning_details": [{"text": whole}]}
            for part, whole in (("Let", "Let"), (" me", "Let me"), (".", "Let me."))
        ],
        "Let me.",
    ),
    (
        "the whole twice",
        [{"reasoning": "Let me think of it."}, {"reasoning": "Let me think of it."}],
        "Let me think of it.",
    ),
    ("equal parts", [{"reasoning": "ha"}, {"reasoning": "ha"}, {"reasoning": "\n"}], "haha\n"),
    ("blank parts", [{"reasoning": "\n"}, {"reasoning": "\nLet"}, {"reasoning": "\n"}], "Let\n"),
    (
        "fields and tags",
        [
            {"content": "<think>Let ", "reasoning_content": "Let "},
            {"content": "me.</think>", "reasoning_content": "me."},
        ],
        "Let me.",
    ),
    ("fields, then tags", [{"reasoning": "Let me."}, {"content": "<think>\nLet me.</think>\n"}],
     "Let me."),
    ("tags, then a field", [{"content": "<think>Let me.</think>"}, {"reasoning": "Let me."}],
     "Let me."),
    ("parts that begin alike", [{"content": "<think>One "}, {"content": "One day</think>"}],
     "One One day"),
    ("a closing tag behind a field", [{"reasoning": "Let me."}, {"content": "\n</think>\n\n"}],
     "Let me."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("deltas", "thought"), [r[1:] for r in REPEATS], ids=[r[0] for r in REPEATS]
)
def test_a_thought_is_shown_once(deltas: list[dict[str, Any]], thought: str) -> None:
    assert streamed(*deltas, {"content": "Yes."}) == (thought, "Yes.")


MARK = {"google": {"thought": True}}


@pytest.mark.parametrize(
    "deltas",
    [
        [
            {"content": "<thought>Let ", "extra_content": MARK},
            {"content": "me.", "extra_content": MARK},
            {"content": "</thought>Yes.", "extra_content": None},
        ],
        [{"content": "<thought>Let me.</thought>Yes.", "extra_content": MARK}],
        [{"content": "Let me.", "extra_content": MARK}, {"content": "Yes."}],
        [{"content": "Let me.", "thought": True}, {"content": "Yes."}],
        [{"content": "<thought>Let me."}, {"content": "</thought>Yes."}],
        [{"content": [{"text": "Let me.", "thought": True}, {"text": "Yes."}]}],
        [
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me."}]}]},
            {"content": [{"type": "text", "text": "Yes."}]},
        ],
        [{"content": [{"type": "redacted_thinking", "data": "x"}]}, {"reasoning": "Let me."},
         {"content": "Yes."}],
    ],
)  # fmt: skip
def test_content_that_is_marked_as_thinking_is(deltas: list[dict[str, Any]]) -> None:
    assert streamed(*deltas) == ("Let me.", "Yes.")


def test_a_long_thought_is_recognised_as_a_repetition() -> None:
    thoughts = Thoughts()
    parts = [f"{n} " for n in range(50_000)]
    found = [thoughts.new("reasoning", part) for part in parts]
    assert found == parts
    assert not any(thoughts.new("reasoning_details", part) for part in parts)
