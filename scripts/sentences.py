"""The texts of set-up, from static/i18n; also of app.py where Python is too old. See setup.py."""

from __future__ import annotations

import json
import os
from pathlib import Path

CATALOGUES = Path(__file__).resolve().parent.parent / "static" / "i18n"


def sentence(key: str, **words: object) -> str:
    """Return the text `setup.<key>` in the language of this terminal."""
    tag = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    language = "zh-CN" if tag.lower().startswith("zh") else "en"
    texts = json.loads((CATALOGUES / f"{language}.json").read_text(encoding="utf-8"))
    return str(texts[f"setup.{key}"]).format(**words)


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)
