"""The names in a supplier's list of models, in any of the forms that suppliers send. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Where the list is, inside objects; `data` may hold `models` again.
_HOLDERS = ("data", "models", "items", "result", "results", "list", "model_list")
_NAMES = ("id", "name", "model", "model_name", "model_id", "modelId", "key")
# An id for machines, beside which the name is what a request has to send.
_NO_NAME = re.compile(r"://|^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
# Models that cannot chat, left out of lists; their names can still be typed.
_NO_CHAT = re.compile(
    r"embed|rerank|whisper|(^|[-/])tts|tts-|dall-e|moderation|transcribe|realtime|(^|[-/])sora"
    r"|image|(^|/)bge-|davinci-002|babbage-002",
    re.IGNORECASE,
)
DEPTH = 4


def listed_names(body: Any) -> list[str] | None:
    """Return all names of a list, as they are sent; None if the body is not a list of models.

    Objects with an `id` or `name`, plain texts, and objects whose names are the models' are read,
    at the top or inside `data`, `models` and the like. A list that is null is empty: Ollama's.
    """
    return _entries(body, DEPTH)


def chat_names(names: list[str]) -> list[str]:
    """Return the names of models that can chat, each once and in alphabetical order."""
    return sorted(dict.fromkeys(filter(can_chat, names)), key=str.lower)


def can_chat(name: str) -> bool:
    """Return whether a model can chat, by its name."""
    return not _NO_CHAT.search(name)


def _entries(value: Any, depth: int) -> list[str] | None:
    if isinstance(value, list):
        names = list(filter(None, map(_name, value)))
        return names if names or not value else None
    if not isinstance(value, Mapping) or not depth:
        return None
    for holder in _HOLDERS:
        if holder not in value:
            continue
        inner = value[holder]
        if inner is None:
            return []
        if (found := _entries(inner, depth - 1)) is not None:
            return found
        if isinstance(inner, Mapping) and holder in ("models", "data"):
            return list(_keys(inner)) or None
    return None


def _name(entry: Any) -> str:
    if isinstance(entry, str):
        return entry.strip()
    if not isinstance(entry, Mapping):
        return ""
    found = [entry[name] for name in _NAMES if isinstance(entry.get(name), str) and entry[name]]
    return next((name for name in found if not _NO_NAME.search(name)), found[0] if found else "")


def _keys(models: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the names of {"name": {…}}."""
    return (str(name) for name, about in models.items() if isinstance(about, Mapping))
