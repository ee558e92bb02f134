"""The supplier that the environment configures by OPENAI_*."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from chatapp.chains.endpoint import Endpoint
from chatapp.chains.models import preset, whole_address
from chatapp.settings import Settings

ENVIRONMENT = "openai"
OPENAI_URL = "https://api.openai.com/v1"


def configured(settings: Settings) -> tuple[Endpoint | None, Sequence[str]]:
    """Return the supplier configured by OPENAI_*, and its models."""
    if not (settings.openai_api_key or settings.openai_base_url):
        return None, ()
    base_url = whole_address(settings.openai_base_url) or OPENAI_URL
    known = preset(ENVIRONMENT) if base_url == OPENAI_URL else None
    label = "OpenAI" if known else host(base_url)
    endpoint = Endpoint(
        ENVIRONMENT, label, base_url, settings.openai_api_key, ENVIRONMENT if known else None, {}
    )
    return endpoint, settings.openai_models or (known.models if known else ())


def as_json(own: Endpoint, models: Sequence[str]) -> dict[str, Any]:
    """Return it as administrators see it, without its key."""
    return {
        "id": ENVIRONMENT,
        "name": ENVIRONMENT,
        "label": own.label,
        "preset": own.preset,
        "base_url": own.base_url,
        "has_key": bool(own.api_key),
        "models": list(models),
        "enabled": True,
        "options": {},
        "source": "environment",
    }


def host(url: str) -> str:
    """Return host and port of a URL, without credentials."""
    return urlsplit(url).netloc.rpartition("@")[2]
