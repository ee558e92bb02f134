"""The events of an answer. The same classes are appended, stored, encoded and decoded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The first event: a label of the answer's basis, never empty, and the ids."""

    label: str
    session_id: str
    message_id: str
    question_id: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The numbered passages given to the model, as JSON-ready mappings (docs/api.md)."""

    items: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The next piece of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The next piece of a call of a tool, for readers of /v1 only.

    `index` numbers the calls of an answer; `id` and `name` come with the first piece of each.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class WasThinking:
    """The answer's text after a position was thinking. A reader that has it is sent `reset`."""

    since: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer: stop, length, content_filter or stopped."""

    finish_reason: str
    usage: Json = field(default_factory=dict[str, Any])
    timings: Json = field(default_factory=dict[str, Any])
    citations: tuple[int, ...] = ()
    unread: tuple[Json, ...] = ()  # files that could not be searched yet


@dataclass(frozen=True, slots=True)
class Error:
    """The end of a failed answer; `key` and `params` make the sentence in the user's language.

    `upstream` is what the supplier answered: its status and text, for administrators only.
    """

    code: str
    key: str
    params: Json
    retryable: bool
    retry_after: int | None = None
    upstream: Json | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The answer's stage: reading, rewriting, searching, writing. Has no position."""

    stage: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Discard the text so far; everything is sent again. Has no position."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Ten seconds of silence. Has no position."""


Text: TypeAlias = Reasoning | Chunk
Terminal: TypeAlias = Done | Error
Sent: TypeAlias = Context | Sources | Text | Terminal
Logged: TypeAlias = Sent | ToolCall | WasThinking
Event: TypeAlias = Sent | Status | Reset | Ping
Read: TypeAlias = Event | ToolCall  # what a reader of a log is given
