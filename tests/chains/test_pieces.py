"""Every shape a chain may stream, read as pieces."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata

from chatapp.chains.build import Finished, Retrieved, pieces
from chatapp.core.events import Chunk, Reasoning, Status, ToolCall, WasThinking
from tests.support.passages import passage

NOTHING = Finished(None, {})
USAGE: UsageMetadata = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
SAID = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


SHAPES: list[tuple[str, list[Any], list[Any]]] = [
    ("strings", ["a", "", "b"], [Chunk("a"), Chunk("b"), NOTHING]),
    (
        "message chunks",
        [AIMessageChunk(content="a"), AIMessageChunk(content="b")],
        [Chunk("a"), Chunk("b"), NOTHING],
    ),
    ("a whole message", [AIMessage(content="all")], [Chunk("all"), NOTHING]),
    (
        "answers in dicts",
        [{"answer": "a"}, {"answer": AIMessageChunk(content="b")}],
        [Chunk("a"), Chunk("b"), NOTHING],
    ),
    ("nothing at all", [], [NOTHING]),
    ("other keys of a chain", [{"input": "q"}, {"answer": None}, None, 5], [NOTHING]),
    (
        "content blocks",
        [
            AIMessageChunk(
                content=[
                    {"type": "thinking", "thinking": "t1"},
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "t2"}]},
                    {"type": "reasoning", "reasoning": "t3"},
                    {"type": "text", "text": "a"},
                    "b",
                    {"type": "image_url", "image_url": {"url": "x"}},
                    {"type": "refusal", "refusal": "no"},
                ]
            )
        ],
        [
            Reasoning("t1"),
            Reasoning("t2"),
            Reasoning("t3"),
            Chunk("a"),
            Chunk("b"),
            Chunk("no"),
            NOTHING,
        ],
    ),
    (
        "a list of blocks",
        [[{"type": "text", "text": "a"}], {"answer": [{"text": "b"}]}],
        [Chunk("a"), Chunk("b"), NOTHING],
    ),
    (
        "reasoning fields",
        [
            AIMessageChunk(content="", additional_kwargs={"reasoning_content": "t"}),
            AIMessageChunk(
                content="a", additional_kwargs={"reasoning": {"summary": [{"text": "u"}]}}
            ),
        ],
        [Reasoning("t"), Reasoning("u"), Chunk("a"), NOTHING],
    ),
    (
        "reason and usage apart",
        [
            "a",
            AIMessageChunk(content="", response_metadata={"finish_reason": "length"}),
            AIMessageChunk(content="", usage_metadata=USAGE),
        ],
        [Chunk("a"), Finished("length", SAID)],
    ),
    (
        "reason alone",
        [AIMessageChunk(content="", response_metadata={"stop_reason": "end_turn"})],
        [Finished("stop", {})],
    ),
    ("usage alone", [AIMessageChunk(content="", usage_metadata=USAGE)], [Finished(None, SAID)]),
    (
        "usage of an older kind",
        [
            AIMessage(
                content="a",
                response_metadata={
                    "finish_reason": "stop",
                    "token_usage": {"prompt_tokens": 1, "x": None},
                },
            )
        ],
        [Chunk("a"), Finished("stop", {"prompt_tokens": 1})],
    ),
    (
        "usage in two parts",
        [
            AIMessageChunk(
                content="",
                usage_metadata={"input_tokens": 3, "output_tokens": 0, "total_tokens": 3},
            ),
            AIMessageChunk(
                content="",
                usage_metadata={"input_tokens": 0, "output_tokens": 4, "total_tokens": 4},
            ),
        ],
        [Finished(None, SAID)],
    ),
    (
        "a refusal",
        [AIMessageChunk(content="", additional_kwargs={"refusal": "I cannot."})],
        [Chunk("I cannot."), NOTHING],
    ),
    (
        "stages and documents",
        [
            {"status": "searching"},
            {
                "context": [passage()],
                "query": "q",
                "cut": {"passages": 1, "history": 0},
            },
            {"answer": "a"},
        ],
        [
            Status("searching"),
            Retrieved((passage(),), {"passages": 1, "history": 0}, "q"),
            Chunk("a"),
            NOTHING,
        ],
    ),
    (
        "context and answer in one dict",
        [{"context": [], "answer": "a"}],
        [Retrieved(()), Chunk("a"), NOTHING],
    ),
    (
        "a tool call",
        [
            AIMessageChunk(
                content="",
                tool_call_chunks=[{"name": "f", "args": "{}", "id": "c", "index": 0}],
            ),
            "a",
        ],
        [ToolCall(0, "c", "f", "{}"), Chunk("a"), Finished(None, {}, called=True)],
    ),
    (
        "a tool call of an older kind",
        [AIMessageChunk(content="", additional_kwargs={"function_call": {"name": "f"}})],
        [Finished(None, {}, called=True)],
    ),
    (
        "a tool call by its reason",
        [AIMessageChunk(content="", response_metadata={"stop_reason": "tool_use"})],
        [Finished("stop", {}, called=True)],
    ),
    (
        "text that was thinking",
        ["a", AIMessageChunk(content="b"), "</think>", "\n", "c"],
        [Chunk("a"), Chunk("b"), WasThinking(), Chunk("c"), NOTHING],
    ),
    ("thinking in the text", ["<think>a</think>", "\n\nb"], [Reasoning("a"), Chunk("b"), NOTHING]),
]


@pytest.mark.parametrize(
    ("stream", "expected"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES]
)
def test_every_shape_becomes_pieces(stream: Iterable[Any], expected: list[Any]) -> None:
    assert list(pieces(stream)) == expected


def test_a_langchain_document_becomes_a_passage() -> None:
    found = next(
        pieces(
            [
                {
                    "context": [
                        Document(
                            page_content="text", metadata={"source": "a.txt", "page": 2, "other": 1}
                        )
                    ]
                }
            ]
        )
    )
    assert isinstance(found, Retrieved)
    assert (found.passages[0].name, found.passages[0].page, found.passages[0].text) == (
        "a.txt",
        2,
        "text",
    )


def test_closing_and_ending_close_the_stream() -> None:
    closed = []

    def stream() -> Iterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    found = pieces(stream())
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert closed == [True]
    list(pieces(stream()))
    assert closed == [True, True]


def test_a_thought_that_is_moved_in_its_middle_keeps_its_blanks() -> None:
    found = list(pieces(iter(["Let", " me think.</think>Hi"])))
    assert "".join(piece.text for piece in found if hasattr(piece, "text")) == "Let me think.Hi"
