"""Texts for people: one catalogue per language for page, API, terminal and set-up."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "static" / "i18n"
LANGUAGES = ("en", "zh-CN")
DEFAULT = "en"
_CHINESE = re.compile("[\u3400-\u9fff]")
# with the space that Chinese text has around Latin letters and digits
_PLACEHOLDER = re.compile(rf"((?<={_CHINESE.pattern}) )?{{(\w+)}}( (?={_CHINESE.pattern}))?")


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
    return _PLACEHOLDER.sub(lambda found: _filled(found, params or {}), text)


def _filled(found: re.Match[str], params: Mapping[str, Any]) -> str:
    before, name, after = found.groups("")
    if name not in params:
        return found[0]
    value = str(params[name])
    start = "" if _CHINESE.match(value[:1]) else before
    end = "" if _CHINESE.match(value[-1:]) else after
    return start + value + end


def choose_language(wanted: Iterable[str]) -> str:
    """Return the first supported language of a list of tags, best first."""
    for tag in wanted:
        if tag.lower().startswith("zh"):
            return "zh-CN"
        if tag.lower().startswith("en"):
            return "en"
    return DEFAULT
