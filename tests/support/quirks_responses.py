"""Quirks of whole responses: statuses, types and codings."""

import gzip
import zlib

from tests.support.quirks import GITHUB, STOP, Quirk, deflated, says

RESPONSES = (
    Quirk(
        "status 201",
        GITHUB + "ChatGPTNextWeb/NextChat/issues/4797",
        says("Hi.", "stop"),
        "Hi.",
        status="201 Created",
    ),
    Quirk(
        "status 202, another type",
        GITHUB + "vercel/ai/issues/2035",
        says("Hi.") + STOP,
        "Hi.",
        status="202 Accepted",
        headers={"Content-Type": "application/json"},
    ),
    Quirk(
        "a stream that is compressed unasked",
        GITHUB + "Wei-Shaw/claude-relay-service/issues/1027",
        gzip.compress(says("Hi.") + STOP),
        "Hi.",
        headers={"Content-Encoding": "gzip"},
    ),
    Quirk(
        "compressed, and no header says so",
        GITHUB + "Wei-Shaw/claude-relay-service/pull/1056",
        gzip.compress(says("Hi.") + STOP),
        "Hi.",
    ),
    Quirk(
        "a header of a coding that was undone",
        GITHUB + "freelensapp/freelens-ai-extension/issues/272",
        says("Hi.") + STOP,
        "Hi.",
        headers={"Content-Encoding": "gzip"},
    ),
    Quirk(
        "deflate without zlib's frame",
        GITHUB + "epam/ai-dial-core/pull/1646",
        deflated(says("Hi.") + STOP, -zlib.MAX_WBITS),
        "Hi.",
        headers={"Content-Encoding": "deflate"},
    ),
    Quirk(
        "a coding that cannot be undone",
        GITHUB + "Wei-Shaw/claude-relay-service/issues/1027",
        b"\x8b\x02\x80\x03",
        error="error.upstream_protocol.coding",
        headers={"Content-Encoding": "br"},
    ),
)
