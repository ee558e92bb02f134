"""The built-in embedder as a process of its own, with the model that set-up has made."""

import base64
import http.client
import json
import math
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatapp.home import MODEL_FOLDERS, model_folder
from chatapp.processes.embedder import URGENT_AT_ONCE, Model, RequestError, read_request
from tests.support.service import PATIENCE_SECONDS, free_port, wait_for

ROOT = Path(__file__).parents[2]
NO_MODEL = "set-up could not make the embedding model"
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
MODEL_FOLDER = MODEL_FOLDERS[0]
SENTENCES = [
    "query: how much protein should a female eat",
    "query: 女性每天应该吃多少蛋白质",
    "passage: Women need about 46 grams of protein per day.",
    "passage: 南瓜去皮，擦成细丝，放入锅中快速翻炒一分钟。",
]
ANSWER_SECONDS = 300  # for the largest batch, on a busy machine
LONG = (
    "The pump must be switched off before the cover is removed, "
    "and the seal has to be checked for cracks. " * 12
)
WRONG = [
    b"",
    b"{",
    b"[" * 100_000,
    b"\xff\xfe",
    b'"text"',
    b"{}",
    b'{"input": []}',
    b'{"input": null}',
    b'{"input": [1, 2, 3]}',
    b'{"input": ["text", null]}',
    b'{"input": {"text": "text"}}',
    json.dumps({"input": ["text"] * 257}).encode(),
]


