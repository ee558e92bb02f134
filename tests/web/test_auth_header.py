"""The header by which a trusted proxy names the user."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp import create_app
from chatapp.addresses import parse_networks
from chatapp.identity.users import Users
from chatapp.settings import Settings, SettingsError
from chatapp.web.services import Services
from tests.support.administrator import TOKEN

PROXY, DIRECT = "10.0.0.1", "203.0.113.9"
OWN = {"Origin": "http://localhost"}


@pytest.fixture
def make(settings: Settings) -> Iterator[Callable[..., FlaskClient]]:
    """Make an app with a header, and a client that comes from the proxy."""
    made: list[Services] = []

    def call(**changes: Any) -> FlaskClient:
        values = {
            "auth_header": "X-Forwarded-User",
            "trusted_proxies": parse_networks("10.0.0.0/8"),
            **changes,
        }
        app: Flask = create_app(replace(settings, **values))
        services: Services = app.extensions["chatapp"]
        services.accounts.ensure_admin("", TOKEN)
        Users(services.database).add("Ada")
        made.append(services)
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = PROXY
        return client

    yield call
    for services in made:
        services.runs.close()
        services.database.close()


def who(client: FlaskClient, name: str | None, **more: Any) -> str | None:
    headers = {"X-Forwarded-User": name} if name is not None else {}
    reply = client.get("/api/auth/me", headers=headers, **more)
    return reply.json["user"]["name"] if reply.status_code == 200 else None


def test_the_proxy_names_an_account(make: Callable[..., FlaskClient]) -> None:
    client = make()
    assert who(client, "Ada") == "Ada"
    assert who(client, "admin") == "admin"
    assert who(client, None) is None
    assert [who(client, name) for name in ("", " ", "nobody", "Ada, admin", "ada")] == [None] * 5


def test_the_header_of_everyone_else_is_ignored(make: Callable[..., FlaskClient]) -> None:
    client = make()
    assert who(client, "admin", environ_overrides={"REMOTE_ADDR": DIRECT}) is None
    assert who(client, "admin", environ_overrides={"REMOTE_ADDR": ""}) == "admin"  # a Unix socket
    sent = {"X-Forwarded-User": "admin", "X-Forwarded-For": PROXY}
    direct = {"REMOTE_ADDR": DIRECT}
    assert client.get("/api/auth/me", headers=sent, environ_overrides=direct).status_code == 401


def test_who_is_named_by_the_proxy_keeps_the_name(make: Callable[..., FlaskClient]) -> None:
    client, ada = make(), {"X-Forwarded-User": "Ada"}
    assert client.get("/api/auth/me", headers=ada).json["signed_in_by"] == "proxy"
    reply = client.patch("/api/auth/me", headers=ada, json={"name": "Ada Lovelace"})
    assert reply.status_code == 422
    assert "the proxy that signs people in" in reply.json["error"]["message"]
    assert client.patch("/api/auth/me", headers=ada, json={"name": "Ada"}).status_code == 200
    assert who(client, "Ada") == "Ada"


def test_it_is_off_by_default(make: Callable[..., FlaskClient]) -> None:
    assert who(make(auth_header=""), "admin") is None


def test_accounts_are_created_by_setting(make: Callable[..., FlaskClient]) -> None:
    client = make(auth_header_create=True)
    assert who(client, "Grace Hopper") == "Grace Hopper"
    assert who(client, "Grace Hopper") == "Grace Hopper"
    assert who(client, "张三".encode().decode("latin-1")) == "张三"
    assert who(client, "x" * 81) is None
    assert who(client, "ada") is None  # too much like Ada


def test_a_disabled_account_is_refused(make: Callable[..., FlaskClient]) -> None:
    client = make()
    people = Users(client.application.extensions["chatapp"].database)
    people.set_disabled("Ada", True)
    assert who(client, "Ada") is None


def test_other_sites_cannot_act_in_its_name(make: Callable[..., FlaskClient]) -> None:
    client = make()
    named = {"X-Forwarded-User": "Ada"}

    def create(**more: str) -> int:
        headers = {**named, **more}
        return client.post("/api/sessions", json={"title": "t"}, headers=headers).status_code

    assert create(**OWN) == 201
    assert create(Origin="https://evil.example") == 403
    assert create(**{"Sec-Fetch-Site": "cross-site"}) == 403


def test_a_token_comes_first(make: Callable[..., FlaskClient]) -> None:
    client = make()
    headers = {"X-Forwarded-User": "Ada", "Authorization": f"Bearer {TOKEN}"}
    assert client.get("/api/auth/me", headers=headers).json["user"]["name"] == "admin"


def test_the_proxies_that_may_send_it_have_to_be_named() -> None:
    with pytest.raises(SettingsError, match="CHATAPP_TRUSTED_PROXIES"):
        Settings.from_env({"CHATAPP_AUTH_HEADER": "X-Forwarded-User"})
    named = {"CHATAPP_AUTH_HEADER": "X-User", "CHATAPP_TRUSTED_PROXIES": "127.0.0.1"}
    assert Settings.from_env(named).auth_header == "X-User"
    for wrong in ("X User", "Authorization", "cookie", "X_User"):
        with pytest.raises(SettingsError, match="CHATAPP_AUTH_HEADER must"):
            Settings.from_env(named | {"CHATAPP_AUTH_HEADER": wrong})
