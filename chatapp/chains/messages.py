"""The interface of a model for our chains, and prompts as LangChain's messages."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from chatapp.chains.pictures import picture_part, text_part
from chatapp.core.prompt import Prompt, Turn
from chatapp.core.unseen import visible
from chatapp.storage import threads

_MESSAGES: dict[str, type[BaseMessage]] = {
    "system": SystemMessage,
    "user": HumanMessage,
    "assistant": AIMessage,
}


class Model(Protocol):
    """A model that answers a prompt."""

    def stream_text(self, prompt: Prompt) -> Iterator[Any]:
        """Yield the answer as it arrives: text as `str`, all else as LangChain messages."""


@runtime_checkable
class Adjustable(Protocol):
    """A model that takes fields of a request in OpenAI's protocol, such as `stop` and `tools`."""

    def with_options(self, options: Mapping[str, Any]) -> Model:
        """Return the model with these fields."""


def to_messages(prompt: Prompt) -> list[BaseMessage]:
    """Return a prompt's turns as messages, without characters that nobody sees.

    Every text for a model passes here, also questions and earlier answers.
    """
    return [_message(turn) for turn in prompt.turns]


def _message(turn: Turn) -> BaseMessage:
    if turn.role == "tool":
        return ToolMessage(content=visible(turn.content), tool_call_id=turn.tool_call_id)
    if turn.tool_calls:
        calls = {"tool_calls": [dict(call) for call in turn.tool_calls]}
        return AIMessage(content=visible(turn.content), additional_kwargs=calls)
    return _MESSAGES.get(turn.role, HumanMessage)(content=_content(turn))


def _content(turn: Turn) -> Any:
    """Return a turn's text; with pictures, a list of the text and each picture as a data URL."""
    text = visible(turn.content)
    if not turn.images:
        return text
    pictures = threads.run(lambda: [picture_part(picture) for picture in turn.images])
    return [text_part(text), *pictures]
