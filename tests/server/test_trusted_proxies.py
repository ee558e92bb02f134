"""Forwarded headers with real gunicorn: of trusted proxies only, for cookies, throttle and logs."""

import http.client
import json
import re
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatapp.identity.throttle import ADDRESS
from tests.support.service import Reply, Service, wait_for

pytestmark = pytest.mark.server
PASSWORD = "a password of the tests"
CLIENT = "203.0.113.9"
ACCESS_LOG = ("--access-logfile", "-", "--access-logformat", "access by %(h)s: %(s)s")


def sign_in(
    service: Service, password: str = PASSWORD, name: str = "admin", **headers: str
) -> tuple[int, str]:
    """Return the status and the cookie."""
    sent = {f"X_Forwarded_{name.capitalize()}": value for name, value in headers.items()}
    reply = service.request(
        "POST", "/api/auth/login", {"name": name, "password": password}, None, **sent
    )
    return reply.status, reply.headers.get("Set-Cookie", "")


def test_headers_of_a_trusted_proxy_count(tmp_path: Path) -> None:
    with Service(tmp_path, arguments=ACCESS_LOG, CHATAPP_ADMIN_PASSWORD=PASSWORD) as service:
        status, cookie = sign_in(service, **{"for": CLIENT, "proto": "https"})
        assert status == 200 and cookie.startswith("__Host-") and "; Secure" in cookie
        for number in range(ADDRESS.free):
            sign_in(service, "a wrong one", f"name {number}", **{"for": CLIENT})
        assert sign_in(service, **{"for": CLIENT})[0] == 429
        assert sign_in(service, **{"for": "203.0.113.10"})[0] == 200
        wait_for(lambda: f"access by {CLIENT}: 401" in service.output(), what="the access log")
        assert re.search(f"failed to sign in from {CLIENT}: error.unauth", service.output())


def test_headers_of_everyone_else_are_ignored(tmp_path: Path) -> None:
    with Service(
        tmp_path,
        arguments=ACCESS_LOG,
        CHATAPP_ADMIN_PASSWORD=PASSWORD,
        CHATAPP_TRUSTED_PROXIES="192.0.2.0/24",
    ) as service:
        status, cookie = sign_in(service, **{"for": CLIENT, "proto": "https"})
        assert status == 200 and cookie.startswith("chatapp_session") and "Secure" not in cookie
        for number in range(ADDRESS.free):
            sign_in(service, "a wrong one", f"name {number}", **{"for": f"203.0.113.{number}"})
        assert sign_in(service, **{"for": "203.0.113.77"})[0] == 429
        wait_for(lambda: "access by 127.0.0.1: 401" in service.output(), what="the access log")
        assert "203.0.113" not in service.output()
        assert "add it to CHATAPP_TRUSTED_PROXIES" in service.output()


def test_contradicting_headers_do_not_refuse_the_request(service: Service) -> None:
    with service.connection() as connection:
        connection.putrequest("GET", "/healthz")
        for name, value in [("Proto", "https"), ("Proto", "http"), ("Ssl", "off")]:
            connection.putheader(f"X-Forwarded-{name}", value)
        connection.putheader("Script_Name", "/elsewhere")
        connection.endheaders()
        assert connection.getresponse().status == 200


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("chat.example")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, address: str, body: Any = None, **headers: str) -> Reply:
    with closing(UnixConnection(path)) as connection:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, address, json.dumps(body).encode(), sent)
        response = connection.getresponse()
        return Reply(response.status, dict(reversed(response.getheaders())), response.read())


def test_the_proxy_at_a_unix_socket_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    service = Service(tmp_path, arguments=("-b", f"unix:{path}"), CHATAPP_ADMIN_PASSWORD=PASSWORD)
    service._is_ready = path.exists  # type: ignore[method-assign]
    with service:
        headers = {"Content_Type": "application/json", "X_Forwarded_Proto": "https"}
        reply = ask(path, "POST", "/api/auth/login", {"password": PASSWORD}, **headers)
        assert reply.status == 200
        assert reply.headers["Set-Cookie"].startswith("__Host-chatapp_session=")
