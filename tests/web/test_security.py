"""Statements of docs/security.md that no other test of a feature proves."""

import io
import json
import sqlite3
from contextlib import closing

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.identity.users import Users
from chatapp.settings import Settings
from chatapp.storage.models import User, new_id
from chatapp.web.request import OPEN
from chatapp.web.services import Services
from tests.support.administrator import TOKEN
from tests.support.docs import read, rows_of_open_routes

OWN = {"Origin": "http://localhost"}
PASSWORD = "a long password of the tests"
API = ("/api/auth/me", "/api/sessions", "/api/knowledge", "/api/models", "/openapi.json")


@pytest.fixture
def signed_in(app: Flask, services: Services) -> FlaskClient:
    services.accounts.ensure_admin(PASSWORD, TOKEN)
    browser = app.test_client()
    assert browser.post("/api/auth/login", json={"password": PASSWORD}).status_code == 200
    return browser


def test_the_routes_open_to_nobody_in_particular_are_a_written_list(app: Flask) -> None:
    served = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.endpoint in OPEN
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == set(rows_of_open_routes())


def test_unknown_fields_change_nothing(client: FlaskClient, services: Services, app: Flask) -> None:
    eve = new_id()
    services.database.write(lambda t: t.add(User(id=eve, name="eve", role="user")))
    forged = {
        "user_id": "somebody",
        "owner": "somebody",
        "is_admin": True,
        "role": "superuser",
        "collection": "kb_of_another",
        "path": "../../secret.key",
    }
    for path in ("/api/sessions", "/api/knowledge"):
        reply = client.post(path, json={"title": "mine", "name": "mine", **forged})
        assert reply.status_code == 201
        shown = json.dumps(reply.json)
        assert not any(str(value) in shown for value in forged.values() if value is not True)
        assert client.get(f"{path}/{reply.json['id']}").status_code == 200
    stranger = app.test_client()
    token = services.accounts.tokens.issue(eve, "personal", None, "of a test")
    stranger.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    stranger.patch("/api/auth/me", json={"defaults": {}, **forged})
    assert stranger.get("/api/auth/me").json["user"]["role"] == "user"


def test_there_is_no_default_account(anonymous: FlaskClient) -> None:
    for password in ("", "admin", "password", "chatapp", "changeme"):
        for name in ("admin", "root", "chatapp"):
            body = {"name": name, "password": password}
            assert anonymous.post("/api/auth/login", json=body).status_code in (401, 422)


def test_unknown_names_and_wrong_passwords_have_one_answer(
    app: Flask, signed_in: FlaskClient
) -> None:
    said = [
        app.test_client().post("/api/auth/login", json={"name": name, "password": "wrong"}).json
        for name in ("admin", "nobody of this name")
    ]
    for each in said:
        del each["error"]["request_id"]
    assert said[0] == said[1]


def test_passwords_and_tokens_are_stored_as_hashes(
    settings: Settings, client: FlaskClient, signed_in: FlaskClient
) -> None:
    token = client.post("/api/auth/tokens", json={"name": "a program"}).json["token"]
    cookie = signed_in.get_cookie("chatapp_session")
    with closing(sqlite3.connect(settings.home / "chatapp.db")) as database:
        dump = "\n".join(database.iterdump())
    for secret in (PASSWORD, token, cookie.value if cookie else PASSWORD):
        assert secret not in dump
    assert "scrypt:" in dump


def test_signing_in_changes_the_login_and_ends_the_one_before(
    app: Flask, signed_in: FlaskClient
) -> None:
    before = signed_in.get_cookie("chatapp_session")
    reply = signed_in.post("/api/auth/login", json={"password": PASSWORD}, headers=OWN)
    after = signed_in.get_cookie("chatapp_session")
    assert reply.status_code == 200 and before and after and before.value != after.value
    thief = app.test_client()
    thief.set_cookie("chatapp_session", before.value)
    assert thief.get("/api/auth/me").status_code == 401
    assert signed_in.get("/api/auth/me").status_code == 200


def test_a_disabled_account_is_signed_out_at_once(app: Flask, services: Services) -> None:
    users = Users(services.database)
    users.add("eve")
    link = users.new_link("eve")
    browser = app.test_client()
    assert browser.post("/api/auth/login", json={"link": link}).status_code == 200
    token = browser.post("/api/auth/tokens", json={"name": "hers"}, headers=OWN).json["token"]
    users.set_disabled("eve", True)
    services.accounts.tokens.forget()
    assert browser.get("/api/auth/me").status_code == 401
    program = app.test_client()
    bearer = {"Authorization": f"Bearer {token}"}
    assert program.get("/api/auth/me", headers=bearer).status_code == 401


