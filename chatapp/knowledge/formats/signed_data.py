"""The content of a mail that is signed as a whole (S/MIME; CMS SignedData, RFC 5652).

The signature is not checked: whoever can send a mail can send one without a signature too.
"""

from collections.abc import Iterator

MAX_DEPTH = 12
# OBJECT IDENTIFIERs: signed data (1.2.840.113549.1.7.2) and data (1.2.840.113549.1.7.1).
SIGNED, DATA = bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d010701")
OBJECT_IDENTIFIER, OCTET_STRING, CONSTRUCTED = 0x06, 0x04, 0x20
INDEFINITE = 0x80


def content_of(data: bytes) -> bytes:
    """Return the content that was signed; b"" for other data, such as encrypted."""
    if SIGNED not in data[:64]:
        return b""
    try:
        elements = list(_elements(data, 0, len(data), 0))
    except (IndexError, ValueError):
        return b""
    for place, (tag, value) in enumerate(elements):
        if tag == OBJECT_IDENTIFIER and value == DATA:
            return b"".join(_octets(elements[place + 1 :]))
    return b""


def _octets(elements: list[tuple[int, bytes]]) -> Iterator[bytes]:
    """Yield the string that follows, which may come in pieces."""
    for tag, value in elements:
        if tag == OCTET_STRING:
            yield value
        elif not tag & CONSTRUCTED:
            return


def _elements(data: bytes, start: int, end: int, depth: int) -> Iterator[tuple[int, bytes]]:
    """Yield all elements in order, outer before inner; constructed ones without value."""
    if depth > MAX_DEPTH:
        raise ValueError
    while start < end:
        tag, length, body = data[start], data[start + 1], start + 2
        if tag & 0x1F == 0x1F:
            raise ValueError
        if length == INDEFINITE:
            yield tag, b""
            start = body
            continue  # its elements follow, up to two zero bytes
        if length > INDEFINITE:
            count = length - INDEFINITE
            length, body = int.from_bytes(data[body : body + count]), body + count
        if body + length > end:
            raise ValueError
        if tag & CONSTRUCTED:
            yield tag, b""
            yield from _elements(data, body, body + length, depth + 1)
        elif tag or length:
            yield tag, data[body : body + length]
        start = body + length
