"""Characters of a text that nobody sees. Texts are stored with them; models and search are not
given them, since they can spell instructions, or show a text in another order than a model reads.

The page marks the same characters (static/js/chat/unseen.js).
"""

import re

# Control characters and soft hyphens, which are not stored.
CONTROLS = "\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad"
# Zero-width spaces and word joiners; embeddings, overrides and isolates of the writing direction,
# which show a text in another order than a model reads it.
_INVISIBLE = re.compile(f"[{CONTROLS}\u200b\u202a-\u202e\u2060-\u206f\ufeff]")
# Tag characters spell a text that nobody sees, and so do variation selectors in a row. Kept are
# the tags of a flag (https://www.unicode.org/reports/tr51/#flag-emoji-tag-sequences) and one
# selector after its character.
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_MAY_SPELL = re.compile(f"[\U000e0000-\U000e007f{_SELECTORS}]")
_SPELLED = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)"
    f"|([{_SELECTORS}])[{_SELECTORS}\U000e0000-\U000e007f]+|[\U000e0000-\U000e007f]+"
)
# Joiners and variation selectors: they change how letters look, and not what is searched for.
_SHAPING = re.compile(f"[\u180b-\u180d\u180f\u200c\u200d{_SELECTORS}\U000e0000-\U000e007f]")


def visible(text: str) -> str:
    """Return a text without characters that a reader does not see but a model reads.

    Texts are stored with them, and every text of a document passes here on its way to a model.
    """
    if not text.isprintable():
        text = _INVISIBLE.sub("", text)
    # Selectors count as printable.
    return text if text.isascii() or not _MAY_SPELL.search(text) else _SPELLED.sub(r"\1\2", text)


def without_invisible(text: str) -> str:
    """Return a text as search reads it: also without joiners and variation selectors."""
    return text if text.isascii() else _SHAPING.sub("", _INVISIBLE.sub("", text))