def test_every_page_has_a_strict_policy(signed_in: FlaskClient) -> None:
    for path in ("/", "/sign-in", "/c/00000000-0000-4000-8000-000000000000", "/nope"):
        reply = signed_in.get(path, headers={"Accept": "text/html"})
        policy = {
            name: set(values)
            for name, *values in (
                part.split() for part in reply.headers["Content-Security-Policy"].split(";")
            )
        }
        assert policy["default-src"] == {"'none'"}
        assert policy["base-uri"] == policy["frame-ancestors"] == {"'none'"}
        assert "'unsafe-inline'" not in policy["script-src"] | policy["style-src"]
        assert "'unsafe-eval'" not in policy["script-src"]
        assert policy["img-src"] <= {"'self'", "data:", "blob:"}
        assert policy["connect-src"] == {"'self'"}


def test_every_answer_of_the_api_has_safe_headers(client: FlaskClient) -> None:
    for path in (*API, "/api/no-such"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] in ("same-origin", "no-referrer")
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert not [name for name, _ in headers if name.startswith("Access-Control-")]


def test_a_script_is_never_told_the_login(signed_in: FlaskClient) -> None:
    cookie = signed_in.get_cookie("chatapp_session")
    assert cookie is not None and cookie.http_only
    for path in ("/", *API):
        assert cookie.value not in signed_in.get(path).text


def test_an_error_of_ours_tells_a_request_id_and_nothing_else(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("SELECT secret FROM chatapp.db")

    monkeypatch.setitem(app.view_functions, "ops.readyz", broken)
    reply = client.get("/readyz")
    assert reply.status_code == 500 and reply.json["error"]["code"] == "internal"
    assert reply.headers["X-Request-Id"] in reply.json["error"]["message"]
    for leak in ("SELECT", "chatapp.db", "Traceback", "RuntimeError", ".py"):
        assert leak not in reply.text
    assert not app.debug and not app.testing


def test_a_range_past_the_end_is_answered_with_the_length(client: FlaskClient) -> None:
    base = client.post("/api/knowledge", json={"name": "short"}).json["id"]
    form = {"files": (io.BytesIO(b"27 days of leave."), "leave.txt")}
    file = client.post(f"/api/knowledge/{base}/files", data=form).json["items"][0]
    path = f"/api/knowledge/{base}/files/{file['id']}/content"
    reply = client.get(path, headers={"Range": "bytes=100-"})
    assert reply.status_code == 416 and reply.headers["Content-Range"] == "bytes */17"
    assert reply.json["error"]["code"] == "invalid_request"
    assert "17 bytes" in reply.json["error"]["message"]
    with client.get(path, headers={"Range": "bytes=3-6"}) as part:
        assert part.data == b"days"


def test_an_upload_of_too_many_files_says_so(client: FlaskClient) -> None:
    base = client.post("/api/knowledge", json={"name": "many"}).json["id"]
    files = [(io.BytesIO(b"%d" % n), f"{n}.txt") for n in range(1001)]
    reply = client.post(f"/api/knowledge/{base}/files", data={"files": files})
    assert reply.status_code == 413 and "1000 files" in reply.json["error"]["message"]
    assert client.get(f"/api/knowledge/{base}/files").json["items"] == []


@pytest.mark.parametrize(
    "name", ["a\nb", "a\x1bb", "a\u202eb", "a\u200b", " a", "BUILTIN", "ｂuiltin"]
)
def test_a_supplier_s_name_is_one_that_people_can_tell_apart(
    client: FlaskClient, name: str
) -> None:
    body = {"name": name, "base_url": "http://127.0.0.1:9/v1"}
    assert "name" in client.post("/api/suppliers", json=body).json["error"]["fields"]
    made = client.post("/api/suppliers", json={**body, "name": "另一个 service"})
    assert made.status_code == 201
    reply = client.patch(f"/api/suppliers/{made.json['id']}", json={"name": name})
    assert "name" in reply.json["error"]["fields"]


def test_a_local_preset_needs_an_administrator(client: FlaskClient) -> None:
    """A member's question must not reach a port of this machine."""
    config = {"supplier": "ollama", "model": "m", "api_key": "k"}
    reply = client.post("/chat", json={"question": "q", "llm_config": config})
    assert reply.json["error"]["code"] == "model_gone"


def test_a_locked_database_says_when_to_try_again(
    app: Flask, client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatapp.errors import DatabaseBusy

    def locked() -> None:
        raise DatabaseBusy

    monkeypatch.setitem(app.view_functions, "ops.readyz", locked)
    reply = client.get("/readyz")
    assert reply.status_code == 503 and int(reply.headers["Retry-After"]) > 0


def test_the_page_keeps_no_secret(settings: Settings) -> None:
    """Only one module of the page uses storage; what is kept there is listed."""
    from chatapp.web.pages import STATIC

    users = {
        path.relative_to(STATIC).as_posix()
        for path in (STATIC / "js").rglob("*.js")
        if "localStorage" in read(path) or "sessionStorage" in read(path)
    }
    assert users == {"js/core/storage.js"}
