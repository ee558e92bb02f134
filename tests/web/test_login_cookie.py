"""The login's cookie: services on one machine, or below paths of one host, keep apart."""

from dataclasses import replace

import pytest
from flask import Flask

from chatapp.addresses import parse_public_url
from chatapp.web.services import Services


@pytest.mark.parametrize(
    ("base", "headers", "public", "name"),
    [
        ("http://localhost:8000", {}, "", "chatapp_session_8000="),
        ("http://localhost:8001", {}, "", "chatapp_session_8001="),
        ("http://localhost", {}, "", "chatapp_session="),
        ("http://chat.example", {"X-Forwarded-Proto": "https"}, "", "__Host-chatapp_session="),
        (
            "http://chat.example:8443",
            {"X-Forwarded-Proto": "https"},
            "",
            "__Host-chatapp_session_8443=",
        ),
        ("http://localhost:8000", {}, "https://chat.example:8443", "__Host-chatapp_session_8443="),
        ("http://localhost:8000", {}, "http://chat.example", "chatapp_session="),
    ],
)
def test_the_login_cookie_is_named_by_the_public_port(
    app: Flask, services: Services, base: str, headers: dict, public: str, name: str
) -> None:
    link = services.accounts.new_link()
    if public:
        settings = replace(services.settings, public_url=parse_public_url(public))
        app.extensions["chatapp"] = replace(services, settings=settings)
    browser = app.test_client(use_cookies=False)
    reply = browser.post("/api/auth/login", json={"link": link}, headers=headers, base_url=base)
    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith(name) and "; Path=/;" in cookie and "HttpOnly" in cookie
    assert ("; Secure" in cookie) == name.startswith("__Host-")
    secret = cookie.partition("=")[2].partition(";")[0]
    sent = {**headers, "Cookie": f"{name}{secret}"}
    assert browser.get("/api/auth/me", headers=sent, base_url=base).status_code == 200
    # A service on another port, or an earlier version, has another name.
    sent = {**headers, "Cookie": f"chatapp_session_9999={secret}; chatapp={secret}"}
    assert browser.get("/api/auth/me", headers=sent, base_url=base).status_code == 401


def test_signing_out_removes_the_cookie(app: Flask, services: Services) -> None:
    browser = app.test_client(use_cookies=False)
    https = {"base_url": "http://chat.example", "headers": {"X-Forwarded-Proto": "https"}}
    link = {"link": services.accounts.new_link()}
    cookie = browser.post("/api/auth/login", json=link, **https).headers["Set-Cookie"]
    https["headers"]["Cookie"] = cookie.partition(";")[0]
    assert browser.get("/api/auth/me", **https).status_code == 200
    gone = browser.post("/api/auth/logout", **https).headers["Set-Cookie"]
    assert gone.startswith("__Host-chatapp_session=;") and "Max-Age=0" in gone
    assert "; Secure" in gone and "; Path=/;" in gone
    assert browser.get("/api/auth/me", **https).status_code == 401
