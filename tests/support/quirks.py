"""What suppliers really stream, one row a quirk: its source, its bytes, and how they are read.

The bytes are those of the source, shortened where their length does not matter. `error` is the
beginning of the catalogue key of the error that ends the answer; none where it is complete.
"""

import json
import zlib
from dataclasses import dataclass, field
from typing import Any

GITHUB = "https://github.com/"
FIXTURES = GITHUB + "vercel/ai/blob/main/packages/"
CUT = "error.upstream_error.cut"
EVENT = "error.upstream_error.event"
GARBLED = "error.upstream_protocol"
ANY = "error."


@dataclass(frozen=True)
class Quirk:
    """One supplier's way to stream, and how it is read. `breaks`: without the end of the body."""

    name: str
    source: str
    sent: bytes
    text: str = ""
    thought: str = ""
    error: str = ""
    reason: str = "stop"
    usage: tuple[int, int] | None = None
    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict)
    breaks: bool = False


def sse(body: Any, end: str = "\n\n") -> bytes:
    """Return an event with JSON."""
    return f"data: {json.dumps(body, ensure_ascii=False)}{end}".encode()


def chunk(delta: Any = None, reason: Any = None, **more: Any) -> dict[str, Any]:
    """Return a chunk; `more` is put beside its choices."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": reason}
    return {"id": "c1", "object": "chat.completion.chunk", "choices": [choice], **more}


def says(text: Any, reason: Any = None, **more: Any) -> bytes:
    """Return the event of a chunk with text."""
    return sse(chunk({"content": text}, reason, **more))


def ends(reason: Any = "stop", **more: Any) -> bytes:
    """Return the event of a chunk with a finish_reason alone."""
    return sse(chunk({}, reason, **more))


def whole(text: str, reason: str | None = "stop", **more: Any) -> dict[str, Any]:
    """Return an answer that is not streamed."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {"id": "c1", "object": "chat.completion", "choices": [choice], **more}


DONE = b"data: [DONE]\n\n"
STOP = ends() + DONE
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def chunked(body: bytes) -> bytes:
    """Frame a body in one chunk."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def deflated(body: bytes, bits: int = zlib.MAX_WBITS) -> bytes:
    """Compress a body: zlib's frame, none (-15) or gzip's (31)."""
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(body) + packer.flush()
