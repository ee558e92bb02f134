"""How somebody's questions are asked where they do not say so themselves. A person's own values are a column of `users`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defaults:
    """The product's values, where nobody has set others. `temperature` None is the model's own."""

    temperature: float | None = None
    system_prompt: str = ""
    max_length: int = 20  # earlier messages that go along
    documents_only: bool = False
