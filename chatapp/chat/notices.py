"""Sentences at the beginning of an answer, in the language of the question."""

from chatapp.core.text import is_wide
from chatapp.i18n import say


def lost_bases(question: str) -> str:
    """Return the notice of an answer without a base that its chat was to use."""
    language = "zh-CN" if is_wide(question) else "en"
    return f"> {say(language, 'server.lost_bases')}\n\n"
