"""Tokens with scopes and an end: what they may call, and that nothing is open by accident."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.identity.person import SCOPES, Person
from chatapp.identity.users import Users
from chatapp.web.request import OPEN
from chatapp.web.scopes import SCOPES_OF
from chatapp.web.services import Services

NO_ID = "00000000-0000-4000-8000-000000000000"
TRIED = [(scope,) for scope in SCOPES] + [("read", "write")]


def program(app: Flask, token: str) -> FlaskClient:
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return made


def limited(app: Flask, services: Services, person: Person, *scopes: str) -> FlaskClient:
    return program(app, services.accounts.tokens.create(person, "t", scopes)["token"])


def in_time(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def test_every_endpoint_has_a_row(app: Flask) -> None:
    endpoints = {str(rule.endpoint) for rule in app.url_map.iter_rules()}
    assert endpoints - SCOPES_OF.keys() == set(), "add them to chatapp/web/scopes.py"
    assert SCOPES_OF.keys() - endpoints == set()
    assert {scope for row in SCOPES_OF.values() for scope in row} == set(SCOPES)


@pytest.mark.parametrize("scopes", TRIED, ids="+".join)
def test_a_token_calls_what_its_scopes_say_and_nothing_else(
    app: Flask, services: Services, admin: Person, scopes: tuple[str, ...]
) -> None:
    who = limited(app, services, admin, *scopes)
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:int:[^>]+)>", "1", rule.rule)
        path = re.sub(r"<[^>]+>", NO_ID, path)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            reply = who.open(path, method=method, json=None if method == "GET" else {})
            row = SCOPES_OF[str(rule.endpoint)]
            if rule.endpoint in OPEN or set(row) & set(scopes):
                assert reply.status_code not in (401, 403), (method, path, reply.data)
                continue
            assert reply.status_code == 403, (method, path, reply.data)
            error = reply.json["error"]
            assert error["code"] == "forbidden"
            assert (f"“{row[0]}”" if row else "limited scopes") in error["message"]


def test_a_limited_token_is_no_administrator(app: Flask, services: Services, admin: Person) -> None:
    role = lambda *scopes: (  # noqa: E731
        limited(app, services, admin, *scopes).get("/api/auth/me").json["user"]["role"]
    )
    assert role("ask", "read", "write") == "user"
    assert role("admin") == "admin"


def test_a_token_has_no_more_rights_than_its_maker(
    app: Flask, client: FlaskClient, services: Services
) -> None:
    users: Users = services.users
    ada = users.add("Ada", "admin")["id"]
    browser = app.test_client()
    browser.post("/api/auth/login", json={"link": users.new_link(ada)})
    made = browser.post("/api/auth/tokens", json={"scopes": ["admin", "ask"]})
    assert made.json["scopes"] == ["ask", "admin"]
    token = program(app, made.json["token"])
    assert token.get("/api/suppliers").status_code == 200
    users.set_role(ada, "user")
    assert token.get("/api/suppliers").status_code == 403
    refused = browser.post("/api/auth/tokens", json={"scopes": ["admin"]})
    assert (refused.status_code, list(refused.json["error"]["fields"])) == (422, ["scopes"])
    assert browser.post("/api/auth/tokens", json={"scopes": ["ask"]}).status_code == 201


def test_tokens_that_were_made_without_scopes_keep_all_rights(client: FlaskClient) -> None:
    made = client.post("/api/auth/tokens", json={"name": "script"}).json
    assert (made["scopes"], made["expires_at"]) == (None, None)
    assert client.get("/api/users").status_code == 200


def test_a_token_ends_when_it_says(app: Flask, services: Services, client: FlaskClient) -> None:
    made = client.post("/api/auth/tokens", json={"expires_at": in_time(hours=1)})
    assert made.status_code == 201 and made.json["expires_at"].endswith("Z")
    assert program(app, made.json["token"]).get("/api/models").status_code == 200
    person = services.accounts.administrator()
    past = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    ended = services.accounts.tokens.create(person, "old", None, past)
    reply = program(app, ended["token"]).get("/api/models")
    assert (reply.status_code, reply.json["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    "body",
    [
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "soon"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"expires_at": "9999-12-31T23:59:59-14:00"},
        {"scopes": []},
        {"scopes": ["everything"]},
    ],
)
def test_the_limits_of_a_token_are_checked(client: FlaskClient, body: dict[str, Any]) -> None:
    reply = client.post("/api/auth/tokens", json=body)
    assert reply.status_code == 422
    assert next(iter(reply.json["error"]["fields"])).split(".")[0] == next(iter(body))
