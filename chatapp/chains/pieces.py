"""Convert what a chain streams, in any of LangChain's shapes, to our own pieces.

No LangChain object leaves this file. Text that begins with `<think>` is reasoning until `</think>`,
wherever the supplier cuts the tags. The finish reason and usage come last, as one Finished.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

from chatapp.core.events import Chunk, Reasoning, Status
from chatapp.core.prompt import Passage

OPENING, CLOSING = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages given to the model in order, what was cut to fit, and the search query."""

    passages: tuple[Passage, ...]
    cut: Mapping[str, Any] = field(default_factory=dict[str, Any])
    query: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The finish reason (stop, length, content_filter; None for an empty answer) and the usage."""

    finish_reason: str | None
    usage: Mapping[str, int] = field(default_factory=dict[str, int])


Piece: TypeAlias = Chunk | Reasoning | Status | Retrieved | Finished

# Suppliers' other finish reasons; one that is not here means "stop".
_REASONS = {
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "sensitive": "content_filter",
    "refusal": "content_filter",
    "guardrail_intervened": "content_filter",
}
_REASON_FIELDS = ("finish_reason", "stop_reason", "done_reason", "stopReason")
_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")


def pieces(stream: Iterable[Any]) -> Generator[Piece, None, None]:
    """Yield a chain's stream as pieces, one Finished at the end; closing this closes the stream."""
    thinking = ThinkTags()
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
                yield from _message(item, thinking, ending)
            elif thinking.over:
                if item:
                    yield Chunk(item)
            else:
                yield from thinking.feed(item)
        yield from thinking.close()
        yield Finished(ending.reason, ending.counts())
    finally:
        close: Callable[[], None] | None = getattr(stream, "close", None)
        if close is not None:
            close()


class ThinkTags:
    """Separates a leading `<think>…</think>` from the text. `over`: all further text is answer."""

    def __init__(self) -> None:
        self.over = False
        self._held = ""
        self._step: Callable[[str], Iterator[Chunk | Reasoning]] = self._before

    def feed(self, text: str) -> Iterator[Chunk | Reasoning]:
        """Process the next text; a possible part of a tag is held back."""
        text, self._held = self._held + text, ""
        if text and self.over:
            yield Chunk(text)
        elif text:
            yield from self._step(text)

    def close(self) -> Iterator[Chunk | Reasoning]:
        """Yield text that was held back for a tag that never came."""
        if self._held:
            yield Reasoning(self._held) if self._step == self._inside else Chunk(self._held)
            self._held = ""

    def _before(self, text: str) -> Iterator[Chunk | Reasoning]:
        start = text.lstrip()
        if start.startswith(OPENING):
            self._step = self._blank_inside
            yield from self.feed(start.removeprefix(OPENING))
        elif OPENING.startswith(start):
            self._held = text
        else:
            self.over = True
            yield Chunk(text)

    def _blank_inside(self, text: str) -> Iterator[Chunk | Reasoning]:
        if text := text.lstrip():
            self._step = self._inside
            yield from self._inside(text)

    def _inside(self, text: str) -> Iterator[Chunk | Reasoning]:
        thought, closing, rest = text.partition(CLOSING)
        if not closing:
            held = next(
                (n for n in range(len(CLOSING) - 1, 0, -1) if text.endswith(CLOSING[:n])), 0
            )
            thought, self._held = text[: len(text) - held], text[len(text) - held :]
        if thought:
            yield Reasoning(thought)
        if closing:
            self._step = self._behind
            yield from self.feed(rest)

    def _behind(self, text: str) -> Iterator[Chunk | Reasoning]:
        if text := text.lstrip():
            self.over = True
            yield Chunk(text)


class _Ending:
    """Collects finish reason and usage from wherever LangChain's models put them."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._usage: UsageMetadata | None = None
        self._counts: dict[str, int] = {}

    def note(self, message: BaseMessage) -> None:
        metadata = message.response_metadata
        for name in _REASON_FIELDS:
            if isinstance(reason := metadata.get(name), str) and reason:
                self.reason = _REASONS.get(reason.lower(), "stop")
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


def _beside(item: dict[str, Any]) -> Iterator[Piece]:
    if isinstance(stage := item.get("status"), str):
        yield Status(stage)
    if (context := item.get("context")) is not None:
        passages = tuple(_as_passage(entry) for entry in context)
        yield Retrieved(passages, item.get("cut") or {}, item.get("query") or "")


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


def _message(item: Any, thinking: ThinkTags, ending: _Ending) -> Iterator[Chunk | Reasoning]:
    if isinstance(item, BaseMessage):
        ending.note(item)
        extra = item.additional_kwargs
        for name in _THOUGHT_FIELDS:
            if thought := _text(extra.get(name)):
                yield Reasoning(thought)
                break
        yield from _content(item.content, thinking)
        if isinstance(refused := extra.get("refusal"), str):
            yield from _content(refused, thinking)
    elif isinstance(item, str | list):
        yield from _content(item, thinking)


def _content(content: Any, thinking: ThinkTags) -> Iterator[Chunk | Reasoning]:
    if isinstance(content, list):
        for block in content:
            yield from _block(block, thinking)
    elif isinstance(content, str) and content:
        if thinking.over:
            yield Chunk(str(content))
        else:
            yield from thinking.feed(content)


def _block(block: Any, thinking: ThinkTags) -> Iterator[Chunk | Reasoning]:
    if not isinstance(block, dict):
        yield from _content(block, thinking)
        return
    kind = block.get("type")
    if kind in ("reasoning", "thinking", "reasoning_content"):
        if thought := _text({name: value for name, value in block.items() if name != "type"}):
            yield Reasoning(thought)
    elif kind in ("text", "output_text", "text_delta", "refusal", None):
        text = block.get("text")
        yield from _content(text if isinstance(text, str) else block.get("refusal"), thinking)


def _text(value: Any) -> str:
    """Return the text of a reasoning value: a string, a list of parts or a mapping of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text(part) for part in value)
    if isinstance(value, dict):
        for name in (
            "text",
            "reasoning",
            "thinking",
            "reasoning_content",
            "reasoning_text",
            "content",
            "summary",
        ):
            if text := _text(value.get(name)):
                return text
    return ""
