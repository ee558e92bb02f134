"""Endpoints: their models, their checks, local servers; and the cache of models."""

import datetime
import ipaddress
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chatapp.chains.build import pieces
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.models import CACHED_MODELS, PRESETS, Models, context_tokens, preset
from chatapp.chains.presets import likely_addresses, whole_address
from chatapp.chains.upstream_errors import UpstreamAuth, UpstreamProtocol, UpstreamUnreachable
from chatapp.core.prompt import Prompt, Turn
from chatapp.errors import ModelGone
from chatapp.settings import Settings
from tests.support.cannedserver import CannedServer
from tests.support.modelserver import MODELS, ModelServer
from tests.support.supplier import KEY, Outcome, Supplier

PROMPT = Prompt("q", [Turn("user", "q")])


def test_the_list_has_chat_models_only(supplier: Supplier, models: Models) -> None:
    listed = models.list(supplier.endpoint())
    assert listed == sorted(name for name in MODELS if "embedding" not in name)
    assert models.test(supplier.endpoint()).models == tuple(listed)


def test_a_wrong_key_is_reported(model_server: ModelServer, models: Models) -> None:
    error = models.test(Endpoint("x", "X", model_server.base_url, "bad-key")).error
    assert isinstance(error, UpstreamAuth) and error.params == {"supplier": "X"}


def test_a_preset_that_needs_a_key_is_not_asked_without_one(
    model_server: ModelServer, models: Models
) -> None:
    before = len(model_server.requests)
    error = models.test(Endpoint("x", "X", model_server.base_url, "", "deepseek")).error
    assert error is not None and error.key == "error.upstream_auth.missing"
    assert len(model_server.requests) == before


def test_a_wrong_address_is_reported(model_server: ModelServer, models: Models) -> None:
    wrong = models.test(Endpoint("x", "X", f"{model_server.base_url}/v2", KEY))
    assert isinstance(wrong.error, UpstreamProtocol) and not wrong.models
    away = models.test(Endpoint("x", "X", "http://127.0.0.1:1/v1", KEY))
    assert isinstance(away.error, UpstreamUnreachable)


PAGE = "<!doctype html><title>One API</title>"
LIST = {"object": "list", "data": [{"id": "m"}]}


@pytest.mark.parametrize("typed", ["", "/api", "/token", "/dashboard"])
@pytest.mark.parametrize(
    "elsewhere",
    [
        (404, {"detail": "Not Found"}),
        (200, PAGE),
        (307, ""),
        (200, {"error": "Unexpected endpoint or method. Returning 200 anyway"}),
        (200, {"status": "fine"}),
        (200, "pong"),
    ],
)
def test_v1_is_tried_where_the_address_has_no_api(
    models: Models, typed: str, elsewhere: tuple[int, object]
) -> None:
    canned = {f"{method} {typed}/{call}": elsewhere
              for method, call in (("GET", "models"), ("POST", "chat/completions"))}  # fmt: skip
    with CannedServer({"GET /v1/models": (200, LIST), **canned}, KEY) as server:
        tested = models.test(Endpoint("x", "X", server.url + typed, KEY))
        assert (tested.base_url, tested.models) == (f"{server.url}/v1", ("m",))
        wrong = models.test(Endpoint("x", "X", server.url + typed, "sk-other"))
    assert isinstance(wrong.error, UpstreamAuth)


def test_an_error_behind_another_address_is_the_one_that_is_told(models: Models) -> None:
    canned: dict[str, tuple[int, object]] = {
        "GET /models": (200, PAGE),
        "GET /v1/models": (402, {"error": {"message": "Insufficient Balance"}}),
    }
    with CannedServer(canned) as server:
        tested = models.test(Endpoint("x", "X", server.url, KEY))
    assert tested.base_url == f"{server.url}/v1"
    assert tested.error is not None and tested.error.code == "upstream_quota"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (["b", "a"], ("a", "b")),
        ({"models": ["a"]}, ("a",)),
        ({"data": ["a", "a", " "]}, ("a",)),
        ({"data": {"models": [{"id": "a"}]}}, ("a",)),
        ({"code": 0, "data": {"list": ["a"]}, "message": "ok"}, ("a",)),
        ({"models": [{"name": "a:latest", "model": "a:latest", "size": 1}]}, ("a:latest",)),
        ({"models": {"a": {"context": 1}, "b": {}}}, ("a", "b")),
        ([{"id": "azureml://registries/x/models/a", "name": "a"}], ("a",)),
        ([{"model_name": "a"}], ("a",)),
        ({"object": "list", "data": [{"id": "a"}, {"id": "bge-m3"}]}, ("a",)),
    ],
)
def test_a_list_of_models_is_read_in_any_form(
    models: Models, body: object, names: tuple[str, ...]
) -> None:
    with CannedServer({"GET /v1/models": (200, body)}) as server:
        endpoint = Endpoint("x", "X", f"{server.url}/v1", KEY)
        tested = models.test(endpoint)
        assert (tested.models, tested.error, tested.note) == (names, None, "")
        assert tuple(models.list(endpoint)) == names


