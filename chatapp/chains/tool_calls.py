"""Read the calls of tools from LangChain's messages, whole or piece by piece.

Suppliers number calls from 0, from 1, all alike or not at all, and some give them no id.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from chatapp.core.events import ToolCall


class ToolCalls:
    """Numbers the calls of one answer."""

    def __init__(self) -> None:
        self._ids: list[str] = []  # as the supplier gave them
        self._places: dict[int | None, int] = {}  # its index: ours

    def read(self, message: BaseMessage) -> Iterator[ToolCall]:
        """Yield what a message adds to the calls."""
        for part in _parts(message):
            place, call_id, name = part.get("index"), part.get("id") or "", part.get("name") or ""
            arguments = part.get("args") or ""
            index = self._places.get(place)
            if index is None or (name and (place is None or call_id not in ("", self._ids[index]))):
                index = self._places[place] = len(self._ids)
                self._ids.append(call_id)
                yield ToolCall(index, call_id or f"call_{uuid4().hex}", name, arguments)
            elif arguments:
                yield ToolCall(index, arguments=arguments)


def _parts(message: BaseMessage) -> Iterator[Mapping[str, Any]]:
    if isinstance(message, AIMessageChunk) and message.tool_call_chunks:
        for chunk in message.tool_call_chunks:
            yield {**chunk}
    elif isinstance(message, AIMessage):
        for call in message.tool_calls:
            yield {**call, "args": json.dumps(call["args"], ensure_ascii=False)}
        for broken in message.invalid_tool_calls:
            yield {**broken}
