"""The Host header, and name resolution."""

from urllib.parse import urlsplit

import pytest

from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.http.connection import host_of
from chatapp.chains.models import Models
from chatapp.core.prompt import Ask, build_prompt
from chatapp.settings import Settings
from tests.support.modelserver import ModelServer


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.example.org/v1", "api.example.org"),
        ("http://127.0.0.1:8000/v1", "127.0.0.1:8000"),
        ("http://[::1]:8000/v1", "[::1]:8000"),
        ("http://name:secret@api.example.org/v1", "api.example.org"),
        ("https://b\xfccher.example/v1", "xn--bcher-kva.example"),
    ],
)
def test_the_host_header_has_no_credentials(url: str, host: str) -> None:
    assert host_of(urlsplit(url)) == host


def asked_host(server: ModelServer, base_url: str, **headers: str) -> str:
    endpoint = Endpoint("x", "X", base_url, "sk-x", None, {"headers": headers})
    models = Models(Settings())
    try:
        list(models.model(endpoint, Parameters("echo")).stream_text(build_prompt(Ask("q"), None)))
    finally:
        models.close()
    return str(server.asked()[-1].headers["host"])


def test_a_name_and_an_ip_address_both_work(model_server: ModelServer) -> None:
    port = urlsplit(model_server.base_url).port
    for host in ("127.0.0.1", "localhost"):
        assert asked_host(model_server, f"http://{host}:{port}/v1") == f"{host}:{port}"


def test_a_configured_host_header_is_sent(model_server: ModelServer) -> None:
    assert asked_host(model_server, model_server.base_url, host="other.example") == "other.example"
