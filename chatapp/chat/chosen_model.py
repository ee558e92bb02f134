"""The model that a request names, and the one that a turn uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chatapp.chains.endpoint import Endpoint, Parameters

_MADE_WITH = ("temperature", "max_tokens", "top_p")


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """The model that a request or session names; any part may be missing."""

    supplier: str | None = None
    model: str | None = None
    temperature: float | None = None
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The model of a turn. `endpoint` None is the built-in one; `sees` None: it is not known."""

    supplier: str
    model: str
    label: str
    context_tokens: int
    endpoint: Endpoint | None
    parameters: Parameters
    sees: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])  # of this request

    def asked_with(self, options: Mapping[str, Any]) -> "ResolvedModel":
        """Return the model with request fields in OpenAI's protocol.

        LangChain's other integrations take the most frequent ones when the model is made.
        """
        if not (self.endpoint and self.endpoint.options.get("provider")):
            return replace(self, options=options)
        made = {name: options[name] for name in _MADE_WITH if name in options}
        rest = {name: value for name, value in options.items() if name not in made}
        return replace(self, parameters=replace(self.parameters, **made), options=rest)

    @property
    def has_tools(self) -> bool:
        """Whether the supplier's options offer tools to the model."""
        options = self.endpoint.options if self.endpoint else {}
        fields = {**(options.get("body") or {}), **(options.get("provider_options") or {})}
        return bool(fields.get("tools") or fields.get("functions"))
