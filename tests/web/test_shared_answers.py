"""Questions to a shared knowledge base, before and after the share has ended."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.identity.users import Users
from chatapp.web.services import Services
from tests.support.uploads import TEXT, upload, work

QUESTIONS = (
    ("How many days of paid leave do employees get?", "no longer available"),
    ("员工每年有多少天带薪年假？", "知识库已不可用"),
)


@pytest.fixture
def reader(app: Flask, services: Services) -> FlaskClient:
    user_id = Users(services.database).add("Li Na")["id"]
    made = app.test_client()
    token = services.accounts.tokens.issue(user_id, "personal", None, "a")
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return made


@pytest.fixture
def base(client: FlaskClient, services: Services) -> str:
    made = str(client.post("/api/knowledge", json={"name": "Handbook"}).json["id"])
    upload(client, made, ("leave.md", TEXT), ("年假.txt", "员工每年享有25天带薪年假。".encode()))
    work(services)
    return made


def share(client: FlaskClient, base: str, *names: str) -> None:
    people = [{"name": name, "access": "read"} for name in names]
    assert client.patch(f"/api/knowledge/{base}", json={"shared_with": people}).status_code == 200


def ask(client: FlaskClient, question: str, **more: Any) -> Any:
    body = {"question": question, "llm_config": {"supplier": "builtin"}, **more}
    reply = client.post("/chat", json=body)
    assert reply.status_code == 200, reply.data
    return reply.json


@pytest.mark.parametrize(("question", "notice"), QUESTIONS)
def test_a_chat_goes_on_without_a_base_whose_share_has_ended(
    client: FlaskClient, reader: FlaskClient, base: str, question: str, notice: str
) -> None:
    share(client, base, "Li Na")
    first = ask(reader, question, knowledge_config={"knowledge_base_id": base})
    assert "25" in first["answer"] and first["sources"]
    here = {"session_id": first["session_id"]}
    share(client, base)
    for more in ({}, {"knowledge_config": {"knowledge_base_id": base}}):
        after = ask(reader, question, **here, **more)
        assert notice in after["answer"] and "25" not in after["answer"]
        assert after["sources"] == []
    stored = reader.get(f"/api/sessions/{here['session_id']}/messages").json["items"]
    assert stored[1]["sources"][0]["quote"] == first["sources"][0]["quote"]
    source = first["sources"][0]
    path = f"/api/knowledge/{source['knowledge_base_id']}/files/{source['file_id']}"
    assert reader.get(f"{path}/content").status_code == 404
    search = reader.get(f"/api/messages/{first['message_id']}/search").json
    assert {one["name"] for one in search["candidates"]} == {None}
    new = {"question": question, "knowledge_config": {"knowledge_base_id": base}}
    refused = reader.post("/chat", json=new, headers={"Accept-Language": "en"})
    assert refused.status_code == 404
    assert "no longer shared with you" in refused.json["error"]["message"]
    share(client, base, "Li Na")  # the chat remembers it
    assert "25" in ask(reader, question, **here)["answer"]


def test_another_answer_to_a_stored_question_checks_again(
    client: FlaskClient, reader: FlaskClient, base: str
) -> None:
    share(client, base, "Li Na")
    first = ask(reader, QUESTIONS[0][0], knowledge_config={"knowledge_base_id": base})
    share(client, base)
    asked = reader.get(f"/api/messages/{first['message_id']}").json["parent_id"]
    again = reader.post("/chat", json={"question_id": asked}).json
    assert again["answer"].count("no longer available") == 1 and again["sources"] == []


def test_sharing_is_validated(client: FlaskClient, base: str) -> None:
    for body in (
        {"access": "all"},
        {"shared_with": [{"name": "a", "access": "private"}]},
        {"shared_with": [{"name": "", "access": "read"}]},
        {"shared_with": [{"name": "x" * 81, "access": "read"}]},
        {"shared_with": [{"name": str(n), "access": "read"} for n in range(201)]},
    ):
        assert client.patch(f"/api/knowledge/{base}", json=body).status_code == 422, body
