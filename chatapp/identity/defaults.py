"""Per-user chat defaults; a user's own values are a column of `users`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defaults:
    """The product's defaults. `temperature` None leaves it to the model."""

    temperature: float | None = None
    system_prompt: str = ""
    max_length: int = 20  # earlier messages sent to the model
    documents_only: bool = False
