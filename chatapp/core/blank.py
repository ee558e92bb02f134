"""Text that shows nothing: blanks, control and zero-width characters."""

import re

# Blanks and controls; soft hyphen, grapheme joiner, Arabic letter mark, Hangul fillers, Khmer
# vowels, Mongolian selectors, zero-width characters, directions, variation selectors, tags.
_NOTHING = (
    "\\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
_BLANK = re.compile(f"[{_NOTHING}]*")


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing."""
    return _BLANK.fullmatch(text) is not None


def after_blanks(text: str) -> str:
    """Return a text from its first visible character on."""
    found = _BLANK.match(text)
    return text[found.end() :] if found else text
