"""The streaming response: the resources it holds, and what happens when a client disconnects."""

import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy.pool import QueuePool

from chatapp.web.services import Services
from tests.support.modelserver import ModelServer


@pytest.fixture
def slow(client: FlaskClient, services: Services, model_server: ModelServer) -> Iterator[str]:
    """A supplier whose model writes for about a second."""
    supplier = {"name": "slow", "base_url": model_server.base_url, "models": ["typewriter-40-40"]}
    assert client.post("/api/suppliers", json=supplier).status_code == 201
    yield "slow"
    services.suppliers.models.close()


def test_a_stream_holds_no_database_connection(
    client: FlaskClient, services: Services, slow: str
) -> None:
    pool = services.database.engine.pool
    assert isinstance(pool, QueuePool)
    body = {"question": "q", "llm_config": {"supplier": slow}}
    with client.post("/chat/stream", json=body) as stream:
        in_use = [pool.checkedout() for block in stream.response if b'"type":"chunk"' in block]
    # The saver's transaction may be open at one chunk, but not at all of them.
    assert min(in_use) == 0


def test_a_disconnect_ends_the_reader_but_not_the_answer(
    client: FlaskClient, services: Services, slow: str
) -> None:
    body = {"question": "q", "llm_config": {"supplier": slow}}
    with client.post("/chat/stream", json=body) as stream:
        first = json.loads(next(iter(stream.response)).partition(b"data: ")[2])
    address = f"/api/messages/{first['message_id']}"
    assert services.runs.streams == 1, "the answer itself"
    assert client.get(address).json["status"] in ("queued", "running")
    with client.get(f"/chat/stream/{first['message_id']}") as rest:
        assert '"type":"done"' in rest.text
    assert client.get(address).json["status"] == "complete"


def test_a_response_that_is_never_read_releases_its_reader(
    client: FlaskClient, services: Services, slow: str
) -> None:
    message_id = client.post(
        "/chat", json={"question": "q", "llm_config": {"supplier": slow}}
    ).json["message_id"]
    client.head(f"/chat/stream/{message_id}").close()
    assert services.runs.streams == 0
