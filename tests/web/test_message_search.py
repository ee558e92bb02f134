"""GET /api/messages/<id>/search: how the passages of an answer were chosen."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from chatapp.identity.person import Person
from chatapp.web.search_responses import AnswerSearch
from chatapp.web.services import Services
from tests.support.shelf import add_user
from tests.support.uploads import upload, work

RULES = "\n\n".join(
    f"# Rule {n}\n\nThe office of Zanzibar closes at {n} o'clock." for n in range(1, 41)
)
QUESTION = "When does the office of Zanzibar close?"


@pytest.fixture
def base(client: FlaskClient, services: Services) -> str:
    base = str(client.post("/api/knowledge", json={"name": "Handbook"}).json["id"])
    upload(client, base, ("rules.md", RULES.encode()))
    work(services)
    return base


def ask(client: FlaskClient, base: str | None, **more: Any) -> dict[str, Any]:
    body = {
        "question": QUESTION,
        "llm_config": {"supplier": "builtin"},
        "knowledge_config": {"knowledge_base_id": base} if base else None,
        **more,
    }
    reply = client.post("/chat", json=body)
    assert reply.status_code == 200, reply.json
    answered: dict[str, Any] = reply.json
    return answered


def test_an_answer_tells_how_its_passages_were_chosen(client: FlaskClient, base: str) -> None:
    answer = ask(client, base)
    message = client.get(f"/api/messages/{answer['message_id']}").json
    found = client.get(f"/api/messages/{answer['message_id']}/search").json
    AnswerSearch.model_validate(found)
    assert found.keys() == AnswerSearch.model_fields.keys()
    assert (found["query"], found["k"], found["found"]) == (QUESTION, 5, 40)
    assert found["cut"] == {"passages": 0, "history": 0}
    assert len(found["candidates"]) == 30
    given = [one for one in found["candidates"] if one["n"] and not one["cut"]]
    assert [one["n"] for one in given] == [source["n"] for source in message["sources"]]
    for one, source in zip(given, message["sources"], strict=True):
        for name in ("file_id", "name", "knowledge_base_id", "page", "heading", "start", "end"):
            assert one[name] == source[name]
        assert one["by"] == {"rerank": None} | source["by"]
    left = [one for one in found["candidates"] if one["n"] is None]
    assert left and {one["cut"] for one in left} == {"below_k"}
    assert "o'clock" not in json.dumps(found), "no text"


def test_a_deleted_file_is_shown_as_gone(client: FlaskClient, base: str) -> None:
    answer = ask(client, base)
    client.delete(f"/api/knowledge/{base}")
    found = client.get(f"/api/messages/{answer['message_id']}/search").json
    assert {(one["name"], one["start"]) for one in found["candidates"]} == {(None, None)}
    assert all(one["file_id"] for one in found["candidates"])


def test_passages_without_room_are_named_and_counted(
    client: FlaskClient, services: Services
) -> None:
    base = client.post("/api/knowledge", json={"name": "Long"}).json["id"]
    text = "The office of Zanzibar closes when the last ferry has left. " * 16
    upload(client, base, *((f"{n}.txt", f"{n} {text}".encode()) for n in range(25)))
    work(services)
    answer = ask(client, base, knowledge_config={"knowledge_base_id": base, "search_k": 30})
    found = client.get(f"/api/messages/{answer['message_id']}/search").json
    cuts = [one["cut"] for one in found["candidates"]]
    assert 0 < found["cut"]["passages"] == cuts.count("no_room") < 25
    assert [one["n"] for one in found["candidates"] if one["n"]] == [
        source["n"] for source in answer["sources"]
    ]


def test_small_talk_is_not_searched_for(client: FlaskClient, base: str) -> None:
    message = client.get(
        f"/api/messages/{ask(client, base, question='Thanks!')['message_id']}"
    ).json
    assert not message["searched"] and "retrieval_ms" not in message["timings"]
    assert client.get(f"/api/messages/{message['id']}/search").status_code == 404


def test_lists_streams_and_exports_have_no_candidates(
    client: FlaskClient, services: Services, base: str
) -> None:
    answer = ask(client, base)
    session = f"/api/sessions/{answer['session_id']}"
    statements: list[str] = []
    engine = services.database.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    listed = client.get(f"{session}/messages").json["items"]
    selected = [each for each in statements if "FROM messages" in each]
    assert selected and all(
        each.count("messages.search") == each.count("messages.search IS NOT NULL")
        for each in selected
    )
    assert [each["searched"] for each in listed] == [False, True]
    with client.get(f"/chat/stream/{answer['message_id']}") as stream:
        text = stream.text
    exported = client.get(f"{session}/export?format=json").text
    for said in (json.dumps(listed), text, exported):
        assert "chunk_id" not in said and "candidates" not in said


def test_a_temporary_chat_keeps_its_search_and_loses_it_with_its_message(
    client: FlaskClient, base: str
) -> None:
    answer = ask(client, base, temporary=True)
    address = f"/api/messages/{answer['message_id']}/search"
    assert client.get(address).status_code == 200
    client.delete(f"/api/sessions/{answer['session_id']}")
    assert client.get(address).status_code == 404


def test_only_the_owner_of_an_answer_with_a_search_can_read_it(
    client: FlaskClient, services: Services, base: str
) -> None:
    answer = ask(client, base)
    question = client.get(f"/api/messages/{answer['message_id']}").json["parent_id"]
    plain = ask(client, None)
    for message_id in (question, plain["message_id"]):
        refused = client.get(
            f"/api/messages/{message_id}/search", headers={"Accept-Language": "en"}
        )
        assert refused.status_code == 404
        assert refused.json["error"]["message"].startswith("No search is stored")
        assert not client.get(f"/api/messages/{message_id}").json["searched"]
    stranger = Person(add_user(services.database, "stranger"), "stranger", "user", False)
    token = services.accounts.tokens.create(stranger, "other")["token"]
    refused = client.get(
        f"/api/messages/{answer['message_id']}/search",
        headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"},
    )
    assert refused.status_code == 404
    assert refused.json["error"]["message"] == "This message does not exist."
