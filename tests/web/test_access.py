"""Access: routes are closed by default, and other users' resources are not found."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from chatapp.identity import throttle
from chatapp.identity.person import Person
from chatapp.settings import Settings
from chatapp.storage.models import User, new_id
from chatapp.web.request import OPEN
from chatapp.web.services import Services
from tests.support.administrator import TOKEN
from tests.support.images import uploaded

NO_ID = "00000000-0000-4000-8000-000000000000"
OWN = "http://localhost"


def rules(app: Flask) -> list[tuple[str, str, Rule]]:
    return [
        (method, re.sub(r"<[^>]+>", NO_ID, rule.rule), rule)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


@pytest.fixture
def other(services: Services) -> Person:
    """A second user without administrator rights."""
    user = User(id=new_id(), name="other", role="user")
    services.database.write(lambda t: t.add(user))
    return Person(user.id, "other", "user", False)


@pytest.fixture
def other_client(app: Flask, services: Services, other: Person) -> FlaskClient:
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = (
        f"Bearer {services.accounts.tokens.create(other, 'other')['token']}"
    )
    return made


def test_every_route_requires_a_user_unless_it_is_open(app: Flask, anonymous: FlaskClient) -> None:
    assert len(OPEN) <= 11
    for method, path, rule in rules(app):
        reply = anonymous.open(path, method=method, json={} if method != "GET" else None)
        if rule.endpoint in OPEN:
            continue
        if str(rule.endpoint).startswith("pages."):
            assert reply.status_code == 302 and reply.headers["Location"] == "/sign-in", (
                method,
                path,
            )
        else:
            assert reply.status_code == 401, (method, path, reply.data)
            code = "invalid_api_key" if path.startswith("/v1/") else "unauthorized"
            assert reply.json["error"]["code"] == code


def test_the_link_of_a_citation_leads_to_the_sign_in_page(anonymous: FlaskClient) -> None:
    """A person opens it in a browser; a script gets the error."""
    path = f"/api/knowledge/{NO_ID}/files/{NO_ID}/content"
    opened = anonymous.get(path, headers={"Sec-Fetch-Mode": "navigate"})
    assert (opened.status_code, opened.headers["Location"]) == (302, "/sign-in")
    assert anonymous.get(path, headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
    other = anonymous.get("/api/sessions", headers={"Sec-Fetch-Mode": "navigate"})
    assert other.status_code == 401


def test_the_frame_of_diagrams_is_open_to_readers_of_shared_chats(anonymous: FlaskClient) -> None:
    assert anonymous.get("/diagram").status_code == 200


def test_not_found_is_a_page_for_browsers_and_json_for_programs(
    client: FlaskClient,
) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "zh-CN"}
    for path in ("/nope", "/c/abc"):
        page = client.get(path, headers=browser)
        assert page.status_code == 404 and page.mimetype == "text/html"
        assert "页面不存在" in page.text and 'href="/"' in page.text
        assert "script-src" in page.headers["Content-Security-Policy"]
        assert client.get(path).json["error"]["code"] == "not_found"
    for path in ("/api/nope", "/v1/nope", "/chat/nope"):
        assert client.get(path, headers=browser).json["error"]["code"] == "not_found"
    assert client.post("/nope", headers=browser).mimetype == "application/json"


def test_no_get_changes_state(app: Flask) -> None:
    verbs = ("delete", "create", "stop", "logout", "update", "set_", "upload", "retry", "reindex")
    for method, path, rule in rules(app):
        if method == "GET":
            assert not any(verb in str(rule.endpoint).rpartition(".")[2] for verb in verbs), path


def test_other_users_resources_are_not_found(
    app: Flask, client: FlaskClient, other_client: FlaskClient, services: Services
) -> None:
    session = client.post("/api/sessions", json={"title": "mine"}).json
    base = client.post("/api/knowledge", json={"name": "mine"}).json
    reply = client.post(
        "/chat",
        json={"question": "hi", "session_id": session["id"], "llm_config": {"supplier": "builtin"}},
    )
    assert reply.status_code == 200, reply.data
    message_id = reply.json["message_id"]
    token = client.post("/api/auth/tokens", json={"name": "mine"}).json
    known = {
        "image_id": uploaded(client),
        "session_id": session["id"],
        "message_id": message_id,
        "base_id": base["id"],
        "knowledge_base_id": base["id"],
        "token_id": token["id"],
    }
    for rule in app.url_map.iter_rules():
        if not rule.arguments or not rule.arguments <= set(known) | {"file_id"}:
            continue
        path = re.sub(r"<(?:[^:>]+:)?([^>]+)>", lambda found: known.get(found[1], NO_ID), rule.rule)
        if str(rule.endpoint).startswith(("pages.", "static")):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            body = {"title": "x", "name": "x", "query": "x", "rating": "up"}
            reply = other_client.open(path, method=method, json=None if method == "GET" else body)
            assert reply.status_code == 404, (method, path, reply.status_code, reply.data)
    for body in (
        {"question": "q", "session_id": session["id"]},
        {"question": "q", "knowledge_config": {"knowledge_base_id": base["id"]}},
        {"question_id": client.get(f"/api/messages/{message_id}").json["parent_id"]},
        {"continue_id": message_id},
        {"question": "q", "parent_id": message_id},
    ):
        reply = other_client.post("/chat", json=body)
        assert reply.status_code == 404, (body, reply.data)
    assert client.get(f"/api/sessions/{session['id']}").json["title"] == "mine"


def test_only_administrators_see_suppliers(app: Flask, other_client: FlaskClient) -> None:
    for method, path, _rule in rules(app):
        if path.startswith("/api/suppliers") and not path.endswith("/presets"):
            reply = other_client.open(
                path,
                method=method,
                json=None if method == "GET" else {"base_url": "http://127.0.0.1:9/v1"},
            )
            assert reply.status_code == 403, (method, path)


def test_a_sign_in_link_works_once_and_a_password_replaces_it(
    anonymous: FlaskClient, app: Flask, services: Services
) -> None:
    link = services.accounts.new_link()
    reply = anonymous.post("/api/auth/login", json={"link": link}, headers={"Origin": OWN})
    assert reply.status_code == 200
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert anonymous.get("/api/auth/me").json["user"]["role"] == "admin"
    again = app.test_client().post("/api/auth/login", json={"link": link})
    assert again.status_code == 401
    assert (
        anonymous.put(
            "/api/auth/password", json={"password": "short"}, headers={"Origin": OWN}
        ).status_code
        == 422
    )
    assert (
        anonymous.put(
            "/api/auth/password", json={"password": "a good long one"}, headers={"Origin": OWN}
        ).status_code
        == 204
    )
    fresh = app.test_client()
    assert fresh.post("/api/auth/login", json={"password": "wrong"}).status_code == 401
    assert (
        fresh.post(
            "/api/auth/login", json={"name": "admin", "password": "a good long one"}
        ).status_code
        == 200
    )
    assert fresh.get("/api/auth/me").status_code == 200


def test_logging_out_ends_the_login_on_the_server(
    anonymous: FlaskClient, app: Flask, services: Services
) -> None:
    anonymous.post("/api/auth/login", json={"link": services.accounts.new_link()})
    cookie = anonymous.get_cookie("chatapp_session")
    assert cookie is not None
    assert anonymous.post("/api/auth/logout", headers={"Origin": OWN}).status_code == 204
    thief = app.test_client()
    thief.set_cookie("chatapp_session", cookie.value)
    assert thief.get("/api/auth/me").status_code == 401


def test_a_new_password_signs_other_browsers_out(app: Flask, services: Services) -> None:
    browsers = [app.test_client(), app.test_client()]
    for browser in browsers:
        browser.post("/api/auth/login", json={"link": services.accounts.new_link()})
    assert (
        browsers[0].put("/api/auth/password", json={"password": "a good long one"}).status_code
        == 204
    )
    assert [browser.get("/api/auth/me").status_code for browser in browsers] == [200, 401]
    other = {"current": "wrong", "password": "another long one"}
    assert browsers[0].put("/api/auth/password", json=other).status_code == 401


def test_a_password_of_the_environment_ends_logins_once(app: Flask, services: Services) -> None:
    browser = app.test_client()
    browser.post("/api/auth/login", json={"link": services.accounts.new_link()})
    assert browser.get("/api/auth/me").status_code == 200
    services.accounts.ensure_admin("set by the environment", TOKEN)
    assert browser.get("/api/auth/me").status_code == 401
    browser.post("/api/auth/login", json={"password": "set by the environment"})
    services.accounts.ensure_admin("set by the environment", TOKEN)  # the next start
    assert browser.get("/api/auth/me").status_code == 200


def test_wrong_passwords_are_throttled(
    anonymous: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FIRST_PAUSE_SECONDS", 60)  # longer than any check
    codes = [
        anonymous.post("/api/auth/login", json={"name": "x", "password": f"wrong {n}"})
        for n in range(6)
    ]
    assert [reply.status_code for reply in codes] == [401] * 5 + [429]
    assert int(codes[-1].headers["Retry-After"]) > 0


def test_the_last_use_of_a_token_is_stored(client: FlaskClient) -> None:
    client.get("/api/models")
    assert client.get("/api/auth/tokens").json["items"][0]["used_at"]


def test_a_revoked_token_is_refused(client: FlaskClient, app: Flask) -> None:
    made = client.post("/api/auth/tokens", json={"name": "script"}).json
    script = app.test_client()
    script.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made['token']}"
    assert script.get("/api/models").status_code == 200
    assert made["token"] not in client.get("/api/auth/tokens").data.decode()
    assert client.delete(f"/api/auth/tokens/{made['id']}").status_code == 204
    assert script.get("/api/models").status_code == 401


def test_a_token_created_by_the_api_may_be_set_in_the_environment(
    client: FlaskClient, app: Flask, services: Services
) -> None:
    made = client.post("/api/auth/tokens", json={"name": "exported for a program"}).json
    services.accounts.ensure_admin("", made["token"])
    script = app.test_client()
    script.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made['token']}"
    assert script.get("/api/auth/tokens").json["items"][0]["name"] == "exported for a program"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_use_the_browser_session(
    anonymous: FlaskClient, services: Services, headers: dict
) -> None:
    anonymous.post("/api/auth/login", json={"link": services.accounts.new_link()})
    reply = anonymous.post("/api/sessions", json={"title": "forged"}, headers=headers)
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "origin_refused")
    assert "Access-Control-Allow-Origin" not in reply.headers


def test_a_form_cannot_change_state(anonymous: FlaskClient, services: Services) -> None:
    anonymous.post("/api/auth/login", json={"link": services.accounts.new_link()})
    reply = anonymous.post("/api/sessions", data='{"title":"forged"}', content_type="text/plain")
    assert reply.status_code == 422


def test_an_allowed_origin_may_use_the_api_with_a_token_only(
    settings: Settings, app: Flask, services: Services
) -> None:
    from dataclasses import replace

    app.extensions["chatapp"] = replace(
        services, settings=replace(settings, origins=("https://chat.example.org",))
    )
    page = app.test_client()
    headers = {"Origin": "https://chat.example.org"}
    before = page.options(
        "/chat/stream", headers={**headers, "Access-Control-Request-Method": "POST"}
    )
    assert before.status_code == 204
    assert before.headers["Access-Control-Allow-Origin"] == "https://chat.example.org"
    allowed = before.headers["Access-Control-Allow-Headers"]
    assert "Authorization" in allowed and "MCP-Protocol-Version" in allowed
    asked = {**headers, "Access-Control-Request-Headers": "x-stainless-os, OpenAI-Beta, x-mine"}
    allowed = page.options("/v1/models", headers=asked).headers["Access-Control-Allow-Headers"]
    assert allowed.endswith("x-stainless-os, OpenAI-Beta")
    reply = page.get("/api/models", headers={**headers, "Authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 200
    assert reply.headers["Access-Control-Allow-Origin"] == "https://chat.example.org"
    assert "Access-Control-Allow-Credentials" not in reply.headers
    page.post("/api/auth/login", json={"link": services.accounts.new_link()})
    assert (
        page.get("/api/models", headers=headers).status_code == 401
    )  # cookies of cross-origin requests are ignored
    assert page.get("/api/models", headers={"Origin": "https://evil.example"}).status_code == 403


def test_without_accounts_dns_rebinding_is_refused(
    settings: Settings, app: Flask, services: Services
) -> None:
    from dataclasses import replace

    app.extensions["chatapp"] = replace(
        services, settings=replace(settings, auth="off", origins=("https://chat.example.org",))
    )
    page = app.test_client()
    for host, status in [
        ("evil.example:8000", 403),
        ("evil.localhost.example", 403),
        ("127.0.0.1:8000", 200),
        ("192.168.1.5:8000", 200),
        ("[::1]:8000", 200),
        ("localhost", 200),
        ("myserver", 200),
        ("chat.example.org", 200),
    ]:
        assert page.get("/api/auth/me", headers={"Host": host}).status_code == status, host


def test_without_accounts_every_user_is_the_administrator(
    settings: Settings, app: Flask, services: Services
) -> None:
    from dataclasses import replace

    app.extensions["chatapp"] = replace(services, settings=replace(settings, auth="off"))
    page = app.test_client()
    assert page.get("/api/auth/me").json["auth"] == "off"
    assert page.post("/api/sessions", json={"title": "open"}).status_code == 201
    forged = page.post(
        "/api/sessions", json={"title": "forged"}, headers={"Origin": "http://evil.example"}
    )
    assert forged.status_code == 403
