"""The conversations of an import file, one at a time: a JSON array or object, or a ZIP of them.

A file may be far larger than memory, so it is split by its brackets while it is read; only one
conversation is parsed at a time. Sizes, depth and a ZIP's directory are limited before anything is
parsed.
"""

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from chatapp.errors import InvalidRequest

MOST_ITEM_BYTES = 32 * 1024 * 1024  # of one conversation
MOST_DEPTH = 60
MOST_UNPACKED_BYTES = 2 * 1024**3  # of all files in a ZIP
MOST_DIRECTORY_BYTES = 4 * 1024 * 1024  # of a ZIP: 50,000 names
READ_BYTES = 64 * 1024
END_BYTES = 22 + 65_535  # of a ZIP: its end record and comment
_SPACE = b" \t\r\n\xef\xbb\xbf"  # and a byte order mark
_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_SIGN = re.compile(rb'["{}\[\]]')
_CONVERSATIONS = re.compile(r"(^|/)conversations[^/]*\.json$", re.IGNORECASE)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)

Read = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Item:
    """A parsed conversation, or why there is none: too_large, too_deep, unreadable or cut_off."""

    value: Any = None
    fault: str = ""


def read_items(file: IO[bytes]) -> Iterator[Item]:
    """Yield the conversations of a file; raise InvalidRequest if it is neither JSON nor ZIP."""
    head = file.read(4)
    file.seek(0)
    if head.startswith(b"PK\x03\x04"):
        yield from _of_zip(file)
    else:
        yield from _of_json(file.read)


def _of_zip(file: IO[bytes]) -> Iterator[Item]:
    _check_directory(file)
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as fault:
        raise InvalidRequest("files", "not_chats") from fault
    with archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".json")]
        left = [MOST_UNPACKED_BYTES]
        for name in [name for name in names if _CONVERSATIONS.search(name)] or names:
            try:
                with archive.open(name) as member:
                    yield from _of_json(_limited(member.read, left))
            except (InvalidRequest, *_BROKEN):
                yield Item(fault="unreadable")
            if left[0] < 0:
                yield Item(fault="too_large")
                return


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a ZIP with a huge directory: `zipfile` reads all of it at once."""
    size = file.seek(0, 2)
    file.seek(max(0, size - END_BYTES))
    end = file.read()
    file.seek(0)
    at = end.rfind(b"PK\x05\x06")
    directory = int.from_bytes(end[at + 12 : at + 16], "little")
    if at < 0 or directory > MOST_DIRECTORY_BYTES or end[at - 20 : at - 16] == b"PK\x06\x07":
        raise InvalidRequest("files", "not_chats")


def _limited(read: Read, left: list[int]) -> Read:
    """Return a reader that ends when all readers of `left` have read that much."""

    def read_some(count: int) -> bytes:
        data = read(count) if left[0] >= 0 else b""
        left[0] -= len(data)
        return data

    return read_some


def _of_json(read: Read) -> Iterator[Item]:
    """Yield the elements of an array, or the one object."""
    data = read(READ_BYTES).lstrip(_SPACE)
    if data[:1] not in (b"[", b"{"):
        raise InvalidRequest("files", "not_chats")
    splitter = _Splitter(outside=1 if data[:1] == b"[" else 0)
    while data:
        for element, fault in splitter.feed(data):
            yield Item(fault=fault) if fault else _parsed(element)
        data = read(READ_BYTES)
    if splitter.depth:
        yield Item(fault="cut_off")


class _Splitter:
    """Splits JSON by its brackets into the elements at the depth `outside`."""

    def __init__(self, outside: int) -> None:
        self.depth = 0
        self._outside = outside
        self._in_string = False
        self._rest = b""  # a backslash at the end of the last bytes
        self._element = bytearray()
        self._fault = ""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, str]]:
        """Take more bytes; yield each element that ends in them, and what is wrong with it."""
        data = self._rest + data
        at = begin = 0
        while at < len(data):
            if self._in_string:
                at = _STRING.match(data, at).end()  # type: ignore[union-attr]
                if data[at : at + 1] != b'"':
                    break
                self._in_string = False
                at += 1
                continue
            found = _SIGN.search(data, at)
            if found is None:
                at = len(data)
                break
            at, sign = found.end(), found[0]
            if sign == b'"':
                self._in_string = True
            elif sign in b"{[":
                if self.depth == self._outside:
                    begin = at - 1
                self.depth += 1
                if self.depth - self._outside > MOST_DEPTH:
                    self._fault = self._fault or "too_deep"
            else:
                self.depth = max(0, self.depth - 1)
                if self.depth == self._outside:
                    self._keep(data[begin:at])
                    yield bytes(self._element), self._fault
                    self._element.clear()
                    self._fault, begin = "", at
        self._rest = data[at:]  # a backslash whose next byte has not arrived
        if self.depth > self._outside:
            self._keep(data[begin:at])

    def _keep(self, data: bytes) -> None:
        if len(self._element) + len(data) > MOST_ITEM_BYTES:
            self._fault = self._fault or "too_large"
        if self._fault:
            self._element.clear()
        else:
            self._element += data


def _parsed(data: bytes) -> Item:
    try:
        return Item(json.loads(data, object_pairs_hook=_object, parse_constant=_nothing))
    except (ValueError, RecursionError):
        return Item(fault="unreadable")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object. Calling Python lets other threads run while a large text is parsed."""
    return dict(pairs)


def _nothing(_: str) -> None:
    """Read NaN and Infinity as null."""
