"""A model's thinking in the fields of a delta, a message or a content block.

The only list of the fields' names and shapes: the reader of OpenAI's protocol (deltas.py) and the
reader of all chains (pieces.py) both use it. Thinking inside the text is found by think_tags.py.
Unknown shapes are ignored.
"""

import re
from collections.abc import Mapping
from io import SEEK_END, StringIO
from typing import Any

# Fields of a delta or message that hold thinking:
# - reasoning_content: DeepSeek, Qwen, GLM, Kimi, SGLang; reasoning: vLLM, OpenRouter, Groq, Ollama
# - thinking: Ollama's native protocol; reasoning_text, cot_summary: GitHub Copilot
# - reasoning_details: OpenRouter, MiniMax (lists); thinking_blocks: LiteLLM for Anthropic (lists)
FIELDS = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "reasoning_text",
    "reasoning_details",
    "thinking_blocks",
    "thinking_content",
    "reasoning_summary",
    "cot_summary",
    "thoughts",
    "thought",
)
# Where the text is inside an object; encrypted thinking (`data`) and signatures are in none of
# these.
_INNER = (
    "text",
    "reasoning",
    "thinking",
    "reasoning_content",
    "reasoning_text",
    "content",
    "summary",
    "thought",
    "parts",
)
_KINDS = ("reasoning", "thinking", "thought", "redacted_thinking")  # of content blocks
_NAMES = frozenset(FIELDS)
_MARKS = _NAMES | {"extra_content"}
CONTENT = "content"  # the source of thinking inside a message's content
_DEPTH = 8  # of lists and objects inside each other
# Gemini puts thinking into the content, with a mark beside it and this tag in the first delta; the
# first delta of the answer begins with the closing tag.
# https://ai.google.dev/gemini-api/docs/openai
_OPENED = re.compile(r"\s*<thought>\s*", re.IGNORECASE)
_CLOSED = re.compile("</thought", re.IGNORECASE)
# A repeated text counts as the whole thought so far, not as the next piece, from this length on.
_REPEATED_CHARACTERS = 16


class Thoughts:
    """Thinking that arrives in several fields; each part is returned once.

    A field that repeats what another one has said (OpenRouter's `reasoning` and
    `reasoning_details`, MiniMax's fields and `<think>` in the content) adds nothing, in the same
    delta or a later one. Nor does a field that sends the whole thought so far each time
    (https://github.com/MiniMax-AI/MiniMax-M2/issues/95).
    """

    def __init__(self) -> None:
        self._shown = StringIO()  # all thinking so far
        self._end = 0
        self._read: dict[str, int] = {}  # by source: how much of it the source has sent

    def split(self, delta: Mapping[str, Any]) -> tuple[str, Any]:
        """Return a delta's new thinking and its content, which may be thinking as well."""
        content = delta.get(CONTENT)
        if _MARKS.isdisjoint(delta):
            return "", content
        thought = self.read(delta)
        if isinstance(content, str) and _is_marked(delta) and not _CLOSED.search(content):
            return thought + self.new(CONTENT, _OPENED.sub("", content, count=1)), None
        return thought, content

    def read(self, fields: Mapping[str, Any]) -> str:
        """Return the new thinking in the fields of a delta or message."""
        found = ""
        for name, value in fields.items():
            if value and name in _NAMES and (text := thought_text(value)):
                found += self.new(name, text)
        return found

    def new(self, source: str, text: str) -> str:
        """Return what a source's next text adds to the thinking so far."""
        at = self._read.get(source, 0)
        if at == self._end > len(text):  # nearly all text
            return self._add(source, text)
        if source not in self._read:
            text = text.lstrip()
        if source != CONTENT and self._is_whole(text, at):
            text = text[at:]
        if at < self._end:
            rest = self._slice(at, len(text))
            if rest == text:
                self._read[source] = at + len(text)
                return ""
            if text.startswith(rest) and at + len(rest) == self._end:
                text = text[len(rest) :]
        return self._add(source, text) if text else ""

    def go_on(self, source: str) -> None:
        """Note that a source's next text goes on in the middle of a thought."""
        self._read.setdefault(source, self._end)

    def _add(self, source: str, text: str) -> str:
        self._shown.write(text)
        self._end += len(text)
        self._read[source] = self._end
        return text

    def _is_whole(self, text: str, at: int) -> bool:
        """Return whether a text repeats everything that its source has sent."""
        if not at or len(text) < at or (len(text) == at and at < _REPEATED_CHARACTERS):
            return False
        sent = self._slice(0, at)
        return bool(sent.strip()) and text.startswith(sent)

    def _slice(self, at: int, length: int) -> str:
        self._shown.seek(at)
        found = self._shown.read(length)
        self._shown.seek(0, SEEK_END)
        return found


def thought_text(value: Any, depth: int = _DEPTH) -> str:
    """Return the text of a thinking field: a string, a list of parts or an object."""
    if isinstance(value, str):
        return value
    if not depth:
        return ""
    if isinstance(value, list):
        return "".join(thought_text(part, depth - 1) for part in value)
    if isinstance(value, dict):
        texts = (thought_text(value.get(name), depth - 1) for name in _INNER)
        return next(filter(None, texts), "")
    return ""


def block_thought(block: Mapping[str, Any]) -> str | None:
    """Return the thinking of a content block; None for a block that is none."""
    if str(block.get("type") or "").startswith(_KINDS) or block.get("thought") is True:
        return thought_text(dict(block))
    return None


def _is_marked(delta: Mapping[str, Any]) -> bool:
    """Return whether a delta's content is marked as thinking."""
    extra = delta.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    marked = google.get("thought") if isinstance(google, dict) else None
    return marked is True or delta.get("thought") is True
