"""A supplier's address and options, and the parameters of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A supplier's address, key and options. All options may be missing:

    - `connect_seconds`, `first_token_seconds`, `idle_seconds`, `answer_seconds`: other limits than
      the settings'
    - `proxy`, `ca_file`: others than the settings'
    - `headers`, `body`: mappings that are added to every request
    - `stream_usage`: whether usage is asked for
    - `provider`: the name of a LangChain integration (`init_chat_model`), for a supplier that does
      not speak OpenAI's protocol
    - `provider_options`: further arguments of that integration's chat model
    """

    name: str
    label: str
    base_url: str
    api_key: str = field(default="", repr=False)
    preset: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, slots=True)
class Parameters:
    """A model and its parameters; None leaves the choice to the supplier."""

    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
