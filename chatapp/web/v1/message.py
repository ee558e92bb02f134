"""An answer that has ended, as OpenAI's protocol shows it: reason, usage, message, sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatapp.core.answer import AnswerLog
from chatapp.core.events import Chunk, Done, Json, Reasoning, ToolCall
from chatapp.web.v1.citations import annotations, listed

REASONS = ("stop", "length", "content_filter")
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer; `appended` is text that follows the model's."""

    reason: str
    usage: dict[str, Any] | None
    annotations: Sequence[dict[str, Any]]
    appended: str = ""


def finished(
    log: AnswerLog, end: Done, address: str, list_sources: bool, language: str
) -> Finished:
    """Return the end of an answer; `address` is where the service is reached."""
    text, sources = log.text(Chunk), log.sources()
    reason = end.finish_reason if end.finish_reason in REASONS else "stop"
    if log.tool_calls() and reason == "stop":
        reason = "tool_calls"
    cited = [source for source in sources if source["n"] in end.citations]
    return Finished(
        reason,
        usage_json(end.usage),
        annotations(text, sources, address, language),
        listed(cited, language) if list_sources else "",
    )


def message_json(log: AnswerLog, end: Finished) -> dict[str, Any]:
    """Return the whole message."""
    text, thought = log.text(Chunk) + end.appended, log.text(Reasoning)
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if thought:
        message["reasoning_content"] = thought
    if calls := _whole_calls(log.tool_calls()):
        message |= {"content": text or None, "tool_calls": calls}
    if end.annotations:
        message["annotations"] = end.annotations
    return message


def call_json(piece: ToolCall) -> dict[str, Any]:
    """Return a piece of a call as a delta: id and name come with the first one."""
    function = {"arguments": piece.arguments}
    if not piece.id:
        return {"index": piece.index, "function": function}
    function = {"name": piece.name, **function}
    return {"index": piece.index, "id": piece.id, "type": "function", "function": function}


def _whole_calls(pieces: Sequence[ToolCall]) -> list[dict[str, Any]]:
    calls: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        if piece.index in calls:
            calls[piece.index]["function"]["arguments"] += piece.arguments
        else:
            calls[piece.index] = call_json(piece)
    return [{name: call[name] for name in call if name != "index"} for call in calls.values()]


def usage_json(usage: Json) -> dict[str, Any] | None:
    """Return what was used; None where the supplier has not told."""
    if not usage:
        return None
    counts: dict[str, Any] = {name: usage.get(name, 0) for name in COUNTS}
    counts["total_tokens"] = usage.get("total_tokens") or sum(counts[name] for name in COUNTS[:2])
    return counts | _details(usage)


def _details(usage: Mapping[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if "cached_tokens" in usage:
        details["prompt_tokens_details"] = {"cached_tokens": usage["cached_tokens"]}
    if "reasoning_tokens" in usage:
        details["completion_tokens_details"] = {"reasoning_tokens": usage["reasoning_tokens"]}
    return details