@pytest.mark.parametrize(
    ("status", "body", "note"),
    [
        (200, {"object": "list", "data": []}, "no_models"),
        (200, {"object": "list", "data": None}, "no_models"),
        (200, [], "no_models"),
        (200, {"data": [{"id": "text-embedding-3"}]}, "no_chat"),
        (404, {"detail": "Not Found"}, "no_list"),
        (200, {"hello": "world"}, "no_list"),
    ],
)
def test_why_there_are_no_models_is_told(
    models: Models, status: int, body: object, note: str
) -> None:
    refused = {"error": {"message": "model is required"}}
    canned: dict[str, tuple[int, object]] = {
        "GET /v1/models": (status, body),
        "POST /v1/chat/completions": (400, refused),
    }
    with CannedServer(canned) as server:
        tested = models.test(Endpoint("x", "X", f"{server.url}/v1", KEY))
    assert (tested.models, tested.error, tested.note) == ((), None, note)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"base_resp": {"status_code": 2049, "status_msg": "invalid api key"}}, "upstream_auth"),
        ({"error": {"code": "invalid_api_key"}}, "upstream_auth"),
        ({"success": False, "message": "无效的令牌", "data": None}, "upstream_auth"),
        ({"code": 401, "msg": "token is expired or invalid token", "data": []}, "upstream_auth"),
    ],
)
def test_an_error_in_place_of_a_list_is_an_error(models: Models, body: object, key: str) -> None:
    with CannedServer({"GET /v1/models": (200, body)}) as server:
        error = models.test(Endpoint("x", "X", f"{server.url}/v1", KEY)).error
    assert error is not None and error.key == f"error.{key}"
    assert error.upstream is not None and error.upstream.status == 200


def test_a_provider_is_tested_as_far_as_that_is_possible(models: Models) -> None:
    here = Endpoint("x", "X", "http://127.0.0.1:1", KEY, None, {"provider": "ollama"})
    assert models.test(here).note == "provider"
    with pytest.raises(ModelGone) as caught:
        models.test(replace(here, options={"provider": "anthropic"}))
    assert caught.value.key == "error.model_gone.package"


def test_where_an_api_may_be_beside_an_address() -> None:
    assert whole_address("https://openrouter.ai") == "https://openrouter.ai/api/v1"
    for address in ("https://openrouter.ai/x", "http://openrouter.ai:80", "https://other.ai", ""):
        assert whole_address(address) == address
    assert likely_addresses("http://127.0.0.1:8080/v1") == []
    assert likely_addresses("http://api.example.com/v1") == ["https://api.example.com/v1"]
    for address in ("http://h:1/x", "https://api.example.com"):
        assert all(address.split("/")[2] in other for other in likely_addresses(address))


