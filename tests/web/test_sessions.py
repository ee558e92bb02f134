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


def test_a_branch_is_read_backwards_in_parts(client: FlaskClient, session_id: str) -> None:
    for _ in range(2):
        client.post("/chat", json={"question": "And then?", "session_id": session_id, **BUILTIN})
    path = f"/api/sessions/{session_id}/messages"
    whole = client.get(path).json
    assert whole.keys() == {"items", "next"} and "siblings" not in whole["items"][0]
    last = client.get(path, query_string={"leaf": "current", "limit": 2}).json
    rest = client.get(path, query_string={"before": last["before"]}).json
    ids = [row["id"] for row in whole["items"]]
    assert [row["id"] for row in rest["items"] + last["items"]] == ids
    assert (rest["before"], last["after"], last["next"]) == (None, None, None)
    for row, listed in zip(rest["items"] + last["items"], whole["items"], strict=True):
        assert row == listed | {"siblings": [row["id"]]}
    around = client.get(path, query_string={"around": ids[2], "limit": 3}).json
    assert [row["id"] for row in around["items"]] == ids[1:4]
    after = {"leaf": "current", "after": around["after"]}
    assert [row["id"] for row in client.get(path, query_string=after).json["items"]] == ids[4:]
    for wrong, status in (({"around": "nobody"}, 404), ({"before": ids[0], "around": ids[1]}, 422)):
        assert client.get(path, query_string=wrong).status_code == status


def test_a_session_is_limited_to_files_until_its_bases_change(
    client: FlaskClient, session_id: str
) -> None:
    path, md5 = f"/api/sessions/{session_id}", "0123456789abcdef" * 2
    changed = client.patch(path, json={"filter_by_file_md5": md5.upper(), "search_k": 9}).json
    assert (changed["filter_by_file_md5"], changed["search_k"]) == ([md5], 9)
    assert client.patch(path, json={"pinned": True}).json["filter_by_file_md5"] == [md5]
    others = client.patch(path, json={"knowledge_base_id": None}).json
    assert (others["filter_by_file_md5"], others["search_k"]) == ([], 9)
    assert client.patch(path, json={"search_k": None}).json["search_k"] is None
    for wrong in ({"filter_by_file_md5": ["md5"]}, {"search_k": 0}, {"search_k": 51}):
        assert client.patch(path, json=wrong).status_code == 422
    created = client.post("/api/sessions", json={"filter_by_file_md5": [md5]}).json
    assert created["filter_by_file_md5"] == [md5]


def test_what_a_deletion_deletes_is_counted(client: FlaskClient, session_id: str) -> None:
    first = client.get(f"/api/sessions/{session_id}/messages").json["items"][0]["id"]
    assert client.get(f"/api/messages/{first}/branch").json == {"messages": 2}
    assert client.get("/api/messages/nobody/branch").status_code == 404


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
