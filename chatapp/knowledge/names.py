"""One rule for the names of files and knowledge bases.

Uploads store a name by it, lists show it by it, and `sync` compares by it, so that a name is the
same on both sides whatever a file system, a browser or an older version made of it. Applying it
again changes nothing. Names are displayed and never become paths.
"""

from chatapp.core.text import normalise
from chatapp.core.unseen import visible
from chatapp.knowledge.formats.document import Unreadable
from chatapp.knowledge.formats.encodings import decode

MAX_BYTES = 255  # of a file's name in UTF-8: most file systems allow no more
MAX_BASE_CHARACTERS = 200
MAX_EXTENSION_BYTES = 16  # with its dot; a longer one is no extension
MAX_SENT = 1000  # characters of a path whose end is the name
UNNAMED = "file"
BROKEN = "\ufffd"  # stands for bytes that cannot be decoded
FALLBACKS = ("gb18030", "cp1252", "latin-1")  # the last decodes anything


def file_name(sent: str) -> str:
    """Return the name under which a file is stored and shown.

    `sent` is a name or path from a client or a file system. Bytes in another encoding than UTF-8
    come as lone surrogates (`os.fsdecode`), and their encoding is guessed.
    """
    parts = normalise(visible(normalise(decoded(sent[-MAX_SENT:])))).replace("\\", "/").split("/")
    names = (name for part in reversed(parts) if _is_visible(name := " ".join(part.split())))
    return _cut(next(names, UNNAMED))


def base_name(sent: str) -> str:
    """Return the name under which a knowledge base is stored; "" where nothing of it is visible."""
    name = " ".join(normalise(visible(normalise(sent))).split())[:MAX_BASE_CHARACTERS].rstrip()
    return name if any(map(str.isprintable, name)) else ""


def decoded(name: str) -> str:
    """Decode the bytes of a file system's name that are not UTF-8."""
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # other surrogates; `normalise` replaces them
        return name
    if (text := _decoded_strictly(raw, "utf-8")) is not None:
        return text
    text = raw.decode(errors="replace")
    if 3 * text.count(BROKEN) <= sum(not sign.isascii() for sign in text):
        return text  # UTF-8 that was cut
    try:
        text = decode(raw)
    except Unreadable:
        text = BROKEN
    if BROKEN not in text:
        return text
    found = (_decoded_strictly(raw, encoding) for encoding in FALLBACKS)
    return next((text for text in found if text is not None), "")


def _decoded_strictly(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_visible(name: str) -> bool:
    return any(sign.isprintable() and sign not in ". " for sign in name)


def _cut(name: str) -> str:
    """Shorten a name to what file systems allow, and keep its extension."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    extension = (dot + ending).encode()
    if not stem or " " in ending or len(extension) > MAX_EXTENSION_BYTES:
        stem, extension = name, b""
    kept = stem.encode()[: MAX_BYTES - len(extension)].decode(errors="ignore")
    return kept.rstrip() + extension.decode()
