"""The sentences people read: one catalogue per language, shared by the page, the API and the terminal."""

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
    """Return all sentences of one language."""
    loaded: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text("utf-8"))
    return loaded


def say(language: str, key: str, params: Mapping[str, Any] | None = None) -> str:
    """Put a key into words; a more precise key without a sentence falls back to the one it refines."""
    words = catalogue(language if language in LANGUAGES else DEFAULT)
    while key not in words and key.count(".") > 1:
        key = key.rpartition(".")[0]
    sentence = words.get(key, words["error.internal"])
    for name, value in (params or {}).items():
        sentence = sentence.replace("{" + name + "}", str(value))
    return sentence


def choose_language(wanted: Iterable[str]) -> str:
    """Return the first language of ours in a list of tags, best first."""
    for tag in wanted:
        if tag.lower().startswith("zh"):
            return "zh-CN"
        if tag.lower().startswith("en"):
            return "en"
    return DEFAULT
