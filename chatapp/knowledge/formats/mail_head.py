"""The head of a message: detecting one (RFC 5322), and decoding its fields (RFC 2047)."""

import base64
import binascii
import quopri
import re
from typing import TYPE_CHECKING

from chatapp.knowledge.formats.document import Unreadable
from chatapp.knowledge.formats.encodings import decode

if TYPE_CHECKING:
    from email.message import Message

HEAD_CHARACTERS = 16_000  # in which a head is looked for
MAX_FIELD = 5000  # characters of a field that are decoded
_ENVELOPE = re.compile(r">?From \S.*\d{2}:\d{2}.*\d{4}")  # the line before each mail of an mbox
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(?:[ \t]|$)")
# Fields of messages only; others, such as Date and Content-Type, are also those of HTTP.
_OF_MESSAGES = re.compile(
    r"(message-id|mime-version|received|return-path|delivered-to|dkim-signature|reply-to|received-spf|"
    r"authentication-results|arc-[\w-]+|in-reply-to|list-[\w-]+|domainkey-signature|envelope-to|"
    r"content-transfer-encoding|snapshot-content-location|thread-(?:topic|index)|errors-to|"
    r"x-(?:mailer|received|originating-ip|priority|msmail-[\w-]+|ms-[\w-]+|spam-[\w-]+|mime[\w-]*|"
    r"original-to|envelope-[\w-]+|google-[\w-]+|gm-[\w-]+|qq-[\w-]+|coremail-[\w-]+|pm-[\w-]+|"
    r"mailgun-[\w-]+|ses-[\w-]+|sg-[\w-]+|mozilla-[\w-]+|uidl?|account-key|unsent|notes-item))$"
)
_USUAL_FIELDS = "from to cc bcc sender subject date organization importance priority"
_USUAL = frozenset(_USUAL_FIELDS.split())
_ADDRESS = re.compile(r"\S@\S|<[^<>]*>")
_WORDS = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\r\n]*)\?=(\s*(?==\?))?")
# Declared by programs that do not know the encoding.
_SAYS_NOTHING = ("us-ascii", "ascii", "unknown-8bit", "x-unknown", "default")


def is_mail(head: bytes) -> bool:
    """Return whether a file begins with the head of an e-mail or a saved page."""
    if is_wide(head):
        try:
            return is_head(decode(head[: 2 * HEAD_CHARACTERS])[:HEAD_CHARACTERS])
        except Unreadable:
            return False
    return is_head(head[:HEAD_CHARACTERS].removeprefix(b"\xef\xbb\xbf").decode("latin-1"))


def is_wide(data: bytes) -> bool:
    """Return whether bytes look like text in UTF-16."""
    return data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:64]


def is_head(text: str) -> bool:
    """Return whether a text begins with the head of a message.

    Notes, YAML and logs have lines of the same form, and so have answers of HTTP servers: a head
    has a sender or a MIME version, and fields that only messages have.
    """
    text = text.lstrip("\ufeff\r\n ")
    fields: dict[str, str] = {}
    lines = text.split("\n")
    begins = 1 if _ENVELOPE.match(lines[0]) else 0
    for line in lines[begins:]:
        line = line.rstrip("\r")
        if not line:
            break
        if line[0] in " \t":
            if not fields:
                return False
            continue
        found = _FIELD.match(line)
        if not found:
            return False
        fields.setdefault(found.group(1), line[found.end() :])
    else:
        if len(text) < 64 and not begins:
            return False
    names = {name.lower() for name in fields}
    marked = {name for name in names if _OF_MESSAGES.match(name)}
    value = {name.lower(): written for name, written in fields.items()}
    if "mime-version" in names and value.get("content-type", "").startswith("multipart/"):
        return True
    if "from" not in names:
        return len(marked - {"mime-version"}) > 1 and bool(names & {"subject", "to", "received"})
    if marked or begins:
        return bool(names & {"subject", "date", "to", "content-type", "received"})
    capital = all(name[0].isupper() for name in fields)
    known = names <= _USUAL | {"content-type"}
    return capital and known and len(names) > 1 and bool(_ADDRESS.search(value["from"]))


def field(message: "Message[str, str]", name: str) -> str:
    """Return a field's text in one line, "" where there is none."""
    return " ".join(decoded(str(message.get(name, ""))).split())


def decoded(written: str) -> str:
    """Decode a field: encoded words, and bytes that declare no encoding (lone surrogates)."""
    written = written[:MAX_FIELD]
    if not written.isascii():
        raw = written.encode("utf-8", "surrogateescape")
        written = _text(raw, None)
    pieces: list[str] = []
    held, charset, place = b"", "", 0
    # A character may be cut between two words: their bytes are joined first.
    for found in _WORDS.finditer(written):
        before = written[place : found.start()]
        if held and (before or found.group(1).lower() != charset):
            pieces.append(_text(held, charset))
            held = b""
        pieces.append(before)
        charset, place = found.group(1).lower(), found.end()
        held += _bytes(found.group(2), found.group(3))
    if held:
        pieces.append(_text(held, charset))
    return "".join([*pieces, written[place:]])


def _bytes(kind: str, written: str) -> bytes:
    if kind in "qQ":
        return quopri.decodestring(written.replace("_", " ").encode("utf-8", "replace"), True)
    try:
        return base64.b64decode(written + "=" * (-len(written) % 4))
    except (binascii.Error, ValueError):
        return b""


def _text(raw: bytes, charset: str | None) -> str:
    try:
        return text_of(raw, charset)
    except Unreadable:
        return raw.decode("utf-8", "replace")


def text_of(raw: bytes, charset: str | None) -> str:
    """Decode text of a message; raise Unreadable. Declared encodings of seven bits come first,
    since any text in them is UTF-8 too."""
    if charset and charset.lower().startswith(("utf-7", "hz-gb", "iso-2022-")):
        try:
            return raw.decode(charset)
        except (UnicodeError, LookupError):
            pass
    return decode(raw, None if charset and charset.lower() in _SAYS_NOTHING else charset)
