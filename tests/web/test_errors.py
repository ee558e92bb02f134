"""Error responses: they say why a request is refused and what to do."""

from typing import Any

import pytest
from flask.testing import FlaskClient

BUILTIN = {"llm_config": {"supplier": "builtin"}}


def refused(reply: Any, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.data
    found: dict[str, Any] = reply.json["error"]
    return found


@pytest.mark.parametrize("supplier", [{}, {"supplier": None}, {"supplier": "", "model": ""}])
def test_a_key_without_a_supplier_is_refused(client: FlaskClient, supplier: dict[str, Any]) -> None:
    body = {"question": "q", "llm_config": {"api_key": "sk-private", **supplier}}
    reason = "is required to say which supplier the key belongs to"
    for path in ("/chat", "/chat/stream"):
        assert refused(client.post(path, json=body), 422)["fields"] == {
            "llm_config.supplier": reason
        }
    chinese = refused(client.post("/chat", json=body, headers={"Accept-Language": "zh-CN"}), 422)
    assert "密钥" in chinese["message"] and "sk-private" not in chinese["message"]


@pytest.mark.parametrize("given", ["rubbish", "x:y", ":1"])
def test_resuming_with_an_invalid_event_id_restarts_the_stream(
    client: FlaskClient, given: str
) -> None:
    message_id = client.post("/chat", json={"question": "q", **BUILTIN}).json["message_id"]
    address = f"/chat/stream/{message_id}"
    for named in ({"query_string": {"after": given}}, {"headers": {"Last-Event-ID": given}}):
        with client.get(address, **named) as resumed:
            text = resumed.text
            assert text.startswith("event: reset\n")
            assert text.count('"type":"context"') == 1
    for headers in ({}, {"Last-Event-ID": ""}):
        with client.get(address, headers=headers) as whole:
            assert whole.text.count('"type":"context"') == 1 and "reset" not in whole.text


def test_asking_ignores_an_event_id_of_another_stream(client: FlaskClient) -> None:
    with client.post(
        "/chat/stream", json={"question": "q", **BUILTIN}, headers={"Last-Event-ID": "rubbish"}
    ) as asked:
        assert asked.status_code == 200 and '"type":"done"' in asked.text


def test_the_error_of_a_failed_answer_includes_its_ids(client: FlaskClient) -> None:
    away = {"name": "away", "base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
    assert client.post("/api/suppliers", json=away).status_code == 201
    fault = refused(
        client.post("/chat", json={"question": "q", "llm_config": {"supplier": "away"}}), 502
    )
    rows = client.get(f"/api/sessions/{fault['session_id']}/messages").json["items"]
    assert [row["content"] for row in rows] == ["q", ""] and rows[1]["id"] == fault["message_id"]
    assert "session_id" not in refused(
        client.post("/chat", json={"question": "q", "session_id": "gone"}), 404
    )


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", "application/json", "is empty; it must be JSON (Content-Type: application/json)"),
        (b"{}", "text/plain", "must be JSON (Content-Type: application/json)"),
        (b'{"question": "\xff"}', "application/json", "is not UTF-8 text"),
        (b'{"question": ', "application/json", "is not valid JSON"),
        (b"null", "application/json", "must be a JSON object"),
        (b'"text"', "application/json", "must be a JSON object"),
    ],
)
def test_an_unreadable_body_is_refused_with_the_reason(
    client: FlaskClient, body: bytes, kind: str, reason: str
) -> None:
    assert refused(client.post("/chat", data=body, content_type=kind), 422)["fields"] == {
        "body": reason
    }


def test_invalid_fields_are_named_with_what_they_accept(client: FlaskClient) -> None:
    for number in (b"NaN", b"1e999"):
        body = b'{"question": "q", "llm_config": {"temperature": ' + number + b"}}"
        fault = refused(client.post("/chat", data=body, content_type="application/json"), 422)
        assert fault["fields"] == {"llm_config.temperature": "must be a number"}
    assert refused(client.post("/chat", json={"question": ""}), 422)["fields"] == {
        "question": "must not be blank"
    }


def test_a_wrong_method_is_answered_with_the_allowed_ones(client: FlaskClient) -> None:
    reply = client.put("/api/sessions")
    assert refused(reply, 405)["message"] == "This address accepts GET, POST, not PUT."
    assert reply.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_an_unknown_api_path_points_to_the_description(client: FlaskClient) -> None:
    assert "/openapi.json" in refused(client.get("/api/no-such"), 404)["message"]


def test_missing_and_invalid_tokens_have_different_messages(anonymous: FlaskClient) -> None:
    said = [
        refused(anonymous.get("/api/models", headers=headers), 401)["message"]
        for headers in ({}, {"Authorization": "my-token"}, {"Authorization": "Bearer wrong"})
    ]
    assert all("Authorization: Bearer <token>" in message for message in said)
    assert said[0] == said[1] != said[2] and "not valid" in said[2]


def test_the_hint_to_start_a_new_session_is_for_questions_only(client: FlaskClient) -> None:
    for reply in (client.get("/api/sessions/gone"), client.delete("/api/sessions/gone")):
        assert refused(reply, 404)["message"] == "This chat does not exist."
    asked = client.post("/chat", json={"question": "q", "session_id": "gone"})
    assert "Omit session_id" in refused(asked, 404)["message"]


def test_an_empty_response_has_no_content_type(client: FlaskClient) -> None:
    session_id = client.post("/api/sessions", json={"title": "t"}).json["id"]
    reply = client.delete(f"/api/sessions/{session_id}")
    assert (reply.status_code, reply.headers.get("Content-Type")) == (204, None)
