"""The service below a path: every address carries it, whether or not the proxy removes it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.addresses import parse_public_url
from chatapp.cli.start import greeting
from chatapp.settings import Settings
from tests.support.administrator import TOKEN

ID = "00000000-0000-4000-8000-000000000000"
BROWSER = {"Accept": "text/html"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """`/chat` is also an address of the API, and `/chat/stream` lies below it."""
    return replace(settings, public_url=parse_public_url("https://example.org/chat/"))


@pytest.mark.parametrize("prefix", ["", "/chat"])
def test_every_address_of_a_page_lies_below_the_path(client: FlaskClient, prefix: str) -> None:
    for path in ("/", "/sign-in", f"/c/{ID}", "/nope"):
        page = client.get(prefix + path, headers=BROWSER).text
        links = re.findall(r'(?:href|src)="(/[^"]*)"', page)
        maps = re.findall(r'<script type="importmap">(.*?)</script>', page)
        assert len(maps) == (path != "/nope"), "a page without scripts has none"
        for imports in maps:
            links += json.loads(imports)["imports"].values()
        assert links and all(link.startswith("/chat/") for link in links), (path, links)
        for link in links:
            assert client.get(link.removeprefix("/chat") if not prefix else link).status_code == 200


def test_a_sign_in_page_is_redirected_to_below_the_path(anonymous: FlaskClient) -> None:
    for path in ("/", "/chat", "/chat/", f"/chat/c/{ID}", f"/c/{ID}", "//", "/chat//"):
        reply = anonymous.get(path)
        assert (reply.status_code, reply.headers["Location"]) == (302, "/chat/sign-in"), path


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/models", 200),
        ("GET", "/chat/api/models", 200),
        ("POST", "/chat", 422),  # the API's own address
        ("POST", "/chat/chat", 422),
        ("POST", "/chat/stream", 422),
        ("POST", "/chat/chat/stream", 422),
        ("GET", f"/chat/stream/{ID}", 404),
        ("DELETE", f"/chat/chat/stream/{ID}", 404),
        ("GET", "/chat/healthz", 200),
        ("GET", "/chatty/api/models", 404),
        ("GET", "/chat/chat/chat", 404),
    ],
)
def test_calls_work_with_and_without_the_path(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    reply = client.open(path, method=method)
    assert reply.status_code == status
    if status == 404 and ID in path:
        assert reply.json["error"]["message"].startswith("This message")


@pytest.mark.parametrize("path", ["/api", "/static", "/v1", "/c", "/a/b.c"])
def test_the_path_may_be_one_of_ours(settings: Settings, path: str) -> None:
    from chatapp import create_app

    public = parse_public_url(f"http://example.org{path}")
    client = create_app(replace(settings, public_url=public)).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    for prefix in ("", path):
        page = client.get(f"{prefix}/sign-in").text
        script = re.findall(r'type="module" src="([^"]+)"', page)[0]
        assert script.startswith(f"{path}/static/v-")
        assert client.get(prefix + script.removeprefix(path)).status_code == 200
        assert client.get(f"{prefix}/healthz").status_code == 200


def test_the_description_names_the_public_address(client: FlaskClient) -> None:
    assert client.get("/openapi.json").json["servers"] == [{"url": "https://example.org/chat"}]


def test_the_greeting_and_its_link_show_the_public_address(settings: Settings) -> None:
    text = greeting(settings, "127.0.0.1:8000", "secret", 0)
    assert "https://example.org/chat/\n" in text
    assert "https://example.org/chat/sign-in#secret" in text
    assert "curl -N http://127.0.0.1:8000/chat/stream" in text


def test_the_login_cookie_belongs_to_the_path_and_to_https(app: Flask) -> None:
    reply = app.test_client().post("/chat/api/auth/login", json={"password": "none"})
    assert reply.status_code == 401
    services = app.extensions["chatapp"]
    link = services.accounts.new_link()
    reply = app.test_client().post("/api/auth/login", json={"link": link})
    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith("__Secure-chatapp_session.chat=")
    assert "; Path=/chat;" in cookie and "; Secure;" in cookie and "Domain" not in cookie


def test_no_module_of_the_page_builds_an_address_from_the_root() -> None:
    """`fromRoot` and the API client add the path."""
    scripts = Path(__file__).parents[2] / "static" / "js"
    found = re.compile(
        r"(?:href = |setAttribute\('href', |location\.(?:assign|replace)\(|(?:push|replace)State\("
        r"null, '', |fetch\(|\.open\('\w+', )[`']/"
    )
    for path in scripts.rglob("*.js"):
        text = re.sub(r"\s*\n\s*", " ", path.read_text("utf-8"))
        assert not found.search(text), path.name
