"""Outlook's messages (MSG): fields, text, recipients and attachments from a compound file.

Streams and properties are those of [MS-OXMSG]; compressed RTF is that of [MS-OXRTFCP].
"""

import re
import struct
from datetime import UTC, datetime, timedelta

from chatapp.knowledge.formats import rtf
from chatapp.knowledge.formats.compound import CompoundFile
from chatapp.knowledge.formats.document import Builder, Document, LeftOut, Unreadable
from chatapp.knowledge.formats.encodings import decode
from chatapp.knowledge.formats.html import add_page
from chatapp.knowledge.formats.mail_head import decoded
from chatapp.knowledge.formats.members import MAX_DEPTH, Members

MEDIA_TYPE = "application/vnd.ms-outlook"
MAX_RTF_BYTES = 50 * 1024 * 1024
WINDOW = 4096  # bytes, to which compressed RTF refers
# Properties ([MS-OXPROPS]).
SUBJECT, BODY, HTML, RTF, SENT, RECEIVED = "0037", "1000", "1013", "1009", 0x0039, 0x0E06
SENDER, SENDER_SMTP, SENDER_ADDRESS, HEADERS = "0C1A", "5D01", "0C1F", "007D"
TO, CC, NAME, SMTP, ADDRESS = "0E04", "0E03", "3001", "39FE", "3003"
FILE_NAME, SHORT_NAME, CONTENT, CONTENT_ID = "3707", "3704", "3701", "3712"
CODE_PAGES, RECIPIENT_TYPE, HIDDEN, METHOD = (0x3FDE, 0x3FFD), 0x0C15, 0x7FFE, 0x3705
WIDE, NARROW, BINARY, STORAGE, TIME = "001F", "001E", "0102", "000D", 0x40
RECIPIENT_TO, RECIPIENT_CC = 1, 2
OLE_OBJECT = 6  # a method of attaching
PROPERTIES = "__properties_version1.0"
FIRST_HEAD, INNER_HEAD, PART_HEAD, PROPERTY_BYTES = 32, 24, 8, 16
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_ENCODINGS = {65001: "utf-8", 936: "gb18030", 54936: "gb18030", 950: "big5hkscs", 20127: "ascii",
              20866: "koi8_r", 28591: "cp1252", 50220: "iso2022_jp", 51932: "euc_jp",
              51949: "euc_kr", 1200: "utf-16-le"}  # fmt: skip
_DATE = re.compile(r"^Date:[ \t]*(.*)$", re.MULTILINE | re.IGNORECASE)
_RTF_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    b"\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
COMPRESSED, PLAIN = b"LZFu", b"MELA"

Path = tuple[str, ...]


def read(compound: CompoundFile, members: Members) -> Document:
    """Read a message; raise Unreadable where nothing in it can be read."""
    builder = Builder()
    _Message(compound, (), FIRST_HEAD).add(builder, members, 1)
    return builder.finish(MEDIA_TYPE)


class _Part:
    """The properties of a message, a recipient or an attachment."""

    def __init__(
        self, compound: CompoundFile, place: Path, head: int, encoding: str | None
    ) -> None:
        self._compound = compound
        self.place = place
        self._encoding = encoding
        self.numbers: dict[int, int] = {}
        if compound.has(*place, PROPERTIES):
            stored = compound.read((*place, PROPERTIES))
            for start in range(head, len(stored) - PROPERTY_BYTES + 1, PROPERTY_BYTES):
                kind, number, value = struct.unpack_from("<HH4xQ", stored, start)
                self.numbers[number] = value if kind in (TIME, 0x14) else value & 0xFFFFFFFF
        if encoding is None:
            pages = [self.numbers[one] for one in CODE_PAGES if self.numbers.get(one)]
            self._encoding = _ENCODINGS.get(pages[0], f"cp{pages[0]}") if pages else None

    @property
    def encoding(self) -> str | None:
        """The encoding of text in bytes, None if unknown."""
        return self._encoding

    def data(self, number: str, kind: str = BINARY) -> bytes:
        """Return a property's bytes, b"" where there is none."""
        name = f"__substg1.0_{number}{kind}"
        return self._compound.read((*self.place, name)) if self._has(name) else b""

    def text(self, number: str) -> str:
        """Return a property's text, "" where there is none."""
        if wide := self.data(number, WIDE):
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        narrow = self.data(number, NARROW).rstrip(b"\0")
        return decode(narrow, self._encoding) if narrow else ""

    def line(self, number: str) -> str:
        """Return a property's text in one line."""
        return " ".join(decoded(self.text(number)).split())

    def parts(self, prefix: str) -> list[Path]:
        """Return the places of the recipients or attachments."""
        depth = len(self.place)
        found = {
            tuple(names[: depth + 1]): None
            for names in self._compound.names
            if len(names) > depth
            and tuple(names[:depth]) == self.place
            and names[depth].startswith(prefix)
        }
        return sorted(found)

    def _has(self, name: str) -> bool:
        return self._compound.has(*self.place, name)


