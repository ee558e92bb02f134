"""The head of an HTTP/1.1 request and response (RFC 9112). Pure: bytes in, bytes out.

Written here because http.client parses a head with the email parser, which costs as much CPU as the
rest of a request together.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

HEAD_BYTES = 64 * 1024  # the longest head accepted
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE_VALUE = re.compile(r"[\0\r\n]")
_UNSAFE_TARGET = re.compile(r"[\0-\x20\x7f]")
_STATUS = re.compile(rb"HTTP/1\.(\d) (\d{3})(?: |$)")
_END = re.compile(rb"\n\r?\n")
_NO_BODY = (204, 205, 304)
_LISTS = ("content-encoding", "transfer-encoding")  # several headers are one list


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of a response, names in lower case; the last of equal ones counts.

    The headers that name codings are lists, so equal ones are joined.
    """

    status: int
    minor: int  # of HTTP/1.x
    headers: Mapping[str, str]

    @property
    def chunked(self) -> bool:
        """Whether the body is framed in chunks."""
        return self.headers.get("transfer-encoding", "").lower().endswith("chunked")

    @property
    def length(self) -> int | None:
        """The body's length; None where the body ends with the connection."""
        if self.status in _NO_BODY:
            return 0
        value = self.headers.get("content-length", "").strip()
        return int(value) if value.isascii() and value.isdigit() else None

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this response."""
        value = self.headers.get("connection", "").lower()
        framed = self.chunked or self.length is not None
        return not framed or "close" in value or (self.minor == 0 and "keep-alive" not in value)


def write_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a request's head; ValueError for values that would inject lines."""
    if _UNSAFE_TARGET.search(target):
        raise ValueError("target")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _UNSAFE_VALUE.search(value):
            raise ValueError("header")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def read_head(data: bytes) -> tuple[Head, bytes] | None:
    """Return the head that the bytes begin with, and the rest; None while it is incomplete.

    Interim responses (100, 103) are skipped. ValueError for data that is not HTTP.
    """
    while True:
        end = _END.search(data)
        if end is None:
            if len(data) > HEAD_BYTES or not _may_begin(data):
                raise ValueError("head")
            return None
        head, data = _parse(data[: end.start()]), data[end.end() :]
        if head.status >= 200:
            return head, data


def _may_begin(data: bytes) -> bool:
    return data.startswith(b"HTTP/1.") or b"HTTP/1.".startswith(data)


def _parse(data: bytes) -> Head:
    first, *lines = data.split(b"\n")
    status = _STATUS.match(first.rstrip(b"\r"))
    if status is None:
        raise ValueError("status")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            name, value = name.strip().lower(), value.strip()
            before = headers.get(name) if name in _LISTS else None
            headers[name] = f"{before}, {value}" if before else value
    return Head(int(status[2]), int(status[1]), headers)
