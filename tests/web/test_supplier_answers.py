"""What a supplier answered is shown to administrators, without keys, and to nobody else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from chatapp.identity.person import Person
from chatapp.storage.models import User, new_id
from chatapp.web.services import Services
from tests.support.cannedserver import CannedServer

KEY = "sk-canary-0123456789"
OUT_OF_MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB"
BODY = {"error": {"message": f"{OUT_OF_MEMORY} <b>now</b> for Bearer {KEY}"}}


@pytest.fixture
def member(app: Flask, services: Services) -> FlaskClient:
    """A user without administrator rights."""
    user = User(id=new_id(), name="member", role="user")
    services.database.write(lambda t: t.add(user))
    person = Person(user.id, "member", "user", False)
    made = app.test_client()
    token = services.accounts.tokens.create(person, "member")["token"]
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return made


@pytest.fixture
def supplier(client: FlaskClient, services: Services) -> Iterator[str]:
    """The name of a supplier whose every answer is an error."""
    with CannedServer({"POST /v1/chat/completions": (500, BODY)}) as server:
        body = {"name": "broken", "base_url": f"{server.url}/v1", "api_key": KEY, "models": ["m"]}
        assert client.post("/api/suppliers", json=body).status_code == 201
        yield "broken"
        services.suppliers.models.close()


def question(supplier: str) -> dict[str, Any]:
    return {"question": "q", "knowledge_config": None, "llm_config": {"supplier": supplier}}


def events(client: FlaskClient, path: str, body: dict[str, Any] | None = None) -> list[Any]:
    """Return the events of a stream: a new one for a question, else one that is read again."""
    with client.post(path, json=body) if body else client.get(path) as stream:
        return [json.loads(data) for data in re.findall(r"^data: (.*)$", stream.text, re.MULTILINE)]


def every_view(client: FlaskClient, supplier: str) -> list[dict[str, Any]]:
    """Return an error as each place shows it: stream, second reader, JSON, message, export."""
    first, *_, last = events(client, "/chat/stream", question(supplier))
    again = events(client, f"/chat/stream/{first['message_id']}")
    session = f"/api/sessions/{first['session_id']}"
    exported = client.get(f"{session}/export?format=json").json["messages"]
    return [
        last,
        again[-1],
        client.post("/chat", json=question(supplier)).json["error"],
        client.get(f"/api/messages/{first['message_id']}").json["error"],
        client.get(f"{session}/messages").json["items"][-1]["error"],
        exported[-1]["error"],
    ]


def test_an_administrator_is_shown_the_answer_everywhere(
    client: FlaskClient, supplier: str
) -> None:
    for error in every_view(client, supplier):
        assert error["code"] == "upstream_error" and error["retryable"]
        assert error["upstream"]["status"] == 500
        text = error["upstream"]["text"]
        assert OUT_OF_MEMORY in text and "<b>now</b>" in text and KEY not in text


def test_a_member_is_shown_the_sentence_only(member: FlaskClient, supplier: str) -> None:
    for error in every_view(member, supplier):
        assert error["code"] == "upstream_error"
        assert "upstream" not in error and OUT_OF_MEMORY not in json.dumps(error)


def test_the_role_of_the_reader_counts_and_not_that_of_the_asker(
    client: FlaskClient, member: FlaskClient, services: Services, supplier: str
) -> None:
    first = events(member, "/chat/stream", question(supplier))[0]
    path = f"/api/messages/{first['message_id']}"
    assert "upstream" not in member.get(path).json["error"]
    promote = update(User).where(User.name == "member").values(role="admin")
    services.database.write(lambda t: t.execute(promote))
    services.accounts.tokens.forget()
    assert OUT_OF_MEMORY in member.get(path).json["error"]["upstream"]["text"]
    assert client.get(path).status_code == 404, "it is the member's alone"


def test_a_test_shows_the_answer_too(client: FlaskClient, member: FlaskClient) -> None:
    canned: dict[str, tuple[int, Any]] = {"GET /v1/models": (503, "<html><h1>Down</h1></html>")}
    with CannedServer(canned) as server:
        body = {"base_url": f"{server.url}/v1", "api_key": KEY}
        tested = client.post("/api/suppliers/test", json=body).json
        assert member.post("/api/suppliers/test", json=body).status_code == 403
    assert tested["error"]["upstream"] == {"status": 503, "text": "<html><h1>Down</h1></html>"}


def test_the_text_is_stored_without_the_key(
    client: FlaskClient, services: Services, supplier: str
) -> None:
    client.post("/chat", json=question(supplier))
    files = services.settings.home.glob("chatapp.db*")
    stored = b"".join(path.read_bytes() for path in files)
    assert OUT_OF_MEMORY.encode() in stored and KEY.encode() not in stored
