"""Requests that gunicorn cannot parse are answered in our words, and large heads are read."""

import re
import socket
from collections.abc import Iterator

import pytest

from tests.support.service import TOKEN, Reply, Service

pytestmark = pytest.mark.server
WAIT_SECONDS = 60
MODELS = b"GET /api/models HTTP/1.1\r\nHost: localhost\r\n"
SIGNED_IN = f"Authorization: Bearer {TOKEN}\r\n".encode()


def send(service: Service, request: bytes) -> Reply:
    """Send raw bytes; return the response, which ends with the connection."""
    with socket.create_connection(("127.0.0.1", service.port), WAIT_SECONDS) as connection:
        connection.sendall(request)
        response = b"".join(received(connection))
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return Reply(int(first.split(" ")[1]), dict(line.split(": ", 1) for line in lines), body)


def received(connection: socket.socket) -> Iterator[bytes]:
    while data := connection.recv(65536):
        yield data


def cookie(size: int) -> bytes:
    return b"Cookie: sso=" + b"x" * size + b"\r\n"


@pytest.mark.parametrize("size", [9_000, 32_768, 64_000, 120_000])
def test_cookies_of_single_sign_on_are_read(service: Service, size: int) -> None:
    head = MODELS + SIGNED_IN + cookie(size) + b"Connection: close\r\n\r\n"
    assert send(service, head).status == 200


def test_many_large_headers_are_read(service: Service) -> None:
    more = b"".join(b"X-Group-%d: " % n + b"x" * 8000 + b"\r\n" for n in range(12))
    assert send(service, MODELS + SIGNED_IN + more + b"Connection: close\r\n\r\n").status == 200


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (MODELS + cookie(132_000) + b"\r\n", 431, "too_large"),
        (MODELS + cookie(3_000_000) + b"\r\n", 431, "too_large"),
        (MODELS + cookie(70_000) * 2 + b"\r\n", 431, "too_large"),
        (MODELS + b"X: 1\r\n" * 101 + b"\r\n", 431, "too_large"),
        (b"GET /api/" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", 414, "too_large"),
        (b"GET /api/" + b"x" * 900_000 + b" HTTP/1.1\r\n\r\n", 414, "too_large"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "invalid_request"),
        (b"hello\r\n\r\n", 400, "invalid_request"),
        (b"GET /api/models HTTP/7.0\r\n\r\n", 400, "invalid_request"),
        (b"get /api/models HTTP/1.1\r\n\r\n", 400, "invalid_request"),
        (MODELS + b"Bad Name: 1\r\n\r\n", 400, "invalid_request"),
        (b"GET //[ HTTP/1.1\r\nBad Name: 1\r\n\r\n", 400, "invalid_request"),
        (MODELS + b"Host: other\r\n\r\n", 400, "invalid_request"),
        (MODELS + b"X: a\r\n folded\r\n\r\n", 400, "invalid_request"),
        (MODELS + b"X: bare line feed\nY: 1\r\n\r\n", 400, "invalid_request"),
        (MODELS + b"Content-Length: -1\r\n\r\n", 400, "invalid_request"),
        (MODELS + b"Expect: a miracle\r\n\r\n", 417, "invalid_request"),
        (MODELS + b"Transfer-Encoding: br\r\n\r\n", 501, "invalid_request"),
    ],
    ids=lambda value: value[-30:] if isinstance(value, bytes) else None,
)
def test_what_cannot_be_parsed_is_refused_in_our_shape(
    service: Service, request_bytes: bytes, status: int, code: str
) -> None:
    reply = send(service, request_bytes)
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Connection"] == "close"
    error = reply.json["error"]
    assert error["code"] == code and error["message"] and not error["retryable"]
    assert error["request_id"] == reply.headers["X-Request-Id"]


def test_a_browser_gets_a_page_in_its_language(service: Service) -> None:
    head = b"GET /c/a HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Language: zh\r\n"
    for more in (cookie(200_000), cookie(131_000)):
        reply = send(service, head + more + b"\r\n")
        assert reply.status == 431 and reply.headers["Content-Type"].startswith("text/html")
        assert "Cookie 过大" in reply.body.decode()
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    reply = send(service, head.replace(b"/c/a", b"/api/models") + cookie(200_000) + b"\r\n")
    assert "Cookie 过大" in reply.json["error"]["message"]


def test_a_head_request_gets_no_body(service: Service) -> None:
    reply = send(service, b"HEAD / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n")
    assert (reply.status, reply.body) == (400, b"")


def test_a_body_that_is_not_chunked_as_it_says_is_refused(service: Service) -> None:
    head = b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + SIGNED_IN
    for body in (b"ZZ\r\nabc\r\n", b"3\r\nabcdef\r\n0\r\n\r\n"):
        reply = send(service, head + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        assert reply.status == 400, body
        assert reply.json["error"]["code"] == "invalid_request"


def test_the_log_keeps_gunicorns_line_and_no_traceback(service: Service) -> None:
    send(service, MODELS + b"Bad Name: 1\r\n\r\n")
    output = service.output()
    assert re.search("Invalid request from ip=127.0.0.1: .*Bad Name", output)
    assert "Traceback" not in output
