"""The model that a request names, and the one that a turn uses."""

from dataclasses import dataclass, field

from chatapp.chains.endpoint import Endpoint, Parameters


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

    @property
    def has_tools(self) -> bool:
        """Whether the supplier's options offer tools to the model."""
        options = self.endpoint.options if self.endpoint else {}
        fields = {**(options.get("body") or {}), **(options.get("provider_options") or {})}
        return bool(fields.get("tools") or fields.get("functions"))
