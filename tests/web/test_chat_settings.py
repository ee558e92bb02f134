"""The settings of one chat: every turn uses them, unless the request sets its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from chatapp.web.services import Services
from tests.support.modelserver import ModelServer

OWN = {
    "temperature": 0.3,
    "system_prompt": "Answer like a sailor.",
    "max_length": 2,
    "documents_only": None,
}
NONE = dict.fromkeys(OWN)


@pytest.fixture
def supplier(client: FlaskClient, services: Services, model_server: ModelServer) -> Iterator[str]:
    body = {"name": "here", "base_url": model_server.base_url, "models": ["echo"]}
    assert client.post("/api/suppliers", json=body).status_code == 201
    yield "here"
    services.suppliers.models.close()


def ask(client: FlaskClient, supplier: str, **fields: Any) -> dict[str, Any]:
    llm = {"supplier": supplier, "model": "echo"} | fields.pop("llm_config", {})
    reply = client.post("/chat", json={"llm_config": llm, "knowledge_config": None, **fields})
    assert reply.status_code == 200, reply.json
    return dict(reply.json)


def test_every_turn_uses_the_settings_of_its_chat(
    client: FlaskClient, supplier: str, model_server: ModelServer
) -> None:
    client.patch(
        "/api/auth/me", json={"defaults": {"system_prompt": "Be formal.", "temperature": 1.5}}
    )
    first = ask(client, supplier, question="One")
    session_id = first["session_id"]
    assert client.get(f"/api/sessions/{session_id}").json["settings"] == NONE
    assert model_server.asked()[-1].body["temperature"] == 1.5

    changed = client.patch(f"/api/sessions/{session_id}", json={"settings": OWN})
    assert changed.json["settings"] == OWN
    again = ask(client, supplier, question="Two", session_id=session_id)
    question_id = client.get(f"/api/messages/{again['message_id']}").json["parent_id"]
    ask(client, supplier, question_id=question_id)
    ask(client, supplier, question="Three", session_id=session_id)
    for asked in model_server.asked()[-3:]:
        assert asked.body["temperature"] == 0.3
        assert asked.body["messages"][0]["content"].startswith("Answer like a sailor.")
    contents = [each["content"] for each in model_server.asked()[-1].body["messages"]]
    assert "One" not in contents and "Two" in contents, "two earlier messages go along"

    elsewhere = ask(client, supplier, question="Another chat")
    assert elsewhere["session_id"] != session_id
    assert model_server.asked()[-1].body["messages"][0]["content"].startswith("Be formal.")


def test_the_fields_of_a_request_come_before_the_settings_of_its_chat(
    client: FlaskClient, supplier: str, model_server: ModelServer
) -> None:
    session_id = client.post("/api/sessions", json={"title": "t", "settings": OWN}).json["id"]
    ask(
        client,
        supplier,
        question="One",
        session_id=session_id,
        chat_config={"system_prompt": ""},
        llm_config={"temperature": None},
    )
    asked = model_server.asked()[-1].body
    assert "temperature" not in asked
    assert "sailor" not in asked["messages"][0]["content"]


def test_one_setting_is_changed_and_one_is_restored(client: FlaskClient) -> None:
    session_id = client.post("/api/sessions", json={"title": "t", "settings": OWN}).json["id"]
    path = f"/api/sessions/{session_id}"
    client.patch(path, json={"settings": {"temperature": None, "documents_only": False}})
    assert client.get(path).json["settings"] == OWN | {
        "temperature": None,
        "documents_only": False,
    }
    client.patch(path, json={"settings": None, "pinned": True})
    assert client.get(path).json["settings"]["max_length"] == 2, "null changes nothing"


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 3}, {"max_length": -1}, {"system_prompt": "x" * 20_001}, "formal"],
    ids=str,
)
def test_settings_out_of_range_are_refused(client: FlaskClient, wrong: Any) -> None:
    session_id = client.post("/api/sessions", json={"title": "t"}).json["id"]
    refused = client.patch(f"/api/sessions/{session_id}", json={"settings": wrong})
    assert refused.status_code == 422
    assert client.get(f"/api/sessions/{session_id}").json["settings"] == NONE
