"""Feedback on answers over HTTP: given, replaced, withdrawn, listed, exported, deleted."""

from typing import Any

import pytest
from flask.testing import FlaskClient

UP = {"rating": "up"}


@pytest.fixture
def answer(client: FlaskClient) -> dict[str, Any]:
    reply = client.post("/chat", json={"question": "Hello", "llm_config": {"supplier": "builtin"}})
    message: dict[str, Any] = client.get(f"/api/messages/{reply.json['message_id']}").json
    return message


def given(client: FlaskClient, answer: dict[str, Any]) -> Any:
    return client.get(f"/api/messages/{answer['id']}").json["feedback"]


def test_feedback_is_given_replaced_and_withdrawn(
    client: FlaskClient, answer: dict[str, Any]
) -> None:
    path = f"/api/messages/{answer['id']}/feedback"
    assert answer["feedback"] is None
    first = client.put(path, json=UP)
    assert first.status_code == 200
    assert (first.json["rating"], first.json["reason"]) == ("up", "")
    assert given(client, answer) == first.json
    second = client.put(path, json={"rating": "down", "reason": " Wrong year. "}).json
    assert (second["rating"], second["reason"]) == ("down", "Wrong year.")
    assert given(client, answer) == second
    for _ in range(2):
        assert client.delete(path).status_code == 204
        assert given(client, answer) is None


def test_feedback_comes_with_lists_and_exports_but_not_with_shared_links(
    client: FlaskClient, answer: dict[str, Any]
) -> None:
    session = f"/api/sessions/{answer['session_id']}"
    reason = {"rating": "down", "reason": "Too short."}
    stored = client.put(f"/api/messages/{answer['id']}/feedback", json=reason).json
    for path in ("/messages", "/messages?leaf=current", "/export?format=json"):
        body = client.get(session + path).json
        question, found = body.get("items") or body["messages"]
        assert question["feedback"] is None and found["feedback"] == stored
    link = client.post(f"{session}/shares", json={"days": 1}).json["path"]
    shared = client.get(link)
    assert shared.status_code == 200 and "Too short." not in shared.get_data(as_text=True)


@pytest.mark.parametrize(
    "body", [{}, {"rating": "left"}, {"rating": "up", "reason": "x" * 2001}], ids=str
)
def test_feedback_is_up_or_down_with_a_short_reason(
    client: FlaskClient, answer: dict[str, Any], body: dict[str, str]
) -> None:
    assert client.put(f"/api/messages/{answer['id']}/feedback", json=body).status_code == 422


def test_questions_and_messages_that_are_not_there_take_no_feedback(
    client: FlaskClient, answer: dict[str, Any]
) -> None:
    for name in (answer["parent_id"], "0" * 8):
        path = f"/api/messages/{name}/feedback"
        assert client.put(path, json=UP).status_code == 404
        assert client.delete(path).status_code == 404


def test_feedback_is_deleted_with_its_answer(client: FlaskClient, answer: dict[str, Any]) -> None:
    client.put(f"/api/messages/{answer['id']}/feedback", json=UP)
    assert client.delete(f"/api/messages/{answer['id']}").status_code == 204
    assert client.put(f"/api/messages/{answer['id']}/feedback", json=UP).status_code == 404
