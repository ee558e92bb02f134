"""Response bodies of models and suppliers; the others are in responses.py."""

from typing import Any

from pydantic import BaseModel, Field


class OfferedModel(BaseModel):
    """A model that can be chosen."""

    supplier: str
    model: str
    name: str
    builtin: bool
    vision: bool | None = Field(
        description="whether it sees pictures; null: not known, they are sent and may be refused"
    )


class Supplier(BaseModel):
    """A supplier of models. Its key is never returned."""

    id: str
    name: str
    label: str
    preset: str | None
    base_url: str
    has_key: bool
    models: list[str]
    enabled: bool
    # The title: client generators would call this SupplierOptions, as another schema is called.
    options: dict[str, Any] = Field(
        title="MaskedOptions",
        description="see SupplierOptions; header values, credentials and keys are ***",
    )
    source: str = Field(description="database, or environment for OPENAI_* variables")
