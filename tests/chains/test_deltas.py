"""Bytes to deltas, whole and cut at every byte; and the framing of HTTP bodies."""

import json

import pytest

from chatapp.chains.deltas import Deltas
from chatapp.chains.http.framing import Chunked, Plain


def event(content: str, reason: str | None = None) -> bytes:
    return json.dumps(
        {"choices": [{"delta": {"content": content}, "finish_reason": reason}]}, ensure_ascii=False
    ).encode()


ONE, TWO, END = event("数据 "), event("b"), event("", "stop")
STREAMS = {
    "common": b"data: " + ONE + b"\n\ndata: " + TWO + b"\n\ndata: " + END + b"\n\ndata: [DONE]\n\n",
    "no blank": b"data:" + ONE + b"\n\ndata:" + TWO + b"\n\ndata:" + END + b"\n\ndata:[DONE]\n\n",
    "crlf": b"data: "
    + ONE
    + b"\r\n\r\ndata: "
    + TWO
    + b"\r\n\r\ndata: "
    + END
    + b"\r\n\r\ndata: [DONE]\r\n\r\n",
    "cr": b"data: " + ONE + b"\r\rdata: " + TWO + b"\r\rdata: " + END + b"\r\rdata: [DONE]\r\r",
    "comments": b": hi\n\nevent: x\n: hi\ndata: "
    + ONE
    + b"\nid: 4\n\n\n\n:\n\ndata: "
    + TWO
    + b"\n\ndata: "
    + END
    + b"\n\ndata: [DONE]\n\n",
    "lines": b"data: "
    + ONE.replace(b": [", b":\ndata: [")
    + b"\n\ndata: "
    + TWO
    + b"\n\ndata: "
    + END
    + b"\n\ndata: [DONE]\n\n",
    "two ends": b"data: "
    + ONE
    + b"\n\n\ndata: "
    + TWO
    + b"\n\n\n\ndata: "
    + END
    + b"\n\ndata: [DONE]\n\n",
}


def read(parts: list[bytes]) -> tuple[str, str, bool, bool]:
    deltas = Deltas(lambda chunk: None)
    text = ""
    for part in parts:
        deltas.feed(part)
        text += "".join(piece for piece in deltas.take() if isinstance(piece, str))
    return text, deltas.finish_reason, deltas.done, deltas.failure is None


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_form_of_sse_is_read_at_any_cut(stream: bytes) -> None:
    expected = ("数据 b", "stop", True, True)
    assert read([stream]) == expected
    assert read([stream[n : n + 1] for n in range(len(stream))]) == expected
    for at in range(len(stream)):
        assert read([stream[:at], stream[at:]]) == expected


@pytest.mark.parametrize(
    "data",
    [b"5", b"null", b"[]", b'{"choices": 3}', b'{"choices": [3]}', b'{"choices": [{"delta": "x"}]}',
     b'{"a": 1}', b"{", b"\xff",
     b"[" * 100_000],
)  # fmt: skip
def test_invalid_chunks_are_failures_not_exceptions(data: bytes) -> None:
    deltas = Deltas(lambda chunk: None)
    deltas.feed(b"data: " + ONE + b"\n\ndata: " + data + b"\n\n")
    assert deltas.take() == ["数据 "]
    assert deltas.failure is not None


@pytest.mark.parametrize("reason", ["network_error", "insufficient_system_resource", "error"])
def test_some_finish_reasons_are_faults(reason: str) -> None:
    deltas = Deltas(lambda chunk: None)
    deltas.feed(b"data: " + event("x", reason) + b"\n\n")
    assert deltas.take() == ["x"] and deltas.failure is not None and not deltas.finish_reason


BODY = b"4\r\nWiki\r\n6;name=value\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\n"


def test_chunks_are_read_at_any_cut() -> None:
    for size in (1, 2, 3, 7, len(BODY)):
        chunked = Chunked()
        found = b"".join(chunked.feed(BODY[at : at + size]) for at in range(0, len(BODY), size))
        assert found == b"Wikipedia in \r\n\r\nchunks."
        assert chunked.ended


@pytest.mark.parametrize("body", [b"x\r\n", b"-1\r\nab", b"4\r\nWikiX\r\n", b"\r\n", b"4" * 5000])
def test_wrong_framing_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        Chunked().feed(body)


def test_an_early_end_is_an_error_where_the_length_is_known() -> None:
    for framed in (Chunked(), Plain(5)):
        with pytest.raises(ValueError):
            framed.feed(b"")
    endless = Plain(None)
    assert endless.feed(b"abc") == b"abc" and not endless.ended
    assert endless.feed(b"") == b"" and endless.ended
