"""Compressed responses over a real connection: streams, refusals and lists of models."""

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator

import pytest

from chatapp.chains.build import build_chain, pieces
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.models import Models
from chatapp.core.events import Chunk
from chatapp.core.prompt import Ask
from chatapp.errors import ChatAppError
from tests.support.quirks import STOP, ends, says
from tests.support.rawserver import RawServer
from tests.support.service import PATIENCE_SECONDS
from tests.support.supplier import Outcome

BITS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as running:
        yield running


def endpoint(server: RawServer) -> Endpoint:
    return Endpoint("packed", "Packed", server.base_url, "sk-key")


def stream(server: RawServer, models: Models) -> Iterator[object]:
    model = models.model(endpoint(server), Parameters("m"))
    return pieces(build_chain(model).stream(Ask("q")))


def head(coding: str, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Encoding: {coding}\r\n{more}\r\n".encode()


def sends(server: RawServer, *parts: bytes) -> None:
    server.handle = lambda connection: connection.sendall(b"".join(parts))


@pytest.mark.parametrize("coding", BITS)
def test_each_word_arrives_when_it_is_flushed(
    server: RawServer, models: Models, coding: str
) -> None:
    arrived = threading.Semaphore(0)

    def answer(connection: socket.socket) -> None:
        packer = zlib.compressobj(wbits=BITS[coding])
        connection.sendall(head(coding))
        for event in (says("One "), says("two "), says("three.")):
            connection.sendall(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH))
            assert arrived.acquire(timeout=PATIENCE_SECONDS), (
                "the word did not arrive before the next was sent"
            )
        connection.sendall(packer.compress(STOP) + packer.flush())

    server.handle = answer
    said = []
    for piece in stream(server, models):
        if isinstance(piece, Chunk):
            said.append(piece.text)
            arrived.release()
    assert said == ["One ", "two ", "three."]


def test_a_list_of_models_is_unpacked(server: RawServer, models: Models) -> None:
    body = gzip.compress(json.dumps({"data": [{"id": "b"}, {"id": "a"}]}).encode())
    sends(server, head("gzip", more=f"Content-Length: {len(body)}\r\n"), body)
    assert models.list(endpoint(server)) == ["a", "b"]


def test_a_list_that_is_a_bomb_is_refused(server: RawServer, models: Models) -> None:
    sends(server, head("gzip"), gzip.compress(bytes(64 * 1024 * 1024)))
    with pytest.raises(ChatAppError) as refused:
        models.list(endpoint(server))
    assert refused.value.key == "error.upstream_protocol"


def test_a_refusal_is_unpacked(server: RawServer, models: Models) -> None:
    body = zlib.compress(b'{"error": {"code": "context_length_exceeded", "message": "long"}}')
    sends(server, head("deflate", "400 Bad Request"), body)
    assert Outcome(stream(server, models)).key == "error.context_too_long"


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_another_coding_is_named(server: RawServer, models: Models, coding: str) -> None:
    sends(server, head(coding), b"\x8b\x02\x80\x03")
    with pytest.raises(ChatAppError) as refused:
        models.list(endpoint(server))
    for error in (refused.value, Outcome(stream(server, models)).error):
        assert error is not None and error.key == "error.upstream_protocol.coding"
        assert error.params["coding"] == coding


def test_the_status_of_a_refusal_in_another_coding_counts(
    server: RawServer, models: Models
) -> None:
    sends(server, head("br", "401 Unauthorized"), b"\x8b\x02\x80\x03")
    assert Outcome(stream(server, models)).key == "error.upstream_auth"


@pytest.mark.parametrize(
    ("events", "error"), [(says("Half "), "error.upstream_error.cut"), (says("Half ") + ends(), "")]
)
def test_a_compressed_body_that_is_cut(
    server: RawServer, models: Models, events: bytes, error: str
) -> None:
    packer = zlib.compressobj(wbits=BITS["gzip"])
    body = packer.compress(events) + packer.flush(zlib.Z_SYNC_FLUSH)
    sends(server, head("gzip", more=f"Content-Length: {len(body)}\r\n"), body)
    outcome = Outcome(stream(server, models))
    assert (outcome.text, outcome.key) == ("Half ", error)