class Embedder:
    """`with Embedder(folder) as embedder:` starts the process and ends it."""

    def __init__(self, folder: Path = MODEL_FOLDER) -> None:
        self.port = free_port()
        self.command = [
            sys.executable,
            "-m",
            "chatapp.processes.embedder",
            f"127.0.0.1:{self.port}",
            str(folder),
        ]

    def __enter__(self) -> "Embedder":
        self.process = subprocess.Popen(self.command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        wait_for(self._is_there, what="the embedder answers")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_SECONDS)

    def _is_there(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Return status and JSON of one request."""
        connection = self.connect()
        connection.request(method, path, body, headers)
        with connection.getresponse() as answer:
            assert answer.headers["Content-Type"] == "application/json"
            said = answer.status, json.loads(answer.read())
        connection.close()
        return said

    def embed(self, given: str | list[str]) -> list[bytes]:
        """Return the vectors of texts."""
        body = json.dumps({"model": "any", "input": given, "encoding_format": "base64"}).encode()
        status, said = self.ask("POST", "/v1/embeddings", body)
        assert status == 200, said
        assert [entry["index"] for entry in said["data"]] == list(range(len(said["data"])))
        return [base64.b64decode(entry["embedding"]) for entry in said["data"]]

    def maps(self) -> str:
        """Return the files that the process has in its memory."""
        return Path(f"/proc/{self.process.pid}/maps").read_text()


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    if model_folder() is None and os.environ.get("CI") != "true":
        pytest.skip(NO_MODEL)
    with Embedder() as running:
        yield running


def numbers(vector: bytes) -> tuple[float, ...]:
    return struct.unpack("<384f", vector)


def similarity(one: bytes, other: bytes) -> float:
    return sum(a * b for a, b in zip(numbers(one), numbers(other), strict=True))


def test_it_finds_similar_what_means_the_same(embedder: Embedder) -> None:
    vectors = embedder.embed(SENTENCES)
    for question in (0, 1):  # in both languages
        near, far = (similarity(vectors[question], vectors[passage]) for passage in (2, 3))
        assert near > far + 0.03
    for vector in vectors:
        assert math.fsum(number * number for number in numbers(vector)) == pytest.approx(
            1, abs=1e-5
        )


def test_a_vector_depends_on_its_text_alone(embedder: Embedder) -> None:
    together = embedder.embed([SENTENCES[0], LONG, SENTENCES[1]])
    assert together == [embedder.embed(text)[0] for text in (SENTENCES[0], LONG, SENTENCES[1])]


def test_vectors_come_as_numbers_where_base64_is_not_asked_for(embedder: Embedder) -> None:
    status, said = embedder.ask(
        "POST", "/v1/embeddings", json.dumps({"model": "any", "input": SENTENCES[:1]}).encode()
    )
    assert (status, said["object"], said["model"]) == (200, "list", "multilingual-e5-small")
    assert tuple(said["data"][0]["embedding"]) == numbers(embedder.embed(SENTENCES[0])[0])


def test_of_a_long_text_the_beginning_counts(embedder: Embedder) -> None:
    beginning = "word " * 510
    assert embedder.embed(beginning + "dog") == embedder.embed(beginning + "cat " * 1000)
    assert embedder.embed("dog " + beginning) != embedder.embed("cat " + beginning)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\0", "\ud800", "\U0010ffff", "a" * 1_000_000, "word " * 200_000, "水泵" * 300_000],
)
def test_every_text_has_a_vector(embedder: Embedder, text: str) -> None:
    (vector,) = embedder.embed([text])
    assert all(map(math.isfinite, numbers(vector)))


@pytest.mark.parametrize("body", WRONG, ids=range(len(WRONG)))
def test_what_is_no_request_gets_an_error_in_json(embedder: Embedder, body: bytes) -> None:
    status, said = embedder.ask("POST", "/v1/embeddings", body)
    assert status == 400
    assert said["error"]["message"] and said["error"]["type"] == "invalid_request_error"
    assert embedder.embed("and it goes on")


def test_what_is_not_offered_gets_an_error_in_json(embedder: Embedder) -> None:
    assert embedder.ask("GET", "/v1/models")[0] == 404
    assert embedder.ask("POST", "/", b"{}")[0] == 404
    assert embedder.ask("PUT", "/v1/embeddings", b"{}")[0] == 501
    assert (
        embedder.ask("POST", "/v1/embeddings", None, **{"Content-Length": "99999999999"})[0] == 413
    )
    assert embedder.ask("POST", "/v1/embeddings", None, **{"Content-Length": "9" * 5000})[0] == 413
    assert embedder.ask("POST", "/v1/embeddings", None, **{"Content-Length": "-1"})[0] == 411
    with socket.create_connection(("127.0.0.1", embedder.port), 10) as raw:
        raw.sendall(b"hello\r\n\r\n")
        assert b"invalid_request_error" in raw.makefile("rb").read()


def test_a_connection_carries_many_requests(embedder: Embedder) -> None:
    connection = embedder.connect()
    for _ in range(3):
        connection.request("POST", "/v1/embeddings", json.dumps({"input": "text"}))
        with connection.getresponse() as answer:
            assert answer.status == 200 and answer.read()
        assert connection.sock is not None
    connection.close()


@pytest.mark.parametrize("urgent", [False, True], ids=["question", "sentences"])
def test_what_a_question_waits_for_does_not_wait_for_batches(
    embedder: Embedder, urgent: bool
) -> None:
    asked = json.dumps({"input": SENTENCES, "encoding_format": "base64", "urgent": True})
    with Embedder() as fresh:
        fresh.embed("the model is loaded")
        batches = [fresh.connect() for _ in range(2)]
        for batch in batches:
            batch.request("POST", "/v1/embeddings", json.dumps({"input": [LONG] * 256}))
        for _ in range(3):
            if urgent:
                status, said = fresh.ask("POST", "/v1/embeddings", asked.encode())
                vectors = [base64.b64decode(entry["embedding"]) for entry in said["data"]]
                assert status == 200 and vectors == embedder.embed(SENTENCES)
            else:
                fresh.embed("How long may I return something?")
        ended, _, _ = select.select([batch.sock for batch in batches], [], [], 0)
        assert not ended
        for batch in batches:
            batch.close()


@pytest.mark.parametrize(("urgent", "at_once"), [(True, URGENT_AT_ONCE), (False, 1)])
def test_few_texts_are_embedded_at_once(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch, urgent: bool, at_once: int
) -> None:
    """Hundreds would compete for the interpreter: the process would miss its health checks."""
    model, now, most = Model(MODEL_FOLDER), 0, 0

    def vector(_self: Model, _text: str) -> bytes:
        nonlocal now, most
        now += 1
        most = max(most, now)
        time.sleep(0.01)
        now -= 1
        return b""

    monkeypatch.setattr(Model, "_vector", vector)
    asking = [threading.Thread(target=model.embed, args=(["text"], urgent)) for _ in range(40)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert most == at_once


def test_a_question_that_has_gone_on_is_not_embedded(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, gate = Model(MODEL_FOLDER), threading.Event()
    monkeypatch.setattr("chatapp.processes.embedder.URGENT_SECONDS", 0.01)
    monkeypatch.setattr(Model, "_vector", lambda *_: gate.wait(PATIENCE_SECONDS))
    first = [threading.Thread(target=model.embed, args=(["text"], True)) for _ in range(2)]
    for each in first:
        each.start()
    with pytest.raises(RequestError) as refusal:
        model.embed(["text"], urgent=True)
    assert refusal.value.status == 503
    gate.set()
    for each in first:
        each.join()


@pytest.mark.parametrize(
    ("asked", "urgent"),
    [
        ({"input": "text"}, True),
        ({"input": ["text"], "urgent": False}, False),
        ({"input": ["text"], "urgent": True}, True),
        ({"input": ["text", "text"]}, False),
        ({"input": ["text"] * 65, "urgent": True}, False),
        ({"input": ["text"], "urgent": "yes"}, False),
    ],
)
def test_what_is_urgent(asked: dict[str, Any], urgent: bool) -> None:
    assert read_request(json.dumps(asked).encode())[2] is urgent


@linux
def test_the_model_is_loaded_by_the_first_request(embedder: Embedder) -> None:
    with Embedder() as fresh:
        assert fresh.ask("GET", "/healthz") == (200, {"status": "ok"})
        assert "onnxruntime" not in fresh.maps() and "numpy" not in fresh.maps()
        fresh.embed("text")
        assert "onnxruntime" in fresh.maps()


def test_it_ends_at_once_in_the_middle_of_a_batch(embedder: Embedder) -> None:
    with Embedder() as fresh:
        fresh.embed("the model is loaded")
        connection = fresh.connect()
        connection.request("POST", "/v1/embeddings", json.dumps({"input": [LONG] * 256}))
        fresh.process.terminate()
        fresh.process.wait(PATIENCE_SECONDS)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()  # the batch was not finished first
        connection.close()


def test_a_damaged_model_is_named_until_it_is_mended(embedder: Embedder, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL_FOLDER, folder)
    (folder / "model.onnx").write_bytes(b"damaged")
    with Embedder(folder) as fresh:
        status, said = fresh.ask("POST", "/v1/embeddings", b'{"input": "text"}')
        assert (status, said["error"]["type"]) == (503, "server_error")
        assert "has changed since set-up" in said["error"]["message"]
        assert fresh.ask("GET", "/healthz")[0] == 503
        shutil.copy(MODEL_FOLDER / "model.onnx", folder)
        assert fresh.embed("text") == embedder.embed("text")
        assert fresh.ask("GET", "/healthz")[0] == 200


def test_a_port_that_is_taken_is_a_sentence(embedder: Embedder) -> None:
    command = [*embedder.command]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert "cannot listen" in done.stderr and "Traceback" not in done.stderr
