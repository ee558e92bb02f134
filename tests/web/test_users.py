"""/api/users: administrators invite people, change roles, disable, reset and delete accounts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.identity.person import Person
from chatapp.settings import Settings
from chatapp.web.services import Services
from tests.support.images import uploaded
from tests.support.modelserver import ModelServer
from tests.support.uploads import TEXT, upload, work

OWN = {"Origin": "http://localhost"}
KEEP, DELETE = "?knowledge_bases=keep", "?knowledge_bases=delete"


def secret_of(invitation: dict[str, Any]) -> str:
    path, _, secret = invitation["path"].partition("#")
    assert path == "/sign-in"
    return str(secret)


def sign_in(app: Flask, invitation: dict[str, Any]) -> FlaskClient:
    """Follow a link in a browser of its own."""
    browser = app.test_client()
    reply = browser.post("/api/auth/login", json={"link": secret_of(invitation)}, headers=OWN)
    assert reply.status_code == 200, reply.data
    return browser


def invite(client: FlaskClient, **body: Any) -> dict[str, Any]:
    reply = client.post("/api/users", json=body)
    assert reply.status_code == 201, reply.data
    return dict(reply.json)


def status(browser: FlaskClient) -> int:
    return browser.get("/api/auth/me").status_code


def program(app: Flask, token: str) -> FlaskClient:
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return made


def refusal(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json["error"]["message"]


# --- invitations


def test_an_invited_person_signs_in_once_and_sets_a_password(
    app: Flask, client: FlaskClient
) -> None:
    made = invite(client, name="Ada", days=3)
    assert made["user"] | {"name": "Ada", "role": "user", "status": "invited"} == made["user"]
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=2.9) < ends < timedelta(days=3)
    browser = sign_in(app, made)
    again = app.test_client().post("/api/auth/login", json={"link": secret_of(made)}, headers=OWN)
    assert again.status_code == 401
    password = {"password": "a good long one"}
    assert browser.put("/api/auth/password", json=password, headers=OWN).status_code == 204
    login = password | {"name": "Ada"}
    assert app.test_client().post("/api/auth/login", json=login, headers=OWN).status_code == 200
    [_, listed] = client.get("/api/users").json["items"]
    assert (listed["name"], listed["status"]) == ("Ada", "active")
    assert listed["seen_at"] and listed["link_expires_at"] is None


def test_an_invited_person_chooses_a_name_that_was_left_open(
    app: Flask, client: FlaskClient
) -> None:
    made = invite(client, role="admin")
    assert (made["user"]["name"], made["user"]["role"]) == (None, "admin")
    browser = sign_in(app, made)
    assert browser.get("/api/auth/me").json["user"]["name"] is None
    taken = browser.patch("/api/auth/me", json={"name": "ADMIN"}, headers=OWN)
    assert (taken.status_code, list(taken.json["error"]["fields"])) == (422, ["name"])
    named = browser.patch("/api/auth/me", json={"name": "  Grace   Hopper "}, headers=OWN)
    assert named.json["user"]["name"] == "Grace Hopper"
    assert client.get("/api/users").json["items"][1]["name"] == "Grace Hopper"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Admin"},
        {"name": " "},
        {"name": "x" * 81},
        {"name": "a\u202eb"},
        {"name": "00000000-0000-4000-8000-000000000000"},
        {"role": "owner"},
        {"days": 0},
        {"days": 31},
    ],
)
def test_an_invitation_is_checked(client: FlaskClient, body: dict[str, Any]) -> None:
    reply = client.post("/api/users", json=body)
    assert (reply.status_code, list(reply.json["error"]["fields"])) == (422, list(body))
    assert len(client.get("/api/users").json["items"]) == 1


def test_an_invitation_ends(app: Flask, client: FlaskClient, services: Services) -> None:
    made = invite(client, name="Ada")
    services.users.new_link(made["user"]["id"], timedelta(seconds=-1))
    late = app.test_client().post("/api/auth/login", json={"link": secret_of(made)}, headers=OWN)
    assert late.status_code == 401


# --- roles


def test_roles_hold_at_once(app: Flask, client: FlaskClient) -> None:
    made = invite(client, name="Ada")
    ada, path = sign_in(app, made), f"/api/users/{made['user']['id']}"
    assert ada.get("/api/users").status_code == 403
    assert client.patch(path, json={"role": "admin"}).json["role"] == "admin"
    assert ada.get("/api/users").status_code == 200
    assert client.patch(path, json={"role": "user"}).json["role"] == "user"
    assert ada.get("/api/users").status_code == 403


def test_the_last_administrator_stays(
    app: Flask, client: FlaskClient, services: Services, admin: Person
) -> None:
    own = f"/api/users/{admin.id}"
    made = invite(client, name="Ada", role="admin")
    ada = made["user"]["id"]
    assert client.patch(f"/api/users/{ada}", json={"disabled": True}).status_code == 200
    code, message = refusal(client.patch(own, json={"role": "user"}))
    assert code == 403 and "last active administrator" in message
    for change in (
        lambda: services.users.set_disabled(admin.id, True),
        lambda: services.users.require_deletable(admin.id),
        lambda: services.users.delete(admin.id),
    ):
        with pytest.raises(Exception, match="last_admin"):
            change()
    client.patch(f"/api/users/{ada}", json={"disabled": False})
    assert client.patch(own, json={"role": "user"}).status_code == 200
    with pytest.raises(Exception, match="last_admin"):
        services.users.set_role(ada, "user")


def test_nobody_locks_themselves_out(client: FlaskClient, admin: Person) -> None:
    invite(client, name="Ada", role="admin")
    own = f"/api/users/{admin.id}"
    for reply in (
        client.patch(own, json={"disabled": True}),
        client.delete(own + DELETE),
        client.post(f"{own}/reset", json={}),
    ):
        assert refusal(reply)[0] == 403 and "your own account" in refusal(reply)[1]


def test_the_tokens_of_the_machine_follow_the_first_administrator(
    app: Flask, client: FlaskClient, services: Services, settings: Settings, admin: Person
) -> None:
    services.accounts.terminal_token(settings.home / "token")
    terminal = program(app, (settings.home / "token").read_text().strip())
    ada = invite(client, name="Ada", role="admin")["user"]["id"]
    services.users.set_role(admin.id, "user")
    assert terminal.get("/api/auth/me").json["user"]["name"] == "Ada"
    assert client.get("/api/auth/me").json["user"]["name"] == "Ada"  # CHATAPP_TOKEN
    services.users.set_role(admin.id, "admin")
    services.users.delete(ada)
    assert terminal.get("/api/auth/me").json["user"]["name"] == "admin"


# --- disabling, resetting


def test_disabling_ends_sign_ins_and_keeps_data(app: Flask, client: FlaskClient) -> None:
    made = invite(client, name="Ada")
    ada, path = sign_in(app, made), f"/api/users/{made['user']['id']}"
    token = ada.post("/api/auth/tokens", json={}, headers=OWN).json["token"]
    ada.post("/api/sessions", json={"title": "hers"}, headers=OWN)
    assert client.patch(path, json={"disabled": True}).json["status"] == "disabled"
    assert (status(ada), status(program(app, token))) == (401, 401)
    code, message = refusal(client.post(f"{path}/reset", json={}))
    assert code == 403 and "disabled" in message
    assert client.patch(path, json={"disabled": False}).json["disabled"] is False
    assert (status(ada), status(program(app, token))) == (401, 200)
    assert program(app, token).get("/api/sessions").json["items"][0]["title"] == "hers"


def test_disabling_stops_answers(
    app: Flask, client: FlaskClient, services: Services, model_server: ModelServer
) -> None:
    supplier = {"name": "slow", "base_url": model_server.base_url, "models": ["typewriter-40-900"]}
    assert client.post("/api/suppliers", json=supplier).status_code == 201
    made = invite(client, name="Ada")
    ada = sign_in(app, made)
    body = {"question": "q", "llm_config": {"supplier": "slow"}}
    with ada.post("/chat/stream", json=body, headers=OWN) as stream:
        blocks = iter(stream.response)
        assert any(b'"type":"chunk"' in block for block in blocks)
        client.patch(f"/api/users/{made['user']['id']}", json={"disabled": True})
        assert '"finish_reason":"stopped"' in b"".join(blocks).decode()
    services.suppliers.models.close()


def test_a_reset_ends_everything_and_makes_a_link(
    app: Flask, client: FlaskClient, services: Services
) -> None:
    made = invite(client, name="Ada")
    ada = sign_in(app, made)
    ada.put("/api/auth/password", json={"password": "a good long one"}, headers=OWN)
    token = ada.post("/api/auth/tokens", json={}, headers=OWN).json["token"]
    assert status(program(app, token)) == 200
    fresh = client.post(f"/api/users/{made['user']['id']}/reset", json={})
    assert fresh.status_code == 200 and fresh.json["user"]["has_password"] is False
    assert (status(ada), status(program(app, token))) == (401, 401)
    login = {"name": "Ada", "password": "a good long one"}
    assert app.test_client().post("/api/auth/login", json=login, headers=OWN).status_code == 401
    assert status(sign_in(app, fresh.json)) == 200


# --- deletion


@pytest.mark.parametrize("choice", ["keep", "delete"])
def test_a_deleted_account_leaves_what_was_chosen(
    app: Flask, client: FlaskClient, services: Services, choice: str
) -> None:
    made = invite(client, name="Ada")
    ada, path = sign_in(app, made), f"/api/users/{made['user']['id']}"
    base = ada.post("/api/knowledge", json={"name": "Handbook"}, headers=OWN).json["id"]
    assert upload(ada, base, ("leave.md", TEXT), **OWN).status_code == 202
    work(services)
    ada.post("/api/sessions", json={"title": "hers"}, headers=OWN)
    assert client.get("/api/users").json["items"][1]["knowledge_bases"] == 1
    missing = client.delete(path)
    assert list(missing.json["error"]["fields"]) == ["knowledge_bases"]
    assert client.delete(f"{path}?knowledge_bases={choice}").status_code == 204
    assert status(ada) == 401
    assert [each["name"] for each in client.get("/api/users").json["items"]] == ["admin"]
    found = client.post(f"/api/knowledge/{base}/search", json={"query": "leave"})
    assert found.status_code == (200 if choice == "keep" else 404)
    assert choice == "delete" or found.json["items"][0]["name"] == "leave.md"
    assert client.delete(path + KEEP).status_code == 404


def test_the_name_of_an_account_is_no_secret_of_administrators_only(
    app: Flask, client: FlaskClient
) -> None:
    """Members learn nothing: every route refuses them in the same way."""
    ada = sign_in(app, invite(client, name="Ada"))
    for method, path in (
        ("get", "/api/users"),
        ("post", "/api/users"),
        ("patch", "/api/users/Ada"),
        ("patch", "/api/users/none"),
        ("delete", "/api/users/Ada" + DELETE),
        ("post", "/api/users/Ada/reset"),
    ):
        reply = ada.open(path, method=method.upper(), json={}, headers=OWN)
        assert refusal(reply) == (403, "Only an administrator can do this."), path


def test_the_page_of_an_invitation_changes_nothing(app: Flask, client: FlaskClient) -> None:
    made = invite(client, name="Ada")
    assert app.test_client().get("/sign-in").status_code == 200
    assert status(sign_in(app, made)) == 200


def test_images_of_a_deleted_account_are_deleted(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    made = invite(client, name="Ada")
    ada = program(app, token_of(sign_in(app, made)))
    image = uploaded(ada)
    assert list(Path(settings.home).rglob(f"*{image}*"))
    client.delete(f"/api/users/{made['user']['id']}{DELETE}")
    assert not list(Path(settings.home).rglob(f"*{image}*"))


def token_of(browser: FlaskClient) -> str:
    return str(browser.post("/api/auth/tokens", json={}, headers=OWN).json["token"])
