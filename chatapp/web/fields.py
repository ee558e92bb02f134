"""Field types shared by request bodies and queries, and the base class of all input models."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

MAX_IDS = 100
MAX_MD5S = 1000


class Input(BaseModel):
    """Input of a request. NUL is replaced everywhere, because PostgreSQL does not store it."""

    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, value: Any) -> Any:
        return _replace_nul(value)


def _replace_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_replace_nul(item) for item in value]
    if isinstance(value, dict):
        return {key: _replace_nul(item) for key, item in value.items()}
    return value


def as_list(value: Any) -> Any:
    """Return a single string as a list."""
    return [value] if isinstance(value, str) else value


def any_of(*fields: str) -> dict[str, Any]:
    """Return the rule that one of these fields is required.

    It is within `allOf`, because client generators take an object with `anyOf` for a union.
    """
    return {"allOf": [{"anyOf": [{"required": [field]} for field in fields]}]}


def _one_or_many(item: dict[str, Any], most: int) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "maxItems": most}]})


def _md5s(values: list[str]) -> list[str]:
    lowered = [value.lower() for value in values]
    if not all(re.fullmatch("[0-9a-f]{32}", value) for value in lowered):
        raise ValueError("md5")
    return lowered


Splitting = Literal["size", "meaning"]
Access = Literal["private", "read", "write"]
Id = Annotated[str, Field(min_length=1, max_length=80)]
Ids = Annotated[
    list[Id],
    BeforeValidator(as_list),
    Field(max_length=MAX_IDS),
    _one_or_many({"type": "string", "minLength": 1, "maxLength": 80}, MAX_IDS),
]
Md5s = Annotated[
    list[str],
    BeforeValidator(as_list),
    Field(max_length=MAX_MD5S),
    AfterValidator(_md5s),
    _one_or_many({"type": "string", "pattern": "^[0-9a-fA-F]{32}$"}, MAX_MD5S),
]
