"""A supplier's address and options, and the parameters of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A supplier as something to talk to.

    Options: `connect_seconds`, `first_token_seconds`, `idle_seconds`, `answer_seconds` in place of the settings' limits;
    `proxy`, `ca_file` in place of the settings'; `headers` and `body`, mappings that go along with every request;
    `stream_usage`; and `provider`, the name of a LangChain integration for a supplier that does not speak OpenAI's protocol.
    """

    name: str
    label: str
    base_url: str
    api_key: str = field(default="", repr=False)
    preset: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Which model, and how it is to answer; None leaves a choice to the supplier."""

    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
