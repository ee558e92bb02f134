"""Calls of tools, as suppliers and LangChain's integrations send them."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from chatapp.chains.pieces import pieces
from chatapp.core.events import ToolCall

Row = tuple[str, list[BaseMessage], list[tuple[str, str, str]]]


def piece(
    index: int | None, call_id: str | None = None, name: str | None = None, args: str | None = None
) -> AIMessageChunk:
    chunk: Any = {"index": index, "id": call_id, "name": name, "args": args}
    return AIMessageChunk(content="", tool_call_chunks=[chunk])


ROWS: list[Row] = [
    (
        "arguments in pieces",
        [piece(0, "a", "f", ""), piece(0, args='{"x":'), piece(0, args="1}")],
        [("a", "f", '{"x":1}')],
    ),
    (
        "the id and name again with each piece",
        [piece(0, "a", "f", '{"x":'), piece(0, "a", "f", "1}")],
        [("a", "f", '{"x":1}')],
    ),
    (
        "two calls that take turns",
        [piece(0, "a", "f", "{"), piece(1, "b", "g", "["), piece(0, args="}"), piece(1, args="]")],
        [("a", "f", "{}"), ("b", "g", "[]")],
    ),
    (
        "numbered from 1",
        [piece(1, "a", "f", "{}"), piece(2, "b", "g", "{}")],
        [("a", "f", "{}"), ("b", "g", "{}")],
    ),
    (
        "all numbered 0",
        [piece(0, "a", "f", "{}"), piece(0, "b", "f", "{}")],
        [("a", "f", "{}"), ("b", "f", "{}")],
    ),
    (
        "not numbered, with ids",
        [piece(None, "a", "f", "{}"), piece(None, "b", "g", "{}")],
        [("a", "f", "{}"), ("b", "g", "{}")],
    ),
    (
        "not numbered, without ids",
        [piece(None, None, "f", "{}"), piece(None, None, "f", "{}")],
        [("call_", "f", "{}"), ("call_", "f", "{}")],
    ),
    (
        "whole, from another integration",
        [AIMessage(content="", tool_calls=[{"name": "f", "args": {"x": "é"}, "id": "a"}])],
        [("a", "f", '{"x": "é"}')],
    ),
]


@pytest.mark.parametrize(
    ("messages", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_calls_are_put_together(
    messages: list[BaseMessage], expected: list[tuple[str, str, str]]
) -> None:
    calls: dict[int, list[str]] = {}
    for found in pieces(messages):
        if isinstance(found, ToolCall):
            call = calls.setdefault(found.index, ["", "", ""])
            call[0] += found.id[:5]
            call[1] += found.name
            call[2] += found.arguments
    assert [tuple(call) for call in calls.values()] == expected
    assert list(calls) == list(range(len(expected)))
