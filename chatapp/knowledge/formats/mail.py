"""MIME messages: e-mails, files of several (mbox), and web pages saved in one file (MHTML).

Attachments are read as files of their own below the mail's subject; a forwarded mail is a section.
"""

import base64
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import Compat32
from html import unescape
from typing import TYPE_CHECKING

from chatapp.knowledge.formats.document import Builder, Document, LeftOut, Unreadable
from chatapp.knowledge.formats.encodings import decode
from chatapp.knowledge.formats.html import add_page
from chatapp.knowledge.formats.mail_head import decoded, field, is_wide, text_of
from chatapp.knowledge.formats.members import MAX_DEPTH, Members
from chatapp.knowledge.formats.signed_data import content_of

MIN_PLAIN_SHARE = 0.2  # of the HTML's text; a shorter plain text only refers to the HTML
_SHOWN = ("Subject", "From", "To", "Cc", "Date")
_MAILS = re.compile(rb"(?:\A|\r?\n\r?\n)(>?From \S[^\r\n]*\d{4}[^\r\n]*)\r?\n(?=[!-9;-~]+:)")
_MARKUP = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^<>]*>", re.I | re.DOTALL)
_NO_BASE64 = re.compile("[^A-Za-z0-9+/]")
_WINMAIL = ("application/ms-tnef", "application/vnd.ms-tnef")
_SIGNATURES = (
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-signature",
)
_SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime")

if TYPE_CHECKING:
    _Message = Message[str, str]
else:
    _Message = Message


def read(data: bytes, members: Members) -> Document:
    """Read an e-mail, several, or a saved page."""
    if is_wide(data):
        data = decode(data).encode()
    builder = Builder()
    starts = [found.start(1) for found in _MAILS.finditer(data)]
    if len(starts) > 1:
        return _read_all(builder, data, starts, members)
    message = _parsed(data)
    if _is_saved_page(message):
        with builder.skips:
            _add_page(builder, message)
        return builder.finish("multipart/related")
    _Mail(builder, members).add(message, 1)
    return builder.finish("message/rfc822")


def _read_all(builder: Builder, data: bytes, starts: list[int], members: Members) -> Document:
    """Read the mails of an mbox; those that no longer fit are left out."""
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        message = _parsed(data[start:end].strip())
        try:
            with builder.skips:
                _Mail(builder, members).add(message, 1)
        except Unreadable as fault:
            builder.skips.leave_out(LeftOut(field(message, "Subject"), fault.reason))
            if fault.reason == "too_long":
                break
    return builder.finish("application/mbox")


class _AsWritten(Compat32):
    """Leaves fields as they are; bytes that declare no encoding are lone surrogates."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value


def _message(data: bytes) -> _Message:
    return message_from_bytes(data, policy=_AsWritten())


def _parsed(data: bytes) -> _Message:
    data = data.lstrip(b"\xef\xbb\xbf\r\n ")
    if data.startswith((b"From ", b">From ")):
        data = data.partition(b"\n")[2]
    return _message(data)


def _is_saved_page(message: _Message) -> bool:
    related = message.get_content_type() == "multipart/related"
    return "Snapshot-Content-Location" in message or (
        related and "To" not in message and "Received" not in message and "Cc" not in message
    )


def _add_page(builder: Builder, message: _Message) -> None:
    pages = [part for part in message.walk() if part.get_content_type() == "text/html"]
    texts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    for part in (pages or texts)[:1]:
        _add_text(builder, part)


class _Mail:
    """Writes one mail: its fields, its text, then what is attached."""

    def __init__(self, builder: Builder, members: Members) -> None:
        self._builder = builder
        self._members = members

    def add(self, message: _Message, level: int) -> None:
        """Add a mail as a section."""
        builder = self._builder
        bodies: list[_Message] = []
        attached: list[_Message] = []
        _sort(message, bodies, attached, 0)
        builder.section(level, field(message, "Subject"))
        lines = [f"{name}: {value}" for name in _SHOWN if (value := field(message, name))]
        names = [name for part in attached if (name := _name(part))]
        if names:
            lines.append(f"Attachments: {', '.join(names)}")
        builder.add("\n".join(lines))
        for part in bodies:
            with builder.skips:
                _add_text(builder, part)
        for part in attached:
            self._attach(part, level + 1)

    def _attach(self, part: _Message, level: int) -> None:
        builder, kind = self._builder, part.get_content_type()
        name = _name(part)
        if kind == "message/rfc822":
            inner = _forwarded(part)
            if inner is not None and level <= MAX_DEPTH:
                self.add(inner, level)
            else:
                builder.skips.leave_out(LeftOut(name or kind, "nested" if inner else "damaged"))
        elif kind in _WINMAIL or name.lower() == "winmail.dat":
            builder.skips.leave_out(LeftOut(name or "winmail.dat", "winmail"))
        elif kind in _SEALED or kind == "multipart/encrypted":
            signed = content_of(_payload(part))
            if signed and level <= MAX_DEPTH:
                self._add_signed(_message(signed), level)
            else:
                builder.skips.leave_out(LeftOut(name or kind, "encrypted"))
        elif data := _payload(part):
            self._members.add(builder, level, name or _named_by_type(part), [data])

    def _add_signed(self, inner: _Message, level: int) -> None:
        bodies: list[_Message] = []
        attached: list[_Message] = []
        _sort(inner, bodies, attached, 0)
        for part in bodies:
            with self._builder.skips:
                _add_text(self._builder, part)
        for part in attached:
            self._attach(part, level + 1)


def _sort(
    part: _Message,
    bodies: list[_Message],
    attached: list[_Message],
    depth: int,
    related: bool = False,
) -> None:
    """Sort a message's parts into its text and what is attached to it."""
    kind = part.get_content_type()
    if depth > 4 * MAX_DEPTH:
        return
    if kind == "multipart/encrypted":
        attached.append(part)
    elif part.is_multipart() and kind != "message/rfc822":
        inner = [one for one in part.get_payload() if isinstance(one, Message)]
        if kind == "multipart/alternative":
            _choose(inner, bodies, attached, depth)
            return
        for one in inner:
            _sort(one, bodies, attached, depth + 1, related or kind == "multipart/related")
    elif kind in _SIGNATURES or (related and _is_shown_in_text(part)):
        return
    elif part.get_content_maintype() == "text" and _is_body(part, kind):
        bodies.append(part)
    else:
        attached.append(part)


