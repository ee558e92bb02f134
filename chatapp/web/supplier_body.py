"""Request bodies to create, update and test a supplier."""

import json
import re
from math import isfinite
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from chatapp.chains.models import preset as find_preset
from chatapp.core.pasted import pasted_address, pasted_key
from chatapp.core.unseen import visible
from chatapp.errors import InvalidRequest
from chatapp.web.fields import Input, any_of

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, token
HEADER_VALUE = re.compile(r"[\x20-\x7e\t]{0,4000}")
OPTION_CHARACTERS = 64 * 1024  # of `body` and of `provider_options`, as JSON
OPTION_DEPTH = 16
MOST_INTEGER = 2**63  # what JSON encoders take
SUPPLIER_FIELDS = {"api_key", "base_url", "model", "model_provider"}
Seconds = Annotated[float, Field(ge=0.1, le=86_400, allow_inf_nan=False)]


def _is_shallow(value: Any, depth: int = OPTION_DEPTH) -> bool:
    """Say whether a value can be sent as JSON by every library, and is not nested too deeply."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_shallow(each, depth - 1) for each in inner)
    if isinstance(value, float):
        return isfinite(value)
    return not isinstance(value, int) or abs(value) < MOST_INTEGER


class SupplierOptions(Input):
    """Options of a supplier. null removes an option; omitted ones are unchanged."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    connect_seconds: Seconds | None = Field(default=None, description="limit for connecting")
    first_token_seconds: Seconds | None = Field(
        default=None, description="limit until the first token"
    )
    idle_seconds: Seconds | None = Field(default=None, description="limit between two tokens")
    answer_seconds: Seconds | None = Field(default=None, description="limit for the whole answer")
    proxy: str | None = Field(
        default=None,
        max_length=500,
        repr=False,
        description="HTTP proxy; credentials are returned as ***",
    )
    ca_file: str | None = Field(
        default=None, max_length=1000, description="path of a PEM file with CA certificates"
    )
    headers: dict[str, str] | None = Field(
        default=None,
        max_length=50,
        repr=False,
        description="sent with every request; shown as ***, which keeps the value when sent back",
    )
    body: dict[str, Any] | None = Field(
        default=None,
        max_length=100,
        repr=False,
        description="fields added to the body of every request; texts named like a key are masked",
    )
    stream_usage: bool | None = Field(
        default=None, description="whether to ask for token counts in streams"
    )
    vision: dict[str, bool] | None = Field(
        default=None,
        max_length=1000,
        description="models of which it is known whether they see pictures: {name: true or false}",
    )
    provider: str | None = Field(
        default=None,
        max_length=40,
        description=(
            "provider of LangChain's init_chat_model, for a protocol other than OpenAI's; its "
            "package must be installed"
        ),
    )
    provider_options: dict[str, Any] | None = Field(
        default=None,
        max_length=100,
        repr=False,
        description=(
            "further arguments of the provider's chat model; texts named like a key are masked"
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _has_known_names(cls, value: Any) -> Any:
        if isinstance(value, dict) and not value.keys() <= cls.model_fields.keys():
            known = ", ".join(cls.model_fields)
            raise InvalidRequest("options", "unknown_option", known=known)
        return value

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, value: str | None) -> str | None:
        try:
            return pasted_address(value, "http", is_api=False) if value else None
        except ValueError as error:
            raise ValueError("proxy") from error

    @field_validator("body", "provider_options")
    @classmethod
    def _can_be_sent(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and not (_is_shallow(value) and len(json.dumps(value)) <= OPTION_CHARACTERS):
            raise ValueError("option_value")
        return value

    @field_validator("provider_options")
    @classmethod
    def _has_no_field_of_the_supplier(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        # The saved key must not be sent to another address.
        if value and value.keys() & SUPPLIER_FIELDS:
            raise ValueError("supplier_fields")
        return value

    @field_validator("provider")
    @classmethod
    def _is_a_provider(cls, value: str | None) -> str | None:
        if value and not re.fullmatch("[a-z0-9_]+", value):
            raise ValueError("provider")
        return value or None

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        for name, text in (value or {}).items():
            if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(text):
                raise ValueError("headers")
        return value


class SupplierBody(Input):
    """The fields of a supplier; omitted ones are unchanged."""

    preset: str | None = Field(default=None, max_length=40)
    name: str | None = Field(default=None, min_length=1, max_length=80, pattern=r"^[^/@]+$")
    base_url: str | None = Field(default=None, max_length=500)
    api_key: str | None = Field(default=None, max_length=500, repr=False)
    models: list[str] | None = Field(default=None, max_length=1000)
    enabled: bool | None = None
    options: SupplierOptions | None = None

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and (not value.isprintable() or value != visible(value).strip()):
            raise ValueError("printable")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        try:
            address = pasted_address(value) if value else None
        except ValueError as error:
            raise ValueError("url") from error
        if address and "@" in address:
            raise ValueError("url")
        return address

    @field_validator("api_key")
    @classmethod
    def _is_a_key(cls, value: str | None) -> str | None:
        return value if value is None else pasted_key(value)

    @field_validator("preset")
    @classmethod
    def _is_a_preset(cls, value: str | None) -> str | None:
        if value and find_preset(value) is None:
            raise ValueError("no_such_preset")
        return value or None

    def values(self) -> dict[str, Any]:
        """Return the fields that are set, without the key."""
        fields = self.model_dump(exclude={"api_key", "options"})
        given = {name: value for name, value in fields.items() if value is not None}
        if self.options is not None:
            given["options"] = self.options.model_dump(exclude_unset=True)
        return given


class NewSupplier(SupplierBody):
    """A supplier: the name of a preset, or an address."""

    model_config = ConfigDict(json_schema_extra=any_of("preset", "base_url"))


class TestBody(SupplierBody):
    """A supplier to test. With `supplier_id` and no key, the saved key is used at its address."""

    supplier_id: str | None = Field(default=None, max_length=80)