class _Message(_Part):
    """A message: the file itself, or one that is attached."""

    def __init__(self, compound: CompoundFile, place: Path, head: int) -> None:
        super().__init__(compound, place, head, None)

    def add(self, builder: Builder, members: Members, level: int) -> None:
        """Add the message as a section, then its attachments."""
        attached = [
            _Part(self._compound, place, PART_HEAD, self.encoding)
            for place in self.parts("__attach_version1.0_")
        ]
        attached = [part for part in attached if not _is_shown_in_text(part)]
        with builder.skips:
            self._add_fields(builder, [_name(part) for part in attached], level)
        with builder.skips:
            self._add_text(builder)
        for part in attached:
            self._attach(builder, members, part, level + 1)

    def _add_fields(self, builder: Builder, names: list[str], level: int) -> None:
        builder.section(level, self.line(SUBJECT))
        fields = {
            "Subject": self.line(SUBJECT),
            "From": _person(self.line(SENDER), self.line(SENDER_SMTP) or self.line(SENDER_ADDRESS)),
            "To": self._recipients(RECIPIENT_TO) or self.line(TO),
            "Cc": self._recipients(RECIPIENT_CC) or self.line(CC),
            "Date": self._date(),
            "Attachments": ", ".join(names),
        }
        builder.add("\n".join(f"{name}: {text}" for name, text in fields.items() if text))

    def _recipients(self, kind: int) -> str:
        people = (
            _Part(self._compound, place, PART_HEAD, self.encoding)
            for place in self.parts("__recip_version1.0_")
        )
        return ", ".join(
            _person(part.line(NAME), part.line(SMTP) or part.line(ADDRESS))
            for part in people
            if part.numbers.get(RECIPIENT_TYPE, RECIPIENT_TO) == kind
        )

    def _date(self) -> str:
        if found := _DATE.search(self.text(HEADERS)):
            return found.group(1).strip()
        value = self.numbers.get(SENT) or self.numbers.get(RECEIVED) or 0
        try:
            moment = EPOCH + timedelta(microseconds=value // 10)
        except OverflowError:
            return ""
        return f"{moment:%Y-%m-%d %H:%M} UTC" if value else ""

    def _add_text(self, builder: Builder) -> None:
        if text := self.text(BODY).replace("\r\n", "\n").strip():
            for block in text.split("\n\n"):
                builder.add(block)
        elif html := self.data(HTML):
            add_page(builder, decode(html, self.encoding))
        elif page := self.text(HTML):
            add_page(builder, page)
        elif packed := self.data(RTF):
            rtf.add(builder, unpacked(packed))

    def _attach(self, builder: Builder, members: Members, part: _Part, level: int) -> None:
        name = _name(part) or "attachment"
        try:
            inner = (*part.place, f"__substg1.0_{CONTENT}{STORAGE}")
            if self._compound.has(*inner, PROPERTIES):
                if level > MAX_DEPTH:
                    raise Unreadable("nested")
                _Message(self._compound, inner, INNER_HEAD).add(builder, members, level)
            elif part.numbers.get(METHOD) == OLE_OBJECT:
                raise Unreadable("unsupported")
            elif content := part.data(CONTENT):
                members.add(builder, level, name, [content])
        except Unreadable as fault:
            builder.skips.leave_out(LeftOut(name, fault.reason))


def _name(part: _Part) -> str:
    return part.line(FILE_NAME) or part.line(NAME) or part.line(SHORT_NAME)


def _is_shown_in_text(part: _Part) -> bool:
    """Return whether an attachment is a picture within the text."""
    is_picture = _name(part).lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".bmp", ".emz"))
    return is_picture and bool(part.text(CONTENT_ID) or part.numbers.get(HIDDEN, 0) & 1)


def _person(name: str, address: str) -> str:
    if "@" not in address or address == name:  # an address of Exchange's own says nothing
        return name or address
    return f"{name} <{address}>" if name else address


def unpacked(data: bytes) -> bytes:
    """Return the RTF of a compressed body; raise Unreadable where it is broken."""
    if len(data) < 16:
        raise Unreadable("damaged")
    size, kind = struct.unpack_from("<I", data, 4)[0], data[8:12]
    if kind == PLAIN:
        return data[16:]
    if kind != COMPRESSED:
        raise Unreadable("damaged")
    if size > MAX_RTF_BYTES:
        raise Unreadable("bomb")
    window, at = bytearray(_RTF_START.ljust(WINDOW, b"\0")), len(_RTF_START)
    made, place = bytearray(), 16
    while place < len(data) and len(made) < size:
        control, place = data[place], place + 1
        for bit in range(8):
            if not control >> bit & 1:
                offset, length, piece = 0, 1, data[place : place + 1]
                place += 1
            else:
                reference = int.from_bytes(data[place : place + 2], "big")
                offset, length, piece = reference >> 4, (reference & 15) + 2, b""
                place += 2
                if offset == at:
                    return bytes(made)
            if place > len(data):
                return bytes(made)
            for step in range(length):  # it may read what it has just written
                value = piece[0] if piece else window[(offset + step) % WINDOW]
                made.append(value)
                window[at] = value
                at = (at + 1) % WINDOW
    return bytes(made)
