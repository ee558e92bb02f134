"""Texts for people: one catalogue per language for page, API, terminal and set-up."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "static" / "i18n"
LANGUAGES = ("en", "zh-CN")
DEFAULT = "en"


@lru_cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return all texts of one language."""
    loaded: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text("utf-8"))
    return loaded


def say(language: str, key: str, params: Mapping[str, Any] | None = None) -> str:
    """Return the text of a key; a key without a text falls back to its prefix."""
    texts = catalogue(language if language in LANGUAGES else DEFAULT)
    while key not in texts and key.count(".") > 1:
        key = key.rpartition(".")[0]
    text = texts.get(key, texts["error.internal"])
    for name, value in (params or {}).items():
        text = text.replace("{" + name + "}", str(value))
    return text


def choose_language(wanted: Iterable[str]) -> str:
    """Return the first supported language of a list of tags, best first."""
    for tag in wanted:
        if tag.lower().startswith("zh"):
            return "zh-CN"
        if tag.lower().startswith("en"):
            return "en"
    return DEFAULT