def _choose(
    inner: list[_Message], bodies: list[_Message], attached: list[_Message], depth: int
) -> None:
    """Choose one of several forms of the same text: plain, unless it only refers to the HTML."""
    forms: list[tuple[str, list[_Message]]] = []
    for one in inner:
        found: list[_Message] = []
        _sort(one, found, attached, depth + 1)
        if found:
            forms.append((found[0].get_content_type(), found))
    plain = next((found for kind, found in forms if kind == "text/plain"), None)
    html = next((found for kind, found in forms if kind == "text/html"), None)
    if plain and html:
        seen = len("".join(_MARKUP.sub("", _written(html[0])).split()))
        plain = (
            plain if len("".join(_written(plain[0]).split())) >= MIN_PLAIN_SHARE * seen else html
        )
    bodies += plain or html or (forms[-1][1] if forms else [])


def _is_body(part: _Message, kind: str) -> bool:
    if part.get_content_disposition() == "attachment" or kind == "text/calendar":
        return False
    return not part.get_filename() or (
        part.get_content_disposition() != "attachment"
        and kind in ("text/plain", "text/html")
        and part.get_content_disposition() is None
    )


def _is_shown_in_text(part: _Message) -> bool:
    return part.get_content_maintype() == "image" and "Content-ID" in part


def _name(part: _Message) -> str:
    try:
        name = part.get_filename()
    except (LookupError, UnicodeError, ValueError, TypeError):  # of malformed RFC 2231 parameters
        name = None
    if not name and part.get_content_type() == "message/rfc822":
        inner = _forwarded(part)
        return field(inner, "Subject") if inner is not None else ""
    return " ".join(decoded(name or "").split())


def _named_by_type(part: _Message) -> str:
    return {"text/calendar": "invite.ics"}.get(part.get_content_type(), part.get_content_type())


def _forwarded(part: _Message) -> _Message | None:
    inner = part.get_payload()
    if not isinstance(inner, list) or not inner or not isinstance(inner[0], Message):
        return None
    coded = part.get("Content-Transfer-Encoding", "").strip().lower()
    if coded == "base64" and not inner[0].keys():  # forbidden, and done
        return _message(_from_base64(str(inner[0].get_payload())))
    return inner[0]


def _payload(part: _Message) -> bytes:
    if part.is_multipart():
        return b""
    if part.get("Content-Transfer-Encoding", "").strip().lower() == "base64":
        return _from_base64(str(part.get_payload()))
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _from_base64(written: str) -> bytes:
    """Decode base64 that may be cut or hold other characters."""
    kept = _NO_BASE64.sub("", written)
    return base64.b64decode(kept[: len(kept) - (len(kept) % 4 == 1)] + "=" * (-len(kept) % 4))


def _written(part: _Message) -> str:
    charset = part.get_content_charset()
    return text_of(_payload(part), charset).replace("\r\n", "\n")


# --- text


def _add_text(builder: Builder, part: _Message) -> None:
    text = _written(part)
    if part.get_content_type() == "text/html":
        add_page(builder, text)
        return
    if part.get_content_type() == "text/enriched":
        text = unescape(_MARKUP.sub("", text))
    if str(part.get_param("format", "")).lower() == "flowed":
        joint = "" if str(part.get_param("delsp", "")).lower() == "yes" else " "
        text = "\n".join(_reflowed(text.split("\n"), joint))
    for block in text.split("\n\n"):
        builder.add(block)


def _reflowed(lines: list[str], joint: str) -> Iterator[str]:
    """Join lines that end in a blank with the next of the same depth of quoting (RFC 3676)."""
    held, depth_held = "", 0
    for line in lines:
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        if held and depth != depth_held:
            yield held
            held = ""
        if not held:
            held = ">" * depth + " " * bool(depth)
        depth_held = depth
        if content.endswith(" ") and content != "-- ":
            held += content[:-1] + joint
        else:
            yield held + content
            held = ""
    if held:
        yield held
