"""/v1/embeddings over a real embedding service."""

import base64
import math
import threading
import time
from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp import create_app
from chatapp.settings import Settings
from tests.support.administrator import TOKEN
from tests.support.embedserver import DIMENSION, EmbedServer
from tests.support.service import wait_for

MODEL = "embedder/some-model"


@pytest.fixture
def embedder() -> Iterator[EmbedServer]:
    with EmbedServer() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, embedder: EmbedServer) -> Settings:
    """Those of an app with an embedding service that has prefixes."""
    return replace(
        settings,
        embedder="some-model",
        embedder_url=embedder.base_url,
        query_prefix="query: ",
        passage_prefix="passage: ",
    )


def embed(client: FlaskClient, given: Any, **more: Any) -> Any:
    return client.post("/v1/embeddings", json={"model": MODEL, "input": given, **more})


def vectors(reply: Any) -> list[list[float]]:
    assert reply.status_code == 200, reply.json
    assert [entry["index"] for entry in reply.json["data"]] == list(range(len(reply.json["data"])))
    return [entry["embedding"] for entry in reply.json["data"]]


def test_texts_become_vectors_in_their_order(client: FlaskClient, embedder: EmbedServer) -> None:
    reply = embed(client, ["vacation days", "an automobile", "holiday days"])
    leave, car, again = vectors(reply)
    assert len(leave) == DIMENSION and math.isclose(math.hypot(*leave), 1, abs_tol=1e-6)
    assert leave == again != car
    assert reply.json["object"] == "list" and reply.json["model"] == MODEL
    assert reply.json["usage"] == {"prompt_tokens": 10, "total_tokens": 10}
    assert vectors(embed(client, "holiday days")) == [leave]
    assert embedder.texts()[0] == "passage: vacation days"


def test_many_requests_reach_the_service_two_at_a_time(app: Flask, embedder: EmbedServer) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"model": MODEL, "input": "a text of a file"}
    statuses: list[int] = []

    def ask() -> None:
        reply = app.test_client().post("/v1/embeddings", json=body, headers=headers)
        statuses.append(reply.status_code)

    embedder.mood = "wait"
    programs = [threading.Thread(target=ask) for _ in range(8)]
    for program in programs:
        program.start()
    wait_for(lambda: len(embedder.keys) == 2, "two have arrived")
    time.sleep(0.5)  # for a third one to arrive, if it may
    assert len(embedder.keys) == 2
    embedder.gate.set()
    for program in programs:
        program.join()
    assert statuses == [200] * 8


def test_more_texts_than_the_service_takes_at_once(
    client: FlaskClient, embedder: EmbedServer
) -> None:
    embedder.most = 10
    texts = [f"word{'abcdefghij'[n % 10]}" for n in range(75)]
    made = vectors(embed(client, texts))
    assert len(made) == 75 and made[3] == made[73] != made[4]


def test_base64_has_the_same_numbers(client: FlaskClient) -> None:
    [numbers] = vectors(embed(client, "leave"))
    [coded] = vectors(embed(client, "leave", encoding_format="base64"))
    packed = array("f")
    packed.frombytes(base64.b64decode(str(coded)))
    assert packed.tolist() == numbers


def test_questions_get_their_own_prefix(client: FlaskClient, embedder: EmbedServer) -> None:
    vectors(embed(client, ["how many days"], input_type="query"))
    assert embedder.texts() == ["query: how many days"]


def test_only_the_length_of_the_vectors_is_taken(client: FlaskClient) -> None:
    assert embed(client, "leave", dimensions=DIMENSION).status_code == 200
    assert f"{DIMENSION}" in refused(embed(client, "leave", dimensions=64), "dimensions")


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ([[1, 2, 3]], "input", "check_embedding_ctx_length"),
        ([1, 2, 3], "input", "check_embedding_ctx_length"),
        ([], "input", "blank"),
        ("", "input.0", "blank"),
        (["x", "y" * 40_000], "input.1", "at most 32768"),
        (["x"] * 2049, "input", "at most 2048"),
    ],
)
def test_what_is_no_text_is_refused(client: FlaskClient, given: Any, field: str, said: str) -> None:
    assert said in refused(embed(client, given), field)


def test_a_text_that_the_model_refuses_is_named(client: FlaskClient, embedder: EmbedServer) -> None:
    embedder.refused = "poison"
    refused(embed(client, ["good", "poison", "fine"]), "input.1")


def test_another_model_is_not_found(client: FlaskClient) -> None:
    reply = client.post("/v1/embeddings", json={"model": "text-embedding-3-small", "input": "x"})
    assert reply.status_code == 404 and MODEL in reply.json["error"]["message"]
    assert client.post("/v1/embeddings", json={"model": "some-model", "input": "x"}).json["data"]


def test_a_service_that_fails_is_unavailable(client: FlaskClient, embedder: EmbedServer) -> None:
    embedder.mood = "down"
    assert embed(client, "x").status_code == 503


def test_without_an_embedding_model_there_are_none(settings: Settings) -> None:
    app = create_app(replace(settings, embedder="off"))
    app.extensions["chatapp"].accounts.ensure_admin("", TOKEN)
    reply = app.test_client().post(
        "/v1/embeddings",
        json={"model": MODEL, "input": "x"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert reply.status_code == 404 and "CHATAPP_EMBEDDER" in reply.json["error"]["message"]


def refused(reply: Any, field: str) -> str:
    """Return the message of a refusal that names a field."""
    assert reply.status_code in (400, 422), reply.json
    message = str(reply.json["error"]["message"])
    assert field in message, message
    return message
