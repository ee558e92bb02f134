"""Conversations that programs keep themselves and send whole (/v1): what the model is asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chatapp.chains.models import context_tokens
from chatapp.chat.chosen_model import ResolvedModel
from chatapp.chat.images import pictures
from chatapp.chat.question import Question, SentMessage
from chatapp.core.blank import is_blank
from chatapp.core.pictures import Picture
from chatapp.core.prompt import Ask, Turn
from chatapp.errors import ContextTooLong, InvalidRequest
from chatapp.storage.models import new_id


def ask_of(
    question: Question, shown: Sequence[dict[str, Any]], resolved: ResolvedModel, files: Path
) -> Ask:
    """Return what a model is asked; `shown` are all pictures of the messages.

    Raises InvalidRequest for pictures or tools that the model does not take, and ContextTooLong
    where its context is known to be smaller.
    """
    ids = [image["id"] for image in shown]
    by_id = dict(zip(ids, pictures(shown, files), strict=True))
    turns = tuple(_turn(message, by_id) for message in question.messages)
    asked = max((n for n, turn in enumerate(turns) if turn.role == "user"), default=len(turns) - 1)
    said = [turn for turn in turns[:asked] if turn.role in ("user", "assistant")]
    ask = Ask(
        question=turns[asked].content,
        history=[turn for turn in said if not is_blank(turn.content)],
        context_tokens=resolved.context_tokens,
        images=tuple(by_id.values()),
        sees=resolved.sees is not False,
        turns=turns,
    )
    _require_possible(ask, question, resolved)
    return ask


def rows_of(
    messages: Sequence[SentMessage], shown: Sequence[dict[str, Any]], last: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of all messages, one below the other; `last` is the row of the last one,
    whose columns the others share."""
    by_id = {image["id"]: image for image in shown}
    ids = [*(new_id() for _ in messages[1:]), last["id"]]
    return [
        {
            **last,
            "id": row_id,
            "parent_id": parent_id,
            "role": message.role,
            "content": message.text,
            "images": [by_id[image_id] for image_id in message.images] or None,
            "tool_calls": _calls(message),
        }
        for message, row_id, parent_id in zip(messages, ids, [None, *ids], strict=False)
    ]


def _calls(message: SentMessage) -> list[Any] | None:
    """Return the calls of an assistant as an answer stores them, or the one that a tool answers."""
    if message.tool_call_id:
        return [[0, message.tool_call_id, "", ""]]
    calls = enumerate(message.tool_calls)
    return [[n, call["id"], *call["function"].values()] for n, call in calls] or None


def _turn(message: SentMessage, by_id: Mapping[str, Picture]) -> Turn:
    return Turn(
        message.role,
        message.text,
        tuple(by_id[image_id] for image_id in message.images),
        tuple(message.tool_calls),
        message.tool_call_id,
    )


def _require_possible(ask: Ask, question: Question, resolved: ResolvedModel) -> None:
    if resolved.endpoint is None:
        if question.must_call_tool:
            raise InvalidRequest("tool_choice", "no_tools", model=resolved.model)
        return
    if ask.images and not ask.sees:
        raise InvalidRequest("messages", "blind", model=resolved.model)
    # Where the size is not known, the supplier decides.
    known = context_tokens(resolved.endpoint.preset, resolved.model, 0)
    if known and ask.tokens >= known:
        raise ContextTooLong("messages")
