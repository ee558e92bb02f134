"""/api/auth/me: chat defaults, storage usage, and deleting all data of a user."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from chatapp.core.prompt import DOCUMENTS_ONLY, OPEN_END
from chatapp.identity.users import Users
from chatapp.settings import Settings
from chatapp.web.services import Services
from tests.support.administrator import TOKEN
from tests.support.modelserver import ModelServer
from tests.support.uploads import TEXT, left, upload, work

OURS = {"temperature": None, "system_prompt": "", "max_length": 20, "documents_only": False}
MINE = {"temperature": 0.3, "system_prompt": "Be brief.", "max_length": 2, "documents_only": True}
OWN = "http://localhost"
BUILTIN = {"llm_config": {"supplier": "builtin"}, "knowledge_config": None}


@pytest.fixture
def other(app: Flask, services: Services) -> FlaskClient:
    """A second user in a browser, without administrator rights."""
    people = Users(services.database)
    people.add("Ada")
    browser = app.test_client()
    assert browser.post("/api/auth/login", json={"link": people.new_link("Ada")}).status_code == 200
    return browser


@pytest.fixture
def echo(client: FlaskClient, services: Services, model_server: ModelServer) -> Iterator[str]:
    """A supplier whose model repeats the question and whose server records requests."""
    supplier = {"name": "echo", "base_url": model_server.base_url, "models": ["echo"]}
    assert client.post("/api/suppliers", json=supplier).status_code == 201
    yield "echo"
    services.suppliers.models.close()


def set_defaults(who: FlaskClient, **values: Any) -> Any:
    return who.patch("/api/auth/me", json={"defaults": values}, headers={"Origin": OWN})


def bearer(app: Flask, token: str) -> FlaskClient:
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return made


def documents(who: FlaskClient, *files: tuple[str, bytes]) -> str:
    """Create a knowledge base from files and return its id."""
    base = str(
        who.post("/api/knowledge", json={"name": "Handbook"}, headers={"Origin": OWN}).json["id"]
    )
    assert upload(who, base, *files, Origin=OWN).status_code == 202
    return base


# --- defaults


def test_defaults_are_built_in_until_they_are_set(client: FlaskClient) -> None:
    assert client.get("/api/auth/me").json["defaults"] == OURS
    changed = set_defaults(client, system_prompt="Be brief.", max_length=2)
    assert changed.json == client.get("/api/auth/me").json
    assert changed.json["defaults"] == OURS | {"system_prompt": "Be brief.", "max_length": 2}
    assert set_defaults(client, temperature=0.3, documents_only=True).json["defaults"] == MINE
    assert set_defaults(client, max_length=None, temperature=None).json["defaults"] == MINE | {
        "max_length": 20,
        "temperature": None,
    }
    assert set_defaults(client).status_code == 200


def test_each_user_has_their_own_defaults(client: FlaskClient, other: FlaskClient) -> None:
    set_defaults(client, **MINE)
    assert set_defaults(other, max_length=0).json["defaults"] == OURS | {"max_length": 0}
    assert client.get("/api/auth/me").json["defaults"] == MINE


def test_without_accounts_defaults_are_shared(app: Flask, services: Services) -> None:
    app.extensions["chatapp"] = replace(services, settings=replace(services.settings, auth="off"))
    assert set_defaults(app.test_client(), **MINE).status_code == 200
    assert app.test_client().get("/api/auth/me").json["defaults"] == MINE


def test_without_accounts_the_administrator_is_not_read_for_each_request(
    app: Flask, services: Services
) -> None:
    app.extensions["chatapp"] = replace(services, settings=replace(services.settings, auth="off"))
    statements: list[str] = []
    note = lambda *seen: statements.append(seen[2])  # noqa: E731
    event.listen(services.database.engine, "before_cursor_execute", note)
    requests = 40
    for _ in range(requests):
        assert app.test_client().get("/api/auth/me").status_code == 200
    event.remove(services.database.engine, "before_cursor_execute", note)
    assert len([each for each in statements if "FROM users" in each]) < requests / 2


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"temperature": 2.1}, "defaults.temperature"),
        ({"temperature": "warm"}, "defaults.temperature"),
        ({"max_length": 1001}, "defaults.max_length"),
        ({"max_length": 1.5}, "defaults.max_length"),
        ({"system_prompt": "x" * 20_001}, "defaults.system_prompt"),
        ({"documents_only": "perhaps"}, "defaults.documents_only"),
    ],
)
def test_defaults_have_the_limits_of_a_question(
    client: FlaskClient, values: dict[str, Any], field: str
) -> None:
    refused = set_defaults(client, **values)
    assert (refused.status_code, refused.json["error"]["code"]) == (422, "invalid_request")
    assert list(refused.json["error"]["fields"]) == [field]
    assert client.patch("/api/auth/me", json={}).json["error"]["fields"].keys() == {"defaults"}
    assert client.get("/api/auth/me").json["defaults"] == OURS


def test_a_question_uses_the_defaults_unless_it_sets_its_own_values(
    client: FlaskClient, services: Services, model_server: ModelServer, echo: str
) -> None:
    base = documents(client, ("leave.md", TEXT))
    work(services)
    session_id = None

    def sent(temperature: Any = ..., **config: Any) -> dict[str, Any]:
        """Ask about leave, and return what reached the model."""
        nonlocal session_id
        model = {"supplier": echo, "model": "echo"} | (
            {} if temperature is ... else {"temperature": temperature}
        )
        body = {
            "question": "leave?",
            "session_id": session_id,
            "llm_config": model,
            "chat_config": config,
        }
        reply = client.post("/chat", json=body | {"knowledge_config": {"knowledge_base_id": base}})
        assert reply.status_code == 200, reply.data
        session_id = reply.json["session_id"]
        return model_server.asked()[-1].body

    before = sent()
    assert "temperature" not in before
    assert before["messages"][0]["content"].endswith(OPEN_END)
    set_defaults(client, **MINE)
    said = sent()
    assert said["temperature"] == 0.3
    assert said["messages"][0]["content"].startswith("Be brief.")
    assert said["messages"][0]["content"].endswith(DOCUMENTS_ONLY)
    assert len(sent()["messages"]) == 1 + 2 + 1
    named = sent(temperature=1, system_prompt="", documents_only=False, max_length=0)
    assert named["temperature"] == 1
    assert "Be brief." not in named["messages"][0]["content"]
    assert named["messages"][0]["content"].endswith(OPEN_END)
    assert len(named["messages"]) == 1 + 1
    assert "temperature" not in sent(temperature=None)


# --- storage usage


def test_storage_usage_is_per_user_and_only_administrators_see_where(
    client: FlaskClient, other: FlaskClient, settings: Settings
) -> None:
    nothing = {"chats": 0, "messages": 0, "knowledge_bases": 0, "files": 0, "file_bytes": 0}
    documents(client, ("a.txt", b"a" * 10), ("b.txt", b"b" * 20))
    client.post("/chat", json={"question": "one", **BUILTIN})
    client.post("/chat", json={"question": "two", "temporary": True, **BUILTIN})
    stored = client.get("/api/auth/me/stored").json
    assert stored == {
        "chats": 2,
        "messages": 4,
        "knowledge_bases": 1,
        "files": 2,
        "file_bytes": 30,
        "embedder": None,
        "reranker": None,
        "home": str(settings.home),
        "database": "sqlite",
    }
    assert other.get("/api/auth/me/stored").json == nothing | {
        "embedder": None,
        "reranker": None,
        "home": None,
        "database": None,
    }


# --- deleting all data


def test_deleting_all_data_of_a_user_keeps_other_users_data(
    client: FlaskClient, other: FlaskClient, services: Services, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "manual").mkdir()
    (tmp_path / "manual" / "en.md").write_text("# The manual\n\nIt is read by all.")
    services.knowledge.install_manual(tmp_path / "manual")
    for who in (client, other):
        base = documents(who, ("shared.md", TEXT), (f"{id(who)}.txt", b"of one alone %d" % id(who)))
        asked = {"question": "q", **BUILTIN}
        assert who.post("/chat", json=asked, headers={"Origin": OWN}).status_code == 200
        assert (
            who.post("/chat", json=asked | {"temporary": True}, headers={"Origin": OWN}).status_code
            == 200
        )
        set_defaults(who, **MINE)
    work(services)
    theirs = other.get("/api/auth/me/stored").json
    assert len(left(settings)) == 1 + 3
    for _ in range(2):
        assert client.delete("/api/auth/me/data").status_code == 204
        mine = client.get("/api/auth/me/stored").json
        assert {
            mine[name] for name in ("chats", "messages", "knowledge_bases", "files", "file_bytes")
        } == {0}
        assert client.get("/api/auth/me").json["defaults"] == OURS
        assert client.get("/api/sessions").json["items"] == []
        assert [each["bundled"] for each in client.get("/api/knowledge").json["items"]] == [True]
    assert other.get("/api/auth/me/stored").json == theirs
    assert other.get("/api/auth/me").json["defaults"] == MINE
    found = other.post(
        f"/api/knowledge/{base}/search", json={"query": "days of leave"}, headers={"Origin": OWN}
    ).json["items"]
    assert found[0]["name"] == "shared.md"
    assert len(left(settings)) == 1 + 2
    assert not services.knowledge.has_work()


def test_deleting_all_data_keeps_the_current_token_and_the_terminal_s(
    app: Flask, client: FlaskClient, services: Services, settings: Settings
) -> None:
    services.accounts.terminal_token(settings.home / "token")
    browser = app.test_client()
    browser.post("/api/auth/login", json={"link": services.accounts.new_link()})
    asking, idle = (
        client.post("/api/auth/tokens", json={"name": name}).json["token"]
        for name in ("asking", "idle")
    )
    terminal = (settings.home / "token").read_text().strip()
    assert bearer(app, idle).get("/api/models").status_code == 200
    assert bearer(app, asking).delete("/api/auth/me/data").status_code == 204
    known = {
        token: bearer(app, token).get("/api/models").status_code
        for token in (asking, idle, terminal, TOKEN)
    }
    assert known == {asking: 200, idle: 401, terminal: 200, TOKEN: 200}
    assert browser.delete("/api/auth/me/data", headers={"Origin": OWN}).status_code == 204
    assert bearer(app, asking).get("/api/models").status_code == 401
    assert browser.get("/api/auth/me").status_code == 200
