"""Sessions over HTTP: list, rename, pin, search, export, delete."""

import pytest
from flask.testing import FlaskClient

BUILTIN = {"llm_config": {"supplier": "builtin"}, "knowledge_config": None}


@pytest.fixture
def session_id(client: FlaskClient) -> str:
    reply = client.post("/chat", json={"question": "What about 100% of the Leave_days?", **BUILTIN})
    assert reply.status_code == 200, reply.data
    return str(reply.json["session_id"])


def test_a_session_is_renamed_pinned_and_listed_first(client: FlaskClient, session_id: str) -> None:
    client.post("/api/sessions", json={"title": "later"})
    changed = client.patch(
        f"/api/sessions/{session_id}", json={"title": " Leave ", "pinned": True}
    ).json
    assert (changed["title"], changed["pinned"]) == ("Leave", True)
    assert [row["title"] for row in client.get("/api/sessions").json["items"]] == ["Leave", "later"]
    assert client.patch(f"/api/sessions/{session_id}", json={"title": " "}).status_code == 422


def test_a_list_is_paged(client: FlaskClient) -> None:
    for n in range(5):
        client.post("/api/sessions", json={"title": str(n)})
    first = client.get("/api/sessions?limit=3").json
    rest = client.get(f"/api/sessions?limit=3&after={first['next']}").json
    assert [row["title"] for row in first["items"] + rest["items"]] == ["4", "3", "2", "1", "0"]
    assert rest["next"] is None


def test_sessions_are_found_by_title_and_by_message(client: FlaskClient, session_id: str) -> None:
    client.post("/api/sessions", json={"title": "Something else"})
    for words in ("leave_DAYS", "100%", "built-in model"):
        [found] = client.get("/api/sessions/search", query_string={"q": words}).json["items"]
        assert found["id"] == session_id and words.lower() in found["snippet"].lower()
    assert client.get("/api/sessions/search?q=Leave%25days").json["items"] == []
    assert (
        client.get("/api/sessions/search?q=Something").json["items"][0]["title"] == "Something else"
    )
    assert client.get("/api/sessions/search").status_code == 422


def test_a_session_is_exported_as_markdown_and_as_json(
    client: FlaskClient, session_id: str
) -> None:
    markdown = client.get(f"/api/sessions/{session_id}/export")
    assert markdown.headers["Content-Disposition"].startswith("attachment; filename=chat-")
    assert "## What about 100% of the Leave_days?" in markdown.text
    assert "built-in model" in markdown.text
    exported = client.get(f"/api/sessions/{session_id}/export?format=json").json
    assert exported["session"]["id"] == session_id
    assert [row["role"] for row in exported["messages"]] == ["user", "assistant"]
    assert client.get(f"/api/sessions/{session_id}/export?format=pdf").status_code == 422


def test_deleting_a_session_deletes_its_messages(client: FlaskClient, session_id: str) -> None:
    message_id = client.get(f"/api/sessions/{session_id}").json["leaf_id"]
    assert client.delete(f"/api/sessions/{session_id}").status_code == 204
    assert client.get(f"/api/sessions/{session_id}").status_code == 404
    assert client.get(f"/api/messages/{message_id}").status_code == 404


def test_deleting_a_question_deletes_its_answers(client: FlaskClient, session_id: str) -> None:
    answer_id = client.get(f"/api/sessions/{session_id}").json["leaf_id"]
    question_id = client.get(f"/api/messages/{answer_id}").json["parent_id"]
    assert client.delete(f"/api/messages/{question_id}").status_code == 204
    assert client.get(f"/api/messages/{answer_id}").status_code == 404
    assert client.get(f"/api/sessions/{session_id}").json["leaf_id"] is None


def test_a_temporary_chat_is_never_listed(client: FlaskClient) -> None:
    reply = client.post("/chat", json={"question": "psst", "temporary": True, **BUILTIN}).json
    assert reply["session_id"] not in [
        row["id"] for row in client.get("/api/sessions").json["items"]
    ]
    path = f"/api/sessions/{reply['session_id']}"
    assert client.get(path).json["temporary"] is True
    assert client.patch(path, json={"temporary": True}).status_code == 422
    assert client.patch(path, json={"temporary": False}).json["temporary"] is False
    assert [row["id"] for row in client.get("/api/sessions").json["items"]] == [reply["session_id"]]
