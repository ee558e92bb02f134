"""Forwarded headers: who sent a request, and whether by HTTPS."""

import logging

import pytest
from flask import Flask, request

from chatapp.addresses import LOOPBACK, parse_networks
from chatapp.settings import Settings
from chatapp.web.proxies import Proxies

PROXY, SECOND, CLIENT = "10.0.0.1", "10.0.0.2", "203.0.113.9"


def seen(peer: str, trusted: str = "10.0.0.0/8", **headers: str) -> tuple[str | None, str]:
    """Return the address and scheme that an app behind proxies sees."""
    app = Flask("behind proxies")
    app.wsgi_app = Proxies(  # type: ignore[method-assign]
        app, Settings(trusted_proxies=parse_networks(trusted) if trusted else LOOPBACK)
    )
    app.add_url_rule("/", view_func=lambda: [request.remote_addr, request.scheme])
    sent = {f"X-Forwarded-{name.capitalize()}": value for name, value in headers.items()}
    client = app.test_client()
    address, scheme = client.get("/", headers=sent, environ_base={"REMOTE_ADDR": peer}).json
    return address, scheme


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}, {SECOND}", CLIENT),
        (f"198.51.100.1, {CLIENT}, {SECOND}", CLIENT),  # the client wrote the first one itself
        (f"{SECOND}, {PROXY}", SECOND),  # a client inside the trusted network
        (f"{CLIENT}:52001", CLIENT),
        (f"[2001:db8::1]:443, {SECOND}:80", "2001:db8::1"),
        (f"{CLIENT}, unknown, {SECOND}", SECOND),  # as far as addresses are known
        (f"{CLIENT}, " + f"{SECOND}, " * 1000, SECOND),  # not the first of a thousand
        ("unknown", PROXY),
        ("", PROXY),
    ],
)
def test_the_client_is_the_first_address_from_the_right_that_is_no_proxy(
    chain: str, client: str
) -> None:
    assert seen(PROXY, **{"for": chain}) == (client, "http")


def test_a_client_that_is_no_proxy_cannot_name_another_address_or_scheme(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.getLogger("chatapp").addHandler(caplog.handler)
    try:
        assert seen(CLIENT, **{"for": "198.51.100.1", "proto": "https"}) == (CLIENT, "http")
    finally:
        logging.getLogger("chatapp").removeHandler(caplog.handler)
    assert CLIENT in caplog.text and "CHATAPP_TRUSTED_PROXIES" in caplog.text


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_is_trusted_by_default_and_so_is_a_unix_socket(peer: str) -> None:
    assert seen(peer, "", **{"for": CLIENT, "proto": "https"}) == (CLIENT, "https")


@pytest.mark.parametrize(
    ("chain", "schemes", "scheme"),
    [
        (CLIENT, "https", "https"),
        (CLIENT, "HTTPS", "https"),
        ("", "https", "https"),
        (f"{CLIENT}, {SECOND}", "https, http", "https"),  # each proxy added its own
        (f"{CLIENT}, {SECOND}", "https", "https"),  # the inner one passed it on
        (CLIENT, "https, http", "http"),  # the client wrote the first one itself
        (CLIENT, "javascript", "http"),
    ],
)
def test_the_scheme_is_that_between_client_and_first_proxy(
    chain: str, schemes: str, scheme: str
) -> None:
    assert seen(PROXY, **{"for": chain, "proto": schemes})[1] == scheme
