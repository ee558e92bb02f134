"""A question before and after its turn is opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chatapp.chat.chosen_model import ModelRequest, ResolvedModel
from chatapp.core.events import Context
from chatapp.core.prompt import Ask
from chatapp.knowledge.selection import Bases


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message of a program that keeps its conversation itself (/v1); `images` are ids."""

    role: str
    text: str = ""
    images: Sequence[str] = ()
    tool_calls: Sequence[Mapping[str, Any]] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A validated question. `bases` None: the session's; `at_root`: a new branch at the root.

    `messages` are the whole conversation of a program, `text` and `images` those of its last
    question; `must_call_tool`: the model may not answer instead.
    """

    text: str | None = None
    question_id: str | None = None
    continue_id: str | None = None
    session_id: str | None = None
    parent_id: str | None = None
    at_root: bool = False
    client_message_id: str | None = None
    system_prompt: str = ""
    max_length: int = 20
    documents_only: bool = False
    named: frozenset[str] = frozenset()  # the settings that the request itself sets
    model_request: ModelRequest = field(default_factory=ModelRequest)
    bases: Sequence[str] | None = None
    md5s: Sequence[str] | None = None
    search_k: int | None = None
    temporary: bool = False
    images: Sequence[str] = ()  # ids, of a new question
    messages: Sequence[SentMessage] = ()
    must_call_tool: bool = False

    @property
    def kind(self) -> str:
        """The kind of a new session."""
        return "api" if self.messages else "temporary" if self.temporary else "chat"

    def with_settings(self, settings: Mapping[str, Any]) -> "Question":
        """Return the question with a chat's own settings where the request sets nothing."""
        own = {name: value for name, value in settings.items() if name not in self.named}
        temperature = own.pop("temperature", self.model_request.temperature)
        model_request = replace(self.model_request, temperature=temperature)
        return replace(self, model_request=model_request, **own)


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer that can start. `ask` None: it was started before, so attach to it."""

    message_id: str
    session_id: str
    user_id: str
    context: Context | None = None
    ask: Ask | None = None
    resolved: ResolvedModel | None = None
    bases: Bases | None = None
    md5s: Sequence[str] = ()
    search_k: int = 5
