"""The head of an HTTP request and of its response."""

import pytest

from chatapp.chains.http.head import HEAD_BYTES, read_head, write_head

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"TRANSFER-ENCODING: Chunked\r\nX-Colon: a:b\r\n\r\n"
)


def test_a_request_is_written() -> None:
    written = write_head("POST", "/v1/chat?x=1", {"Host": "a.example", "X-Name": "v\xe4lue"})
    assert written == b"POST /v1/chat?x=1 HTTP/1.1\r\nHost: a.example\r\nX-Name: v\xe4lue\r\n\r\n"


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("/\u4e2d", {}),
        ("/", {"X": "a\r\nY: b"}),
        ("/", {"X": "a\nb"}),
        ("/", {"X\r\nY": "a"}),
        ("/", {"X:": "a"}),
        ("/", {"": "a"}),
        ("/", {"X": "\u4e2d"}),
    ],
)
def test_header_injection_is_refused(target: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        write_head("GET", target, headers)


def test_an_answer_is_read() -> None:
    found = read_head(ANSWER + b"body")
    assert found is not None
    head, rest = found
    assert (head.status, head.chunked, head.length, head.closes, rest) == (
        200,
        True,
        None,
        False,
        b"body",
    )
    assert head.headers == {
        "content-type": "text/event-stream",
        "transfer-encoding": "Chunked",
        "x-colon": "a:b",
    }


def test_an_incomplete_head_is_waited_for() -> None:
    for cut in range(len(ANSWER)):
        assert read_head(ANSWER[:cut]) is None, cut


def test_lines_may_end_without_a_carriage_return_and_headers_may_be_missing() -> None:
    found = read_head(b"HTTP/1.0 404\nContent-Length: 3\n\nabc")
    assert found is not None
    assert (found[0].status, found[0].length, found[1]) == (404, 3, b"abc")
    assert read_head(b"HTTP/1.1 502 \r\n\r\n") is not None


def test_codings_in_several_headers_are_one_list() -> None:
    found = read_head(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nX: a\r\ncontent-encoding: identity\r\n"
        b"X: b\r\n\r\n"
    )
    assert found is not None
    assert found[0].headers == {"content-encoding": "gzip, identity", "x": "b"}


def test_interim_responses_are_skipped() -> None:
    found = read_head(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ANSWER
    )
    assert found is not None
    assert found[0].status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"<html>",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 2000 \r\n\r\n",
    ],
)
def test_other_protocols_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_head(data)


def test_a_head_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError):
        read_head(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (HEAD_BYTES // 6))


@pytest.mark.parametrize(
    ("lines", "length", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 5, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n", 5, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n", None, True),
        (b"HTTP/1.1 200 OK\r\n", None, True),
        (b"HTTP/1.1 204 No Content\r\n", 0, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", 5, True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n", 5, False),
    ],
)
def test_body_length_and_connection_reuse(lines: bytes, length: int | None, closes: bool) -> None:
    found = read_head(lines + b"\r\n")
    assert found is not None
    assert (found[0].length, found[0].closes) == (length, closes)
