"""Codings of a response's body (RFC 9110, 8.4): gzip and deflate are undone as the bytes arrive.

We request no compression, but relays and CDNs may compress anyway, omit the header, or name an
encoding that they have already removed. A piece is at most PIECE_BYTES long, whatever the input
expands to. Pure: bytes in, bytes out.
"""

import zlib
from collections.abc import Mapping
from typing import Any

PIECE_BYTES = 64 * 1024
MOST_CODINGS = 3  # one over the other
GZIP = b"\x1f\x8b"  # its first bytes
_READABLE = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "x-deflate": "deflate"}
_UNREADABLE = ("br", "zstd", "compress", "x-compress", "dcb", "dcz", "lz4", "xz", "bzip2", "snappy")
_FIELDS = ("content-encoding", "transfer-encoding")
# How events and JSON begin. Raw deflate has no mark of its own.
_PLAIN = (
    b"da",
    b"ev",
    b"id",
    b"re",
    b": ",
    b":\n",
    b'{"',
    b"{ ",
    b"{\n",
    b"{\r",
    b"[{",
    b"<!",
    b"<h",
)


def codings(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the codings of a body in the order in which they were applied."""
    return tuple(
        name
        for field in _FIELDS
        for each in headers.get(field, "").split(",")
        if (name := each.strip().lower()) in _READABLE or name in _UNREADABLE
    )


def unreadable(headers: Mapping[str, str]) -> str:
    """Return the coding that keeps a body from being read, or an empty string."""
    named = codings(headers)
    return next((name for name in named if name in _UNREADABLE), "") or (
        ", ".join(named[: MOST_CODINGS + 1]) if len(named) > MOST_CODINGS else ""
    )


class Inflation:
    """Undoes the codings of a body. `feed` bytes until `pending`, then b"" until it is not."""

    def __init__(self, named: tuple[str, ...]) -> None:
        self._stages = [_Stage(_READABLE[name]) for name in reversed(named)]

    @property
    def pending(self) -> bool:
        """Whether more of what was fed can be had without further bytes."""
        return any(stage.pending for stage in self._stages)

    def feed(self, data: bytes) -> bytes:
        """Return the next piece, which may be empty; ValueError where the coding is broken."""
        first = 0
        if not data:
            first = max((n for n, stage in enumerate(self._stages) if stage.pending), default=0)
        try:
            for stage in self._stages[first:]:
                data = stage.feed(data)
        except zlib.error as error:
            raise ValueError("coding") from error
        return data

    def end(self) -> None:
        """Raise ValueError if the body has ended within its coding."""
        if not all(stage.complete for stage in self._stages):
            raise ValueError("cut")


class _Stage:
    """One coding: gzip of one or several members, deflate with or without zlib's frame, or none."""

    def __init__(self, coding: str) -> None:
        self.pending = False
        self._coding = coding
        self._begins = True  # the body, or another member of gzip
        self._plain = False
        self._unpack: Any = None  # a zlib object
        self._rest = b""

    @property
    def complete(self) -> bool:
        """Whether the body may end here."""
        return self._plain or not (self._unpack or self._rest) or bool(self._unpack.eof)

    def feed(self, data: bytes) -> bytes:
        data, self._rest = self._rest + data, b""
        if self._begins and not self._begin(data):
            return b""
        if self._plain:
            return data
        piece: bytes = self._unpack.decompress(data, PIECE_BYTES)
        self._rest = self._unpack.unconsumed_tail
        self.pending = bool(self._rest) or len(piece) == PIECE_BYTES
        if self._unpack.eof:
            self._begins = True
            self._rest = self._unpack.unused_data
            self.pending = bool(self._rest)
        return piece

    def _begin(self, data: bytes) -> bool:
        """Choose how to read on from the first bytes; return whether there is something to read."""
        self.pending = False
        if self._unpack is not None:  # behind a whole body: another member, or padding
            data = data.lstrip(b"\0") if self._coding == "gzip" else b""
        if len(data) < len(GZIP):
            self._rest = data
            return False
        if data.startswith(GZIP):
            self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif self._unpack is not None:
            return False
        elif self._coding == "deflate" and data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0:
            self._unpack = zlib.decompressobj()
        elif self._coding == "deflate" and not data.startswith(_PLAIN):
            self._unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        else:
            self._plain = True
        self._begins = False
        return True