def test_local_servers_are_found_beside_a_silent_one(
    model_server: ModelServer, models: Models
) -> None:
    ollama, lmstudio, llamacpp = (known for known in PRESETS if known.port)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        places = [
            replace(ollama, base_url=model_server.base_url),
            replace(lmstudio, base_url="http://127.0.0.1:1/v1"),
            replace(llamacpp, base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1"),
        ]
        found = models.find_local(places)
    assert [server.preset for server in found] == ["ollama"]
    assert "echo" in found[0].models and not any("embedding" in name for name in found[0].models)


def test_the_presets() -> None:
    assert [known.name for known in PRESETS] == [
        "openai",
        "deepseek",
        "qwen",
        "kimi",
        "glm",
        "siliconflow",
        "openrouter",
        "oneapi",
        "ollama",
        "lmstudio",
        "vllm",
        "llamacpp",
    ]
    assert all(known.base_url.startswith("https://") or known.local for known in PRESETS)
    assert all(known.models for known in PRESETS if not known.local)
    assert preset("nobody") is None


@pytest.mark.parametrize(
    ("name", "model", "tokens"),
    [
        ("ollama", "qwen3:8b", 4096),
        ("llamacpp", "qwen3", 8192),
        ("openai", "gpt-4o-mini", 128_000),
        ("openai", "gpt-4", 8192),
        ("deepseek", "deepseek-v4-flash", 1_000_000),
        ("kimi", "moonshot-v1-8k", 8192),
        (None, "nobody-knows", 8192),
        ("oneapi", "glm-4.6", 200_000),
    ],
)
def test_the_context_size_of_a_model(name: str | None, model: str, tokens: int) -> None:
    assert context_tokens(name, model, 8192) == tokens


def test_models_are_cached_without_keys_and_within_bounds(models: Models) -> None:
    endpoint = Endpoint("x", "X", "http://127.0.0.1:1/v1", KEY)
    assert not models.is_cached(endpoint, Parameters("a"))
    models.model(endpoint, Parameters("a"))
    models.model(replace(endpoint, api_key="other"), Parameters("a"))
    assert models.is_cached(endpoint, Parameters("a")) and len(models._cached) == 1
    for n in range(100):
        models.model(endpoint, Parameters("a", temperature=n / 100))
    assert len(models._cached) == CACHED_MODELS == 64
    for chat in models._cached.values():
        assert chat.completions is None and KEY not in repr(vars(chat))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def secure(certificate: tuple[str, str]) -> Iterator[ModelServer]:
    with ModelServer(certificate=certificate) as server:
        yield server


def test_tls_trusts_the_ca_file_of_the_setting(
    secure: ModelServer, certificate: tuple[str, str]
) -> None:
    without = Models(Settings())
    with pytest.raises(UpstreamUnreachable) as caught:
        without.list(Endpoint("x", "X", secure.base_url, KEY))
    assert caught.value.key == "error.upstream_unreachable.certificate"
    trusting = Models(Settings(ca_file=certificate[0]))
    outcome = Outcome(
        pieces(
            trusting.model(
                Endpoint("x", "X", secure.base_url, KEY), Parameters("echo")
            ).stream_text(PROMPT)
        )
    )
    assert outcome.text == "q"
    stream = trusting.model(
        Endpoint("x", "X", secure.base_url, KEY), Parameters("typewriter-1000-50")
    ).stream_text(PROMPT)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert secure.wait_for(lambda: secure.asked()[-1].closed_by_client)
    trusting.close()


def test_a_proxy_is_used_by_setting_only(
    model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    proxy = model_server.base_url.removesuffix("/v1").replace("http://", "http://user:pass@")
    models = Models(Settings(proxy=proxy))
    assert models.list(Endpoint("x", "X", model_server.base_url, KEY))
    with pytest.raises(UpstreamProtocol):  # what is here is no proxy; but it was asked as one
        models.list(Endpoint("x", "X", "http://models.example.org/v1", KEY))
    asked = model_server.requests[-1]
    assert asked.path == "http://models.example.org/v1/models"
    assert asked.headers["host"] == "models.example.org"
    assert asked.headers["proxy-authorization"].startswith("Basic ")
    models.close()


def test_tls_goes_through_a_proxy_in_a_tunnel(
    secure: ModelServer, certificate: tuple[str, str]
) -> None:
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        asked.append(client.recv(4096))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with client, socket.create_connection(("127.0.0.1", secure.port)) as server:
            while ready := select.select([client, server], [], [], 5)[0]:
                for end in ready:
                    if not (data := end.recv(65536)):
                        return
                    (server if end is client else client).sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        models = Models(Settings(ca_file=certificate[0]))
        options = {"proxy": f"http://user:pass@127.0.0.1:{listener.getsockname()[1]}"}
        outcome = Outcome(
            pieces(
                models.model(
                    Endpoint("x", "X", secure.base_url, KEY, None, options), Parameters("echo")
                ).stream_text(PROMPT)
            )
        )
        models.close()
        thread.join(5)
    assert outcome.text == "q"
    assert asked[0].startswith(f"CONNECT 127.0.0.1:{secure.port} HTTP/1".encode())
    assert b"Basic " in asked[0] and KEY.encode() not in asked[0]


def test_openai_and_langsmith_are_not_loaded_before_they_are_needed() -> None:
    import subprocess
    import sys

    code = (
        "import sys, chatapp.web.services, chatapp.chains.models as m; "
        "from chatapp.settings import Settings; m.Models(Settings())"
    )
    root = Path(__file__).parent.parent.parent
    check = f"{code}; assert not {{'openai', 'langchain_openai', 'langsmith'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=root)
