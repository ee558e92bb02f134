"""Plain text, kept unchanged."""

from chatapp.core.text import normalise
from chatapp.core.unseen import visible
from chatapp.knowledge.formats.document import MAX_CHARACTERS, Document, Unreadable


def read(text: str) -> Document:
    """Read plain text; raise Unreadable where it is empty or too long."""
    return Document("text/plain", checked(text))


def checked(text: str) -> str:
    """Return normalised text; raise Unreadable where it is empty or too long."""
    if len(text) > 2 * MAX_CHARACTERS:
        raise Unreadable("too_long", limit=MAX_CHARACTERS)
    text = normalise(text)
    if not visible(text).strip():
        raise Unreadable("empty")
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("too_long", limit=MAX_CHARACTERS)
    return text
