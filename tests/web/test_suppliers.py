"""/api/suppliers: options and their secrets, tests, and lists of models."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from chatapp.i18n import say
from chatapp.settings import Settings
from chatapp.web.services import Services
from chatapp.web.supplier_body import SupplierOptions
from tests.support.cannedserver import CannedServer
from tests.support.modelserver import ModelServer

CANARY = "canary-0123456789"


@pytest.fixture(autouse=True)
def no_connections_left(services: Services) -> Iterator[None]:
    yield
    services.suppliers.models.close()


def create(client: FlaskClient, base_url: str, **options: Any) -> dict[str, Any]:
    body = {"base_url": base_url, "models": ["echo"], "api_key": "sk-1", "options": options}
    reply = client.post("/api/suppliers", json=body)
    assert reply.status_code == 201, reply.data
    row: dict[str, Any] = reply.json
    return row


def update(client: FlaskClient, row: dict[str, Any], **fields: Any) -> Any:
    return client.patch(f"/api/suppliers/{row['id']}", json=fields)


def ask(client: FlaskClient, row: dict[str, Any]) -> Any:
    body = {"question": "q", "llm_config": {"supplier": row["name"], "model": "echo"}}
    reply = client.post("/chat", json=body)
    assert reply.status_code == 200, reply.data
    return reply


def test_options_take_effect_on_requests(client: FlaskClient, model_server: ModelServer) -> None:
    row = create(client, model_server.base_url, headers={"X-Team": CANARY}, body={"seed": 7})
    ask(client, row)
    request = model_server.requests[-1]
    assert request.headers["x-team"] == CANARY and request.body["seed"] == 7


def test_options_are_merged_and_null_removes_one(client: FlaskClient) -> None:
    row = create(client, "http://127.0.0.1:9/v1", idle_seconds=5, stream_usage=False)
    changed = update(client, row, options={"idle_seconds": None, "connect_seconds": 2.5}).json
    assert changed["options"] == {"stream_usage": False, "connect_seconds": 2.5}
    assert update(client, row, enabled=False).json["options"] == changed["options"]


def test_header_values_and_proxy_credentials_are_never_shown_nor_stored_in_plain_text(
    client: FlaskClient, settings: Settings
) -> None:
    proxy = f"http://user:{CANARY}@127.0.0.1:3128"
    row = create(client, "http://127.0.0.1:9/v1", headers={"X-Key": CANARY}, proxy=proxy)
    assert row["options"] == {"headers": {"X-Key": "***"}, "proxy": "http://***@127.0.0.1:3128"}
    assert CANARY not in client.get("/api/suppliers").text
    stored = b"".join(path.read_bytes() for path in settings.home.glob("chatapp.db*"))
    assert CANARY.encode() not in stored and row["id"].encode() in stored


def test_a_masked_value_keeps_the_stored_one(
    client: FlaskClient, services: Services, model_server: ModelServer
) -> None:
    proxy = f"http://user:{CANARY}@127.0.0.1:3128"
    row = create(client, model_server.base_url, headers={"X-Key": CANARY, "X-Old": "1"})
    row = update(client, row, options={"proxy": proxy}).json
    shown = row["options"] | {"headers": {"X-Key": "***", "X-New": "2"}}
    assert update(client, row, options=shown).status_code == 200
    options = services.suppliers.endpoint(row["id"]).options
    assert options == {"headers": {"X-Key": CANARY, "X-New": "2"}, "proxy": proxy}


SECRET_OPTIONS = {
    "headers": {"X-Key": CANARY},
    "proxy": f"http://user:{CANARY}@127.0.0.1:3128",
    "body": {"seed": 7, "prompt_cache_key": CANARY, "user": {"id": "u", "token": CANARY}},
    "provider_options": {
        "num_ctx": 4096,
        "aws_secret_access_key": CANARY,
        "client_kwargs": {"headers": {"X-Any": CANARY}, "proxy": f"http://u:{CANARY}@h:1"},
        "keys": [{"api_key": CANARY}],
    },
}


def test_secrets_in_any_option_are_masked_and_sent_back_unchanged(
    client: FlaskClient, services: Services
) -> None:
    row = create(client, "http://127.0.0.1:9/v1", **SECRET_OPTIONS)
    shown = row["options"]
    assert CANARY not in json.dumps(shown)
    assert shown["body"] == {
        "seed": 7,
        "prompt_cache_key": "***",
        "user": {"id": "u", "token": "***"},
    }
    assert update(client, row, options=shown).json["options"] == shown
    assert services.suppliers.endpoint(row["id"]).options == SECRET_OPTIONS
    changed = shown["provider_options"] | {"num_ctx": 8192}
    assert update(client, row, options={"provider_options": changed}).status_code == 200
    options = services.suppliers.endpoint(row["id"]).options
    assert options["provider_options"] == SECRET_OPTIONS["provider_options"] | {"num_ctx": 8192}
    assert options["body"] == SECRET_OPTIONS["body"]


def test_no_secret_goes_to_a_new_address(client: FlaskClient, services: Services) -> None:
    row = create(client, "http://127.0.0.1:9/v1", **SECRET_OPTIONS)
    assert update(client, row, base_url="http://127.0.0.1:10/v1").status_code == 200
    options = dict(services.suppliers.endpoint(row["id"]).options)
    assert options.pop("proxy") == SECRET_OPTIONS["proxy"], "its credentials go to the proxy only"
    assert options == {
        "body": {"seed": 7, "user": {"id": "u"}},
        "provider_options": {"num_ctx": 4096},
    }


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"proxy": "http://***@127.0.0.1:1"}, "options.proxy"),
        ({"body": {"other": {"token": "***"}}}, "options.body"),
        ({"provider_options": {"keys": [1, {"api_key": "***"}]}}, "options.provider_options"),
    ],
)
def test_a_mask_that_stands_for_nothing_is_refused(
    client: FlaskClient, options: dict[str, Any], field: str
) -> None:
    row = create(client, "http://127.0.0.1:9/v1", **SECRET_OPTIONS)
    reply = update(client, row, options=options)
    assert reply.status_code == 422 and field in reply.json["error"]["fields"]


def test_a_masked_value_without_a_stored_one_is_refused(client: FlaskClient) -> None:
    row = create(client, "http://127.0.0.1:9/v1", headers={"X-Key": CANARY})
    for fields in (
        {"options": {"headers": {"X-Other": "***"}}},
        {"base_url": "http://127.0.0.1:10/v1", "options": {"headers": {"X-Key": "***"}}},
    ):
        reply = update(client, row, **fields)
        assert reply.status_code == 422 and "options.headers" in reply.json["error"]["fields"]
    assert client.get("/api/suppliers").json["items"][0]["base_url"] == row["base_url"]


def test_headers_never_go_to_a_new_address(client: FlaskClient, services: Services) -> None:
    row = create(client, "http://127.0.0.1:9/v1", headers={"X-Key": CANARY}, idle_seconds=5)
    moved = update(client, row, base_url="http://127.0.0.1:10/v1").json
    assert (moved["options"], moved["has_key"]) == ({"idle_seconds": 5}, False)
    assert CANARY not in json.dumps(dict(services.suppliers.endpoint(row["id"]).options))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_an_unknown_option_is_refused_with_the_known_ones(
    client: FlaskClient, language: str
) -> None:
    body = {"base_url": "http://127.0.0.1:9/v1", "options": {"timeout": 5}}
    reply = client.post("/api/suppliers", json=body, headers={"Accept-Language": language})
    assert reply.status_code == 422
    error = reply.json["error"]
    assert all(name in error["fields"]["options"] for name in SupplierOptions.model_fields)
    assert "timeout" not in error["message"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"idle_seconds": 0}, "options.idle_seconds"),
        ({"idle_seconds": "soon"}, "options.idle_seconds"),
        ({"proxy": "socks5://127.0.0.1:3128"}, "options.proxy"),
        ({"headers": {"X-Key": "a\r\nX-Other: b"}}, "options.headers"),
        ({"headers": {"X Key": "a"}}, "options.headers"),
        ({"headers": ["X-Key"]}, "options.headers"),
        ({"body": []}, "options.body"),
        ({"body": {"n": 2**64}}, "options.body"),
        ({"body": {"n": float("nan")}}, "options.body"),
        ({"body": {"text": "x" * 70_000}}, "options.body"),
        ({"body": json.loads('{"a":' * 40 + "1" + "}" * 40)}, "options.body"),
        ({"provider_options": {"base_url": "http://127.0.0.1:1"}}, "options.provider_options"),
        ({"proxy": "http://[::1"}, "options.proxy"),
        ({"stream_usage": "perhaps"}, "options.stream_usage"),
        ({"provider": "no/provider"}, "options.provider"),
    ],
)
def test_an_invalid_option_is_named(
    client: FlaskClient, options: dict[str, Any], field: str
) -> None:
    body = {"base_url": "http://127.0.0.1:9/v1", "options": options}
    reply = client.post("/api/suppliers", json=body)
    assert reply.status_code == 422 and list(reply.json["error"]["fields"]) == [field]


def test_the_list_of_models_is_fetched_from_the_supplier(
    client: FlaskClient, model_server: ModelServer
) -> None:
    row = create(client, model_server.base_url)
    before = len(model_server.requests)
    reply = client.get(f"/api/suppliers/{row['id']}/models").json
    assert {"echo", "cited"} <= set(reply["items"]) and reply["next"] is None
    assert [request.path for request in model_server.requests[before:]] == ["/v1/models"]


def test_a_list_of_models_that_cannot_be_fetched_is_an_error(client: FlaskClient) -> None:
    row = create(client, "http://127.0.0.1:9/v1")
    reply = client.get(f"/api/suppliers/{row['id']}/models")
    assert (reply.status_code, reply.json["error"]["code"]) == (502, "upstream_unreachable")
    tested = client.post(f"/api/suppliers/{row['id']}/test")
    assert tested.status_code == 200 and tested.json["ok"] is False
    assert client.get("/api/suppliers/none/models").status_code == 404


def test_an_address_that_is_none_is_refused(client: FlaskClient) -> None:
    for path in ("/api/suppliers", "/api/suppliers/test"):
        for address in ("http://[::1", "http://a b/", "http://127.0.0.1:99999", "http://"):
            reply = client.post(path, json={"base_url": address})
            assert reply.status_code == 422, address
            assert list(reply.json["error"]["fields"]) == ["base_url"]


@pytest.mark.parametrize("options", [{}, {"provider": "ollama"}])
@pytest.mark.parametrize("ca_file", ["/none.pem", __file__, "/"])
def test_a_ca_file_that_cannot_be_read_is_an_error_of_the_certificate(
    client: FlaskClient, options: dict[str, Any], ca_file: str
) -> None:
    row = create(client, "https://127.0.0.1:9/v1", ca_file=ca_file, **options)
    body = {"question": "q", "llm_config": {"supplier": row["name"], "model": "echo"}}
    reply = client.post("/chat", json=body)
    assert reply.status_code == 502
    assert reply.json["error"]["code"] == "upstream_unreachable"
    assert "CHATAPP_CA_FILE" in reply.json["error"]["message"]


def test_the_framing_of_a_request_is_ours(client: FlaskClient, model_server: ModelServer) -> None:
    framing = {"content-length": "3", "Transfer-Encoding": "chunked", "accept-encoding": "gzip"}
    ask(client, create(client, model_server.base_url, headers=framing))
    headers = model_server.requests[-1].headers
    assert "transfer-encoding" not in headers and headers["accept-encoding"] == "identity"
    assert headers["content-length"] != "3"


def test_a_provider_s_models_are_the_saved_ones(client: FlaskClient) -> None:
    row = create(client, "http://127.0.0.1:9", provider="ollama")
    assert client.get(f"/api/suppliers/{row['id']}/models").json["items"] == ["echo"]


def test_options_that_are_being_entered_are_tested(
    client: FlaskClient, model_server: ModelServer
) -> None:
    row = create(client, model_server.base_url, headers={"X-Key": CANARY})
    body = {"supplier_id": row["id"], "options": {"headers": {"X-Key": "***", "X-New": "2"}}}
    assert client.post("/api/suppliers/test", json=body).json["ok"] is True
    headers = model_server.requests[-1].headers
    assert (headers["x-key"], headers["x-new"]) == (CANARY, "2")
    elsewhere = {**body, "base_url": "http://127.0.0.1:9/v1"}
    assert client.post("/api/suppliers/test", json=elsewhere).status_code == 422


def test_what_is_pasted_is_understood_and_shown_as_understood(
    client: FlaskClient, services: Services
) -> None:
    body = {
        "base_url": " http：//127.0.0.1:9/v1/chat/completions\n",
        "api_key": f'export OPENAI_API_KEY="{CANARY}"',
        "options": {"proxy": "“127.0.0.1:3128/”"},
    }
    reply = client.post("/api/suppliers", json=body)
    assert reply.status_code == 201
    row = reply.json
    assert row["base_url"] == "http://127.0.0.1:9/v1"
    assert row["options"] == {"proxy": "http://127.0.0.1:3128"}
    endpoint = services.suppliers.endpoint(row["id"])
    assert (endpoint.base_url, endpoint.api_key) == ("http://127.0.0.1:9/v1", CANARY)
    changed = update(client, row, base_url="127.0.0.1:9/v1/models").json
    assert (changed["base_url"], changed["has_key"]) == (row["base_url"], True), "it has not moved"
    keyed = update(client, row, api_key=f"Bearer {CANARY}2").json
    assert keyed["has_key"] and services.suppliers.endpoint(row["id"]).api_key == f"{CANARY}2"


def test_a_key_of_one_question_is_understood(
    client: FlaskClient, model_server: ModelServer
) -> None:
    row = create(client, model_server.base_url)
    config = {"supplier": row["name"], "model": "echo", "api_key": f"Bearer '{CANARY}'"}
    assert client.post("/chat", json={"question": "q", "llm_config": config}).status_code == 200
    assert model_server.requests[-1].headers["authorization"] == f"Bearer {CANARY}"


def test_a_test_returns_the_address_to_save(client: FlaskClient, model_server: ModelServer) -> None:
    host = model_server.base_url.removesuffix("/v1")
    for typed in (host, f"{host}/", f"{model_server.base_url}/chat/completions"):
        tested = client.post("/api/suppliers/test", json={"base_url": typed, "api_key": "k"}).json
        assert tested["ok"] and tested["base_url"] == model_server.base_url, typed
    away = client.post("/api/suppliers/test", json={"base_url": "127.0.0.1:9"}).json
    assert not away["ok"] and away["base_url"] == "http://127.0.0.1:9"


def test_a_saved_address_that_is_not_the_api_s_fails_with_the_right_one(
    client: FlaskClient, model_server: ModelServer
) -> None:
    row = create(client, model_server.base_url.removesuffix("/v1"))
    tested = client.post(f"/api/suppliers/{row['id']}/test").json
    assert tested["ok"] is False and tested["error"]["code"] == "upstream_protocol"
    assert model_server.base_url in tested["error"]["message"]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_why_no_models_are_listed_is_told(client: FlaskClient, language: str) -> None:
    with CannedServer({"GET /v1/models": (200, {"data": []})}) as server:
        body = {"base_url": f"{server.url}/v1"}
        headers = {"Accept-Language": language}
        tested = client.post("/api/suppliers/test", json=body, headers=headers).json
    host = server.url.removeprefix("http://")
    assert tested["ok"] and tested["models"] == []
    assert tested["note"] == say(language, "server.test.no_models", {"supplier": host})


def test_a_provider_without_its_package_does_not_pass_the_test(client: FlaskClient) -> None:
    row = create(client, "http://127.0.0.1:9", provider="anthropic")
    tested = client.post(f"/api/suppliers/{row['id']}/test").json
    assert tested["ok"] is False and tested["error"]["code"] == "model_gone"
    assert "pip install langchain-anthropic" in tested["error"]["message"]
    present = create(client, "http://127.0.0.1:9", provider="ollama")
    tested = client.post(f"/api/suppliers/{present['id']}/test").json
    assert tested["ok"] and tested["models"] == [] and "first question" in tested["note"]
