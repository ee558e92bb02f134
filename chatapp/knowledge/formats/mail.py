"""MIME messages: e-mails, and web pages saved in one file (MHTML)."""

import re
from typing import TYPE_CHECKING

from chatapp.knowledge.formats.document import Builder, Document
from chatapp.knowledge.formats.encodings import decode
from chatapp.knowledge.formats.html import add_page

if TYPE_CHECKING:
    from email.message import EmailMessage, MIMEPart

_HEADER = re.compile(
    r"(?:from|to|subject|date|mime-version|received|return-path|message-id|delivered-to|snapshot-content-location|x-[\w-]+):",
    re.IGNORECASE,
)
_NEEDED = re.compile(r"^(?:mime-version|message-id|received):", re.IGNORECASE | re.MULTILINE)
SAMPLE_CHARACTERS = 4000
_SHOWN = ("From", "To", "Cc", "Date")


def is_mail(text: str) -> bool:
    """Return whether a text begins with the headers of an e-mail or a saved page."""
    return bool(_HEADER.match(text)) and bool(
        _NEEDED.search(text[:SAMPLE_CHARACTERS].partition("\n\n")[0])
    )


def read(data: bytes) -> Document:
    """Read an e-mail or a saved page."""
    from email import message_from_bytes, policy  # 30 ms, not needed for other texts

    message = message_from_bytes(data, policy=policy.default)
    builder = Builder()
    saved = (
        message.get_content_type() == "multipart/related"
        and "From" in message
        and "To" not in message
    )
    if not saved:
        _add_head(builder, message)
    with builder.skips:
        body = message.get_body(("html", "plain") if saved else ("plain", "html"))
        if body is not None:
            _add(builder, body)
    return builder.finish("multipart/related" if saved else "message/rfc822")


def _add_head(builder: Builder, message: "EmailMessage") -> None:
    lines: list[str] = []
    for field in ("Subject", *_SHOWN):
        with builder.skips:
            if text := " ".join(str(message.get(field, "")).split()):
                lines.append(f"{field}: {text}")
    subject = lines[0].removeprefix("Subject: ") if lines and lines[0].startswith("Subject") else ""
    builder.section(1, subject)
    builder.add("\n".join(lines))


def _add(builder: Builder, body: "MIMEPart") -> None:
    payload = body.get_payload(decode=True)
    text = decode(payload if isinstance(payload, bytes) else b"", body.get_content_charset())
    if body.get_content_type() == "text/html":
        add_page(builder, text)
    else:
        for block in text.replace("\r\n", "\n").split("\n\n"):
            builder.add(block)
