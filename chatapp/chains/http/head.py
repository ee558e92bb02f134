"""The head of an HTTP/1.1 request and of its answer (RFC 9112). Pure: bytes in, bytes out.

Done here because http.client reads a head by the parser for mail, which costs as much as all else of a request.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

HEAD_BYTES = 64 * 1024  # the longest head that is read
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE_VALUE = re.compile(r"[\0\r\n]")
_UNSAFE_TARGET = re.compile(r"[\0-\x20\x7f]")
_STATUS = re.compile(rb"HTTP/1\.(\d) (\d{3})(?: |$)")
_END = re.compile(rb"\n\r?\n")
_NO_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer, their names in lower case; the last of equal ones counts."""

    status: int
    minor: int  # of HTTP/1.x
    headers: Mapping[str, str]

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunked framing."""
        return self.headers.get("transfer-encoding", "").lower().endswith("chunked")

    @property
    def length(self) -> int | None:
        """How long the body is; None where it lasts as long as the connection."""
        if self.status in _NO_BODY:
            return 0
        told = self.headers.get("content-length", "").strip()
        return int(told) if told.isascii() and told.isdigit() else None

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this answer."""
        told = self.headers.get("connection", "").lower()
        framed = self.chunked or self.length is not None
        return not framed or "close" in told or (self.minor == 0 and "keep-alive" not in told)


def write_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Write a request's head; ValueError for what would break out of its place."""
    if _UNSAFE_TARGET.search(target):
        raise ValueError("target")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _UNSAFE_VALUE.search(value):
            raise ValueError("header")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def read_head(data: bytes) -> tuple[Head, bytes] | None:
    """Read the head that bytes begin with, and return what follows it; None where it is not whole yet.

    What a server says before its answer (100, 103) is passed over. ValueError where it is no HTTP.
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
            headers[name.strip().lower()] = value.strip()
    return Head(int(status[2]), int(status[1]), headers)
