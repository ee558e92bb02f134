"""Reads uploaded forms. A file is written while it arrives, and its name never refuses the form.

Werkzeug decodes the form, but only one whose names are all UTF-8 and quoted well. So each part's
disposition is parsed here first, as mail programs do: RFC 7578 forbids `filename*` and encoded
words in forms, and programs send both. Bytes in another encoding become lone surrogates, from which
knowledge/names.py guesses.
"""

from collections.abc import Callable, Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import IO, Any, Protocol, TypeVar
from urllib.parse import quote, unquote

from werkzeug.datastructures import Headers
from werkzeug.sansio.multipart import Data, Epilogue, Event, File, MultipartDecoder, NeedData

from chatapp.errors import TooLarge

READ_BYTES = 64 * 1024
MAX_BUFFER_BYTES = 1024 * 1024  # of a part's head
MAX_PARTS = 1000
_DISPOSITION = "Content-Disposition"
# Browsers write them so (https://html.spec.whatwg.org/#multipart-form-data).
_ESCAPED = {"%22": '"', "%0D": "\r", "%0A": "\n"}


class Target(Protocol):
    """What the bytes of a file are written to."""

    def write(self, data: bytes, /) -> int: ...

    def seek(self, offset: int, /) -> int: ...


T = TypeVar("T", bound=Target)


def receive_files(
    source: IO[bytes], boundary: str, field: str, begin: Callable[[], T]
) -> list[tuple[str, T]]:
    """Write the files of a form's field to targets; return each with its name.

    A target is rewound when it is complete. Everything else in the form is ignored. Raises
    ValueError for an incomplete form, Werkzeug's RequestEntityTooLarge for a part with too large a
    head, and TooLarge for too many parts.
    """
    parts = 0
    received: list[tuple[str, T]] = []
    target: T | None = None
    for event in _events(source, boundary):
        parts += not isinstance(event, Data)
        if parts > MAX_PARTS:
            raise TooLarge("files", limit=MAX_PARTS)
        if isinstance(event, Data):
            if target is not None:
                target.write(event.data)
                if not event.more_data:
                    target.seek(0)
        elif isinstance(event, File) and event.name == field:
            target = begin()
            received.append((unquote(event.filename, errors="surrogateescape"), target))
        else:
            target = None
    return received


def _events(source: IO[bytes], boundary: str) -> Iterator[Event]:
    decoder = _Decoder(boundary.encode("ascii"), max_form_memory_size=MAX_BUFFER_BYTES)
    # Werkzeug takes the CR before a closing mark for text where the mark arrives in two pieces.
    half = b"--%b-" % boundary.encode("ascii")
    tail = b""
    while True:
        piece = source.read(READ_BYTES)
        tail = (tail + piece)[-len(half) :]
        if tail == half:
            piece += source.read(1)
        decoder.receive_data(piece or None)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield event
        if not piece:
            return


class _Decoder(MultipartDecoder):
    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        """Return a part's disposition with its names percent-encoded, which Werkzeug takes."""
        headers = super()._parse_headers(bytes(data).decode("latin-1").encode())
        message = Message()
        message[_DISPOSITION] = headers.get(_DISPOSITION, "")
        given: list[tuple[str, Any]] = message.get_params([], _DISPOSITION)
        field = next((value for key, value in given if key == "name"), "")
        names = [value for key, value in given if key == "filename"]
        if _DISPOSITION in headers:
            headers[_DISPOSITION] = f'form-data; name="{quote(str(field))}"' + (
                f'; filename="{quote(_file_name(names), errors="surrogateescape")}"'
                if names
                else ""
            )
        return headers


def _file_name(sent: list[Any]) -> str:
    """Return a file's name; one with its encoding (`filename*`) counts more than one without."""
    for charset, _, encoded in (one for one in sent if isinstance(one, tuple)):
        return _decoded(encoded, charset or "utf-8")
    name = _decoded(sent[0], "utf-8")
    if name.startswith("=?") and name.endswith("?="):  # .NET sends such names
        try:
            return str(make_header(decode_header(name)))
        except (HeaderParseError, LookupError, ValueError):
            return name
    for escape, sign in _ESCAPED.items():
        name = name.replace(escape, sign)
    return name


def _decoded(latin_1: str, charset: str) -> str:
    raw = latin_1.encode("latin-1", "replace")
    try:
        return raw.decode(charset)
    except (LookupError, ValueError):
        return raw.decode("utf-8", "surrogateescape")
