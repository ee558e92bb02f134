"""Which pages and programs may use the service: proxies that change the host, no accounts, CSRF."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.addresses import parse_public_url
from chatapp.i18n import LANGUAGES
from chatapp.web.services import Services
from tests.support.administrator import TOKEN
from tests.support.uploads import upload

LINES = ("proxy_set_header Host $http_host;", "ProxyPreserveHost On", "CHATAPP_PUBLIC_URL")
FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
]


@pytest.fixture
def page(anonymous: FlaskClient, services: Services) -> FlaskClient:
    """A signed-in browser."""
    anonymous.post("/api/auth/login", json={"link": services.accounts.new_link()})
    return anonymous


@pytest.fixture
def without_accounts(app: Flask, services: Services) -> Iterator[FlaskClient]:
    settings = replace(services.settings, auth="off")
    app.extensions["chatapp"] = replace(services, settings=settings)
    yield app.test_client()


def set_public_url(app: Flask, url: str) -> None:
    services: Services = app.extensions["chatapp"]
    app.extensions["chatapp"] = replace(
        services, settings=replace(services.settings, public_url=parse_public_url(url))
    )


def change(browser: FlaskClient, **headers: str) -> int:
    """Send a change of state as our own page does; return the status."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.post("/api/sessions", json={"title": "a chat"}, headers=sent).status_code


def test_a_proxy_that_changes_the_host_does_not_stop_pages_and_scripts(
    anonymous: FlaskClient,
) -> None:
    page = anonymous.get("/sign-in").text
    script = page.partition('type="module" src="')[2].partition('"')[0]
    # Browsers send Origin with every module script.
    for path in (script, "/sign-in", "/healthz", "/readyz"):
        reply = anonymous.get(path, headers={"Origin": "http://chat.example:8080"})
        assert reply.status_code in (200, 503), path  # 503: no helpers run


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_refusal_names_the_line_that_the_proxy_lacks(page: FlaskClient, language: str) -> None:
    headers = {"Origin": "http://chat.example:8080", "Accept-Language": language}
    reply = page.post("/api/sessions", json={"title": "x"}, headers=headers)
    assert reply.status_code == 403
    message = reply.json["error"]["message"]
    assert all(line in message for line in LINES)
    assert "http://chat.example:8080" in message and "localhost" in message
    assert "CHATAPP_ORIGINS" not in message


def test_a_page_of_another_website_is_not_told_about_proxies(page: FlaskClient) -> None:
    for headers in FOREIGN[1:]:
        reply = page.post("/api/sessions", json={"title": "x"}, headers=headers)
        assert reply.status_code == 403, headers
        assert "proxy" not in reply.json["error"]["message"], headers


def test_a_browser_that_calls_the_page_our_own_is_believed(page: FlaskClient) -> None:
    """Pages cannot set Sec-Fetch-Site, and browsers know the address before any proxy."""
    assert change(page, Origin="https://chat.example", Sec_Fetch_Site="same-origin") == 201


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://chat.example", "chat.example:443"),
        ("https://chat.example", "CHAT.example"),
        ("http://chat.example", "chat.example:80"),
        ("http://chat.example:8080", "chat.example:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_a_proxy_may_write_the_host_with_its_port(
    app: Flask, services: Services, origin: str, host: str
) -> None:
    browser = app.test_client()
    link = {"link": services.accounts.new_link()}
    headers = {"Origin": origin, "Host": host}
    assert browser.post("/api/auth/login", json=link, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://chat.example:8080", "chat.example"),
        ("http://chat.example", "chat.example:8080"),
        ("http://chat.example.evil", "chat.example"),
        ("http://evil.example", ""),
    ],
)
def test_another_port_or_name_is_another_origin(page: FlaskClient, origin: str, host: str) -> None:
    assert change(page, Origin=origin, Host=host) == 403


def test_the_host_that_a_trusted_proxy_forwards_is_ours(page: FlaskClient) -> None:
    """Apache sends it without any setting."""
    sent = {"Origin": "https://chat.example", "X_Forwarded_Host": "chat.example"}
    assert change(page, **sent) == 201
    assert change(page, **sent | {"X_Forwarded_Host": "chat.example, inner.example"}) == 201
    assert change(page, **sent | {"X_Forwarded_Host": "other.example"}) == 403
    page.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    assert change(page, **sent) == 403


