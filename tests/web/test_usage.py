"""Use and limits: what is counted, who sees it, and what is refused when it is used up."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, insert

from chatapp.chat.limits import seconds_left
from chatapp.chat.question import Question
from chatapp.chat.reaping import heartbeats, reap
from chatapp.chat.usage import today
from chatapp.identity.person import Person
from chatapp.settings import Settings
from chatapp.storage.models import Session, User, new_id
from chatapp.storage.usage_models import Usage
from chatapp.web.services import Services
from tests.support.images import send, square, stored, uploaded
from tests.support.modelserver import ModelServer
from tests.support.modelwire import USAGE

LIMITED = {"daily_tokens": 10, "storage_mb": 1, "answers": 1}
DAY_SECONDS = 86_400


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, daily_tokens=1000, storage_mb=2)


@pytest.fixture
def member(services: Services) -> Person:
    user = User(id=new_id(), name="=mia", role="user")
    services.database.write(lambda t: t.add(user))
    return Person(user.id, "=mia", "user", False)


@pytest.fixture
def member_client(app: Flask, services: Services, member: Person) -> FlaskClient:
    made = app.test_client()
    token = services.accounts.tokens.create(member, "test")["token"]
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return made


@pytest.fixture
def models(client: FlaskClient, services: Services, model_server: ModelServer) -> Iterator[str]:
    supplier = {"name": "local", "base_url": model_server.base_url, "models": ["echo", "usage"]}
    assert client.post("/api/suppliers", json=supplier).status_code == 201
    yield "local"
    services.suppliers.models.close()


def ask(client: FlaskClient, model: str = "local/echo", **more: Any) -> Any:
    supplier, _, name = model.partition("/")
    body = {"question": "How many days?", "llm_config": {"supplier": supplier, "model": name}}
    return client.post("/chat", json=body | more)


def used(client: FlaskClient, **query: str) -> list[dict[str, Any]]:
    reply = client.get("/api/usage", query_string=query)
    assert reply.status_code == 200, reply.json
    return reply.json["items"]


def of_member(client: FlaskClient) -> dict[str, Any]:
    [found] = [each for each in client.get("/api/limits").json["items"] if each["role"] == "user"]
    return found


def set_limits(client: FlaskClient, member: Person, **values: int | None) -> None:
    reply = client.patch(f"/api/limits/{member.id}", json=values)
    assert reply.status_code == 200, reply.json


def use_tokens(services: Services, person: Person, tokens: int, days_ago: int = 0) -> None:
    row = {
        "user_id": person.id,
        "day": today() - timedelta(days=days_ago),
        "supplier": "s",
        "model": "m",
        "questions": 1,
        "prompt_tokens": tokens,
        "completion_tokens": 0,
    }
    services.database.write(lambda t: t.execute(insert(Usage), row) and None)


def test_what_the_supplier_reports_is_counted_with_the_answer(
    client: FlaskClient, models: str
) -> None:
    assert ask(client, f"{models}/usage").status_code == 200
    [row] = used(client, group="model")
    assert (row["supplier"], row["model"], row["questions"]) == (models, "usage", 1)
    assert row["prompt_tokens"] == USAGE["prompt_tokens"]
    assert row["completion_tokens"] == USAGE["completion_tokens"]


def test_another_answer_to_the_same_question_counts_too(client: FlaskClient, models: str) -> None:
    first = ask(client, f"{models}/usage").json["message_id"]
    question_id = client.get(f"/api/messages/{first}").json["parent_id"]
    body = {"question_id": question_id, "llm_config": {"supplier": models, "model": "usage"}}
    assert client.post("/chat", json=body).status_code == 200
    [row] = used(client)
    assert row["questions"] == 2
    assert row["prompt_tokens"] == 2 * USAGE["prompt_tokens"]


def test_a_repeated_question_is_counted_once(client: FlaskClient, models: str) -> None:
    for _ in range(2):
        assert ask(client, client_message_id="same").status_code == 200
    assert [row["questions"] for row in used(client)] == [1]


def test_a_stopped_answer_counts_what_was_written_by_estimate(
    client: FlaskClient, model_server: ModelServer, services: Services
) -> None:
    supplier = {"name": "slow", "base_url": model_server.base_url, "models": ["typewriter-40-40"]}
    client.post("/api/suppliers", json=supplier)
    with client.post(
        "/chat/stream", json={"question": "q" * 400, "llm_config": {"supplier": "slow"}}
    ) as stream:
        for block in stream.response:
            if b'"type":"chunk"' in block:
                message_id = stream.request.path and block.decode().split("id: ")[1].split(":")[0]
                assert client.delete(f"/chat/stream/{message_id}").status_code == 204
                break
        assert "stopped" in "".join(part.decode() for part in stream.response)
    [row] = used(client)
    assert row["questions"] == 1
    assert row["prompt_tokens"] >= 100, "the question alone"
    assert 0 < row["completion_tokens"] < 100
    services.suppliers.models.close()


def test_a_supplier_that_refuses_has_used_nothing(
    client: FlaskClient, model_server: ModelServer, services: Services
) -> None:
    supplier = {"name": "s", "base_url": model_server.base_url, "models": ["refuses-quota"]}
    client.post("/api/suppliers", json=supplier)
    assert ask(client, "s/refuses-quota").status_code >= 400
    [row] = used(client)
    assert (row["questions"], row["prompt_tokens"], row["completion_tokens"]) == (1, 0, 0)
    services.suppliers.models.close()


def test_an_answer_whose_worker_died_counts_once(
    client: FlaskClient, services: Services, admin: Person
) -> None:
    services.turns.open(admin.id, Question(text="q"))
    for _ in range(2):
        services.database.write(lambda t: reap(t, heartbeats(t)))
    assert [row["questions"] for row in used(client)] == [1]


def test_use_stays_when_chats_and_all_data_are_deleted(
    client: FlaskClient, models: str, services: Services
) -> None:
    ask(client)
    before = used(client)
    services.database.write(lambda t: t.execute(delete(Session)) and None)
    assert client.delete("/api/auth/me/data").status_code == 204
    assert used(client) == before and before


def test_a_chat_that_is_deleted_while_its_answer_is_written_counts_all_the_same(
    client: FlaskClient, model_server: ModelServer, services: Services
) -> None:
    supplier = {"name": "slow", "base_url": model_server.base_url, "models": ["typewriter-40-40"]}
    client.post("/api/suppliers", json=supplier)
    body = {"question": "q", "llm_config": {"supplier": "slow"}}
    with client.post("/chat/stream", json=body) as stream:
        for block in stream.response:
            if b'"type":"chunk"' in block:
                services.database.write(lambda t: t.execute(delete(Session)) and None)
                break
        list(stream.response)
    assert [row["questions"] for row in used(client)] == [1]
    services.suppliers.models.close()


def test_members_see_their_own_use_and_administrators_all(
    client: FlaskClient,
    member_client: FlaskClient,
    services: Services,
    admin: Person,
    member: Person,
) -> None:
    use_tokens(services, admin, 5)
    use_tokens(services, member, 7, days_ago=1)
    assert [row["prompt_tokens"] for row in used(client)] == [7, 5], "by day, the first one first"
    people = used(client, group="person")
    assert {row["user"]: row["prompt_tokens"] for row in people} == {"=mia": 7, "admin": 5}
    assert [row["prompt_tokens"] for row in used(client, user_id=member.id)] == [7]
    assert [row["user"] for row in used(member_client, group="person")] == ["=mia"]
    assert [row["prompt_tokens"] for row in used(member_client)] == [7]
    refused = member_client.get("/api/usage", query_string={"user_id": admin.id})
    assert refused.status_code == 404
    assert [row["name"] for row in member_client.get("/api/limits").json["items"]] == ["=mia"]


def test_days_can_be_chosen_but_not_too_many(client: FlaskClient, services: Services) -> None:
    use_tokens(services, services.accounts.administrator(), 5, days_ago=40)
    assert used(client) == []
    first = (today() - timedelta(days=40)).isoformat()
    assert [row["day"] for row in used(client, **{"from": first})] == [first]
    assert used(client, **{"from": first, "to": first}) != []
    reply = client.get("/api/usage?from=2000-01-01", headers={"Accept-Language": "zh-CN"})
    assert reply.status_code == 422 and "366 天" in reply.json["error"]["message"]
    assert client.get("/api/usage?to=0001-01-01").status_code == 200
    assert client.get("/api/usage?from=soon").status_code == 422


def test_the_csv_holds_no_formulas(client: FlaskClient, services: Services, member: Person) -> None:
    use_tokens(services, member, 7)
    reply = client.get("/api/usage.csv")
    assert reply.mimetype == "text/csv" and "attachment" in reply.headers["Content-Disposition"]
    header, row = csv.reader(io.StringIO(reply.data.decode("utf-8-sig")))
    assert header[:4] == ["day", "user", "supplier", "model"]
    assert row == [today().isoformat(), "'=mia", "s", "m", "1", "7", "0"]


def test_a_member_whose_tokens_are_used_up_is_told_when_to_ask_again(
    member_client: FlaskClient, services: Services, member: Person, models: str
) -> None:
    use_tokens(services, member, 1000, days_ago=1)
    assert ask(member_client).status_code == 200, "yesterday does not count"
    use_tokens(services, member, 1000)
    reply = ask(member_client)
    assert (reply.status_code, reply.json["error"]["code"]) == (429, "quota_used")
    assert abs(int(reply.headers["Retry-After"]) - seconds_left()) <= 60
    assert 0 < seconds_left() <= DAY_SECONDS
    assert "1,000" in reply.json["error"]["message"]
    chinese = member_client.post(
        "/chat", json={"question": "q"}, headers={"Accept-Language": "zh-CN"}
    )
    assert "分钟后可以继续提问" in chinese.json["error"]["message"]
    assert member_client.get("/api/sessions").json["items"][1:] == [], "nothing was stored"


def test_administrators_have_the_limits_that_are_set_for_them(
    client: FlaskClient, services: Services, admin: Person, models: str
) -> None:
    use_tokens(services, admin, 10**7)
    assert ask(client).status_code == 200
    set_limits(client, admin, daily_tokens=10)
    assert ask(client).status_code == 429
    set_limits(client, admin, daily_tokens=0)
    assert ask(client).status_code == 200


def test_limits_are_overridden_and_restored(
    client: FlaskClient, member_client: FlaskClient, member: Person
) -> None:
    assert of_member(client)["limits"] == {"answers": 4, "daily_tokens": 1000, "storage_mb": 2}
    set_limits(client, member, **LIMITED)
    shown = of_member(member_client)
    assert shown["limits"] == shown["own"] == LIMITED
    set_limits(client, member, daily_tokens=None)
    assert of_member(client)["limits"] == {"answers": 1, "daily_tokens": 1000, "storage_mb": 1}
    set_limits(client, member, answers=None, storage_mb=None)
    assert of_member(client)["own"] == dict.fromkeys(LIMITED)
    assert member_client.patch(f"/api/limits/{member.id}", json={}).status_code == 403
    assert client.patch(f"/api/limits/{new_id()}", json={"answers": 2}).status_code == 404
    assert client.patch(f"/api/limits/{member.id}", json={"answers": -1}).status_code == 422


def test_a_person_may_have_fewer_answers_at_once(
    client: FlaskClient, member_client: FlaskClient, services: Services, member: Person
) -> None:
    set_limits(client, member, answers=1)
    services.turns.open(member.id, Question(text="q"))
    reply = member_client.post("/chat", json={"question": "q"})
    assert (reply.status_code, reply.json["error"]["code"]) == (429, "too_many_answers")
    assert of_member(client)["used"]["answers"] == 1
    services.database.write(lambda t: reap(t, heartbeats(t)))


def upload(client: FlaskClient, base_id: str, size: int, fill: bytes = b"a") -> Any:
    disposition = b'Content-Disposition: form-data; name="files"; filename="notes.txt"'
    body = b"--x\r\n" + disposition + b"\r\n\r\n" + fill * size + b"\r\n--x--\r\n"
    form = "multipart/form-data; boundary=x"
    return client.post(f"/api/knowledge/{base_id}/files", data=body, content_type=form)


def test_storage_has_a_limit_of_files_and_pictures(
    client: FlaskClient, member_client: FlaskClient, member: Person
) -> None:
    base_id = member_client.post("/api/knowledge", json={"name": "b"}).json["id"]
    set_limits(client, member, storage_mb=1)
    uploaded(member_client)
    assert upload(member_client, base_id, 600_000).status_code == 202
    assert upload(member_client, base_id, 600_000).status_code == 202, "the same bytes again"
    reply = upload(member_client, base_id, 600_000, b"b")
    assert (reply.status_code, reply.json["error"]["code"]) == (413, "too_large")
    assert "0.6 MB of the 1 MB" in reply.json["error"]["message"]
    assert of_member(client)["used"]["storage_bytes"] > 600_000
    set_limits(client, member, storage_mb=2)
    assert upload(member_client, base_id, 600_000, b"b").status_code == 202


def test_a_picture_that_does_not_fit_is_refused(
    client: FlaskClient, member_client: FlaskClient, member: Person, settings: Settings
) -> None:
    base_id = member_client.post("/api/knowledge", json={"name": "b"}).json["id"]
    set_limits(client, member, storage_mb=1)
    assert upload(member_client, base_id, 1024 * 1024).status_code == 202
    reply = send(member_client, square())
    assert stored(settings) == []
    assert (reply.status_code, reply.json["error"]["code"]) == (413, "too_large")
    page = {"url": "https://example.org/"}
    reply = member_client.post(f"/api/knowledge/{base_id}/files", json=page)
    assert reply.status_code == 413


def test_a_preset_on_this_machine_works_only_where_it_was_saved(
    client: FlaskClient, member_client: FlaskClient
) -> None:
    body = {"question": "q", "llm_config": {"supplier": "ollama", "model": "m", "api_key": "x"}}
    for one in (member_client, client):
        reply = one.post("/chat", json=body)
        assert (reply.status_code, reply.json["error"]["code"]) == (409, "model_gone")
    client.post("/api/suppliers", json={"name": "ollama", "preset": "ollama", "models": ["m"]})
    assert member_client.post("/chat", json=body).json["error"]["code"] != "model_gone"
