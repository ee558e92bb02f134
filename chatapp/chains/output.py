"""Collect what was decoded from a stream: text as strings, all else as messages, in order."""

from collections.abc import Callable
from typing import TypeAlias

from langchain_core.messages import AIMessageChunk

Streamed: TypeAlias = str | AIMessageChunk


class Output:
    """Collects an answer; adjacent pieces of text, and of thinking, are joined when it is taken.

    `said` takes the text once it is joined.
    """

    def __init__(self, said: Callable[[str], object]) -> None:
        self.text: list[str] = []  # always the same list, one of these two is empty
        self.thought: list[str] = []
        self.spoken = False  # text was added
        self.acted = False  # something was added that is neither text nor thinking
        self.reasoned = False  # thinking was added
        self._said = said
        self._parts: list[Streamed] = []

    def say(self, text: str) -> None:
        """Add text."""
        if self.thought:
            self.flush()
        self.text.append(text)

    def think(self, thought: str) -> None:
        """Add thinking."""
        if self.text:
            self.flush()
        self.thought.append(thought)

    def add(self, message: AIMessageChunk) -> None:
        """Add a message."""
        self.flush()
        self._parts.append(message)
        self.acted = True

    def take(self) -> list[Streamed]:
        """Return what was added since the last call."""
        self.flush()
        parts, self._parts = self._parts, []
        return parts

    def flush(self) -> None:
        """Join what was added last."""
        if self.text:
            text = "".join(self.text)
            self._said(text)
            self.spoken = True
            self._parts.append(text)
            self.text.clear()
        if self.thought:
            fields = {"reasoning_content": "".join(self.thought)}
            self._parts.append(AIMessageChunk(content="", additional_kwargs=fields))
            self.reasoned = True
            self.thought.clear()
