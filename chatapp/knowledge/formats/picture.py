"""Pictures: one page, or the frames of a TIFF, whose text only recognition can read."""

from pathlib import Path

from chatapp.knowledge.formats.document import Document, Unreadable, unread_document
from chatapp.knowledge.recognition.pictures import open_pages

_SIGNATURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")
_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif")  # of the ISO container (ftyp)


def is_picture(head: bytes) -> bool:
    """Return whether a file begins like a picture of a supported kind."""
    if head.startswith(b"RIFF"):
        return head[8:12] == b"WEBP"
    # A bitmap begins with "BM", as a text may; its four reserved bytes are zero.
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return True
    return head.startswith(_SIGNATURES) or (head[4:8] == b"ftyp" and head[8:12] in _BRANDS)


def read(path: Path, max_pages: int) -> Document:
    """Count a picture's pages; raise Unreadable where it is damaged or too large."""
    with open_pages(path) as pages:
        if len(pages) > max_pages:
            raise Unreadable("pages", limit=max_pages)
        return unread_document(pages.media_type, len(pages))
