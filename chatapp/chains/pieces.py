"""Convert what a chain streams, in any of LangChain's shapes, to our own pieces.

No LangChain object leaves this file. Thinking is separated from the answer, in fields (thinking.py)
and in the text (think_tags.py). The finish reason and usage come last, as one Finished.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

from chatapp.chains import finish_reasons
from chatapp.chains.think_tags import ThinkTags
from chatapp.chains.thinking import CONTENT, Thoughts, block_thought
from chatapp.chains.tool_calls import ToolCalls
from chatapp.core.events import Chunk, Reasoning, Status, ToolCall, WasThinking
from chatapp.core.prompt import Passage
from chatapp.core.trace import Trace


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages given to the model in order, what was cut to fit, the search query, and how the
    passages were chosen."""

    passages: tuple[Passage, ...]
    cut: Mapping[str, Any] = field(default_factory=dict[str, Any])
    query: str = ""
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The finish reason (stop, length, content_filter; None for an empty answer) and the usage.

    `called`: the model has called a tool.
    """

    finish_reason: str | None
    usage: Mapping[str, int] = field(default_factory=dict[str, int])
    called: bool = False


Said: TypeAlias = Chunk | Reasoning | ToolCall | WasThinking
Piece: TypeAlias = Said | Status | Retrieved | Finished

_CALLS = ("tool_calls", "tool_call", "tool_use", "function_call")  # finish reasons
_REASON_FIELDS = ("finish_reason", "stop_reason", "done_reason", "stopReason")


def pieces(stream: Iterable[Any]) -> Generator[Piece, None, None]:
    """Yield a chain's stream as pieces, one Finished at the end; closing this closes the stream.

    WasThinking: all Chunk pieces so far were thinking.
    """
    text = _Text()
    is_plain = text.tags.passes
    ending = _Ending()
    try:
        for item in stream:
            if type(item) is dict:
                if "answer" not in item:
                    yield from _beside(item)
                    continue
                if len(item) > 1:
                    yield from _beside(item)
                item = item["answer"]
            if type(item) is not str:
                yield from _message(item, text, ending)
            elif not is_plain(item):
                yield from text.content(item)
            elif item:
                yield Chunk(item)
        yield from text.close()
        yield Finished(ending.reason, ending.counts(), ending.called)
    finally:
        close: Callable[[], None] | None = getattr(stream, "close", None)
        if close is not None:
            close()


class _Ending:
    """Collects finish reason and usage from wherever LangChain's models put them."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.called = False
        self._usage: UsageMetadata | None = None
        self._counts: dict[str, int] = {}

    def note(self, message: BaseMessage) -> None:
        metadata = message.response_metadata
        for name in _REASON_FIELDS:
            if isinstance(reason := metadata.get(name), str) and reason:
                self.reason = finish_reasons.meaning(reason)
                self.called = self.called or reason.lower() in _CALLS
        self.called = self.called or _calls(message)
        if isinstance(message, AIMessage) and message.usage_metadata:
            self._usage = add_usage(self._usage, message.usage_metadata)
        elif isinstance(counts := metadata.get("token_usage") or metadata.get("usage"), dict):
            self._counts = {name: count for name, count in counts.items() if isinstance(count, int)}

    def counts(self) -> dict[str, int]:
        """Return the usage by OpenAI's names."""
        if (usage := self._usage) is None:
            return self._counts
        counts = {
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["total_tokens"],
        }
        if reasoning := usage.get("output_token_details", {}).get("reasoning"):
            counts["reasoning_tokens"] = reasoning
        if cached := usage.get("input_token_details", {}).get("cache_read"):
            counts["cached_tokens"] = cached
        return counts


def _calls(message: BaseMessage) -> bool:
    """Return whether a message, or a part of it, calls a tool."""
    extra = message.additional_kwargs
    if extra.get("tool_calls") or extra.get("function_call"):
        return True
    if isinstance(message, AIMessageChunk) and message.tool_call_chunks:
        return True
    return isinstance(message, AIMessage) and bool(message.tool_calls or message.invalid_tool_calls)


def _beside(item: dict[str, Any]) -> Iterator[Piece]:
    if isinstance(stage := item.get("status"), str):
        yield Status(stage)
    if (context := item.get("context")) is not None:
        passages = tuple(_as_passage(entry) for entry in context)
        trace = item.get("trace")
        yield Retrieved(passages, item.get("cut") or {}, item.get("query") or "", trace)


def _as_passage(entry: Any) -> Passage:
    if isinstance(entry, Passage):
        return entry
    text: str = getattr(entry, "page_content", None) or str(entry)
    known: dict[str, Any] = {
        "chunk_id": 0,
        "knowledge_base_id": "",
        "file_id": "",
        "md5": "",
        "name": "",
        "page": None,
        "heading": "",
        "start": 0,
        "end": len(text),
        "score": 0.0,
        "quote": "",
        "by": {},
    }
    metadata = getattr(entry, "metadata", None) or {}
    # LangChain's loaders put the file's name into "source".
    known["name"] = str(metadata.get("source", ""))
    known |= {name: value for name, value in metadata.items() if name in known}
    return Passage(text=text, **known)


def _message(item: Any, text: "_Text", ending: _Ending) -> Iterator[Said]:
    if isinstance(item, BaseMessage):
        ending.note(item)
        extra = item.additional_kwargs
        yield from text.fields(extra)
        yield from text.content(item.content)
        if isinstance(refused := extra.get("refusal"), str):
            yield from text.content(refused)
        yield from text.calls.read(item)
    elif isinstance(item, str | list):
        yield from text.content(item)


class _Text:
    """Reads text and content blocks; thinking that arrives in several places is yielded once."""

    def __init__(self) -> None:
        self.tags = ThinkTags()
        self.calls = ToolCalls()
        self._thoughts = Thoughts()

    def fields(self, extra: Mapping[str, Any]) -> Iterator[Said]:
        """Yield the thinking in a message's fields."""
        if thought := self._thoughts.read(extra):
            yield Reasoning(thought)

    def content(self, content: Any) -> Iterator[Said]:
        """Yield what a message's content holds: a text or a list of blocks."""
        if isinstance(content, list):
            for block in content:
                yield from self._block(block)
        elif isinstance(content, str) and content:
            yield from self._once(self.tags.feed(str(content)))

    def close(self) -> Iterator[Said]:
        """Yield what was held back."""
        yield from self._once(self.tags.close())

    def _block(self, block: Any) -> Iterator[Said]:
        if not isinstance(block, dict):
            yield from self.content(block)
        elif (thought := block_thought(block)) is not None:
            if thought := self._thoughts.new(CONTENT, thought):
                yield Reasoning(thought)
        elif block.get("type") in ("text", "output_text", "text_delta", "refusal", None):
            text = block.get("text")
            yield from self.content(text if isinstance(text, str) else block.get("refusal"))

    def _once(self, found: Iterable[Said]) -> Iterator[Said]:
        for piece in found:
            if not isinstance(piece, Reasoning):
                if isinstance(piece, WasThinking):
                    self._thoughts.go_on(CONTENT)
                yield piece
            elif thought := self._thoughts.new(CONTENT, piece.text):
                yield Reasoning(thought)