def test_the_port_that_a_trusted_proxy_forwards_belongs_to_the_host(page: FlaskClient) -> None:
    """Many guides for nginx pair it with `Host $host`."""
    sent = {"Origin": "http://localhost:8080"}
    assert change(page, **sent) == 403
    assert change(page, **sent, X_Forwarded_Port="8080") == 201
    assert change(page, **sent, X_Forwarded_Port="8081") == 403
    assert change(page, **sent, X_Forwarded_Port="no port") == 403
    page.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    assert change(page, **sent, X_Forwarded_Port="8080") == 403


def test_the_public_address_is_ours_whatever_host_the_proxy_sends(
    page: FlaskClient, app: Flask
) -> None:
    assert change(page, Origin="https://chat.example") == 403
    set_public_url(app, "https://chat.example/chat/")
    assert change(page, Origin="https://other.example") == 403
    token = {"Authorization": f"Bearer {TOKEN}"}
    assert change(page, Origin="https://chat.example", **token) == 201


@pytest.mark.parametrize("kind", ["json", "upload", "text", "empty"])
def test_without_accounts_programs_may_do_everything_and_other_pages_nothing(
    without_accounts: FlaskClient, kind: str
) -> None:
    base = without_accounts.post("/api/knowledge", json={"name": "Handbook"}).json["id"]

    def send(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if kind == "upload":
            return upload(without_accounts, base, ("a.txt", b"Text"), **sent).status_code
        body = {
            "json": {"json": {"title": "x"}},
            "text": {"data": '{"title": "x"}', "content_type": "text/plain"},
            "empty": {},
        }[kind]
        path = f"/api/knowledge/{base}/reindex" if kind == "empty" else "/api/sessions"
        return without_accounts.post(path, headers=sent, **body).status_code

    own = {"json": 201, "upload": 202, "text": 422, "empty": send()}[kind]
    assert own != 403
    assert send() == own
    assert send(Origin="http://localhost") == own
    assert send(Origin="http://localhost", Sec_Fetch_Site="same-origin") == own
    for headers in FOREIGN:
        sent = {name.replace("-", "_"): value for name, value in headers.items()}
        assert send(**sent) == 403, headers


def test_a_form_of_another_page_cannot_upload_with_the_login(page: FlaskClient) -> None:
    base = page.post("/api/knowledge", json={"name": "Handbook"}).json["id"]
    for headers in FOREIGN:
        assert upload(page, base, ("a.txt", b"Text"), **headers).status_code == 403, headers
    assert upload(page, base, ("a.txt", b"Text")).status_code == 202


def test_without_accounts_the_public_host_is_known(
    app: Flask, without_accounts: FlaskClient
) -> None:
    headers = {"Host": "chat.example", "Accept": "text/html", "Accept-Language": "en"}
    refused = without_accounts.get("/", headers=headers)
    assert refused.status_code == 403 and refused.mimetype == "text/html"
    assert "chat.example" in refused.text and "CHATAPP_PUBLIC_URL" in refused.text
    assert without_accounts.get("/api/models", headers=headers).json["error"]["code"]
    set_public_url(app, "https://chat.example")
    assert without_accounts.get("/", headers=headers).status_code == 200


def test_without_accounts_rebinding_is_seen_behind_a_proxy_that_hides_the_host(
    without_accounts: FlaskClient,
) -> None:
    """The attacker's page is of one origin with the service, and may set headers of its own."""
    assert change(without_accounts, X_Forwarded_Host="evil.example") == 403
    evil = {"Origin": "http://evil.example", "Sec_Fetch_Site": "same-origin"}
    assert change(without_accounts, **evil) == 403
    assert change(without_accounts, **evil, X_Forwarded_Host="localhost") == 403
    forged = {"Host": "evil.example", "X_Forwarded_Host": "localhost"}
    assert change(without_accounts, **forged) == 403
