"""/openapi.json describes every route, and real responses have the shapes it describes."""

import io
import json
import re
import typing
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import validators
from pydantic import BaseModel

from chatapp.core import sse
from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Event,
    Ping,
    Reasoning,
    Reset,
    Sources,
    Status,
)
from chatapp.errors import ChatAppError
from chatapp.web.account_responses import (
    Account,
    CurrentUser,
    Login,
    SignedIn,
    SignInLink,
    Token,
)
from chatapp.web.chat import ChatAnswer
from chatapp.web.image_responses import Image
from chatapp.web.openapi_bodies import EXAMPLES
from chatapp.web.responses import (
    KnowledgeBase,
    Message,
    RefusedFile,
    StorageUsage,
    UploadedFile,
    WebPage,
)
from chatapp.web.session_responses import Session
from chatapp.web.stream_events import EVENTS
from chatapp.web.supplier_responses import OfferedModel, Supplier
from chatapp.web.suppliers import ModelList, SupplierPreset, SupplierTest
from tests.support.images import send, square


def all_errors() -> list[type[ChatAppError]]:
    found = [ChatAppError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


@pytest.fixture
def described(client: FlaskClient) -> dict[str, Any]:
    reply = client.get("/openapi.json")
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json
    return found


def test_every_route_of_the_api_is_described(app: Flask, described: dict[str, Any]) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/api", "/chat", "/v1")):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                operation = described["paths"][path][method.lower()]
                assert operation.get("summary") or operation.get("description"), (method, path)


def test_refusals_are_described_by_our_error_shape(described: dict[str, Any]) -> None:
    assert "error" in described["components"]["schemas"]["ErrorBody"]["properties"]
    common = described["components"]["responses"]
    for path, verbs in described["paths"].items():
        for operation in verbs.values():
            for status, response in operation["responses"].items():
                if path == "/mcp" and status in ("400", "404"):  # in the shape of its protocol
                    continue
                shape = "/OpenAIErrorBody" if path.startswith("/v1/") else "/ErrorBody"
                if status.startswith(("4", "5", "d")):
                    name = response.get("$ref", "").rpartition("/")[2]
                    [content] = common.get(name, response)["content"].values()
                    assert content["schema"]["$ref"].endswith(shape)


def test_every_status_has_its_codes_and_a_way_to_wait(described: dict[str, Any]) -> None:
    common = described["components"]["responses"]
    for kind in all_errors():
        assert f"`{kind.code}`" in common[f"Error{kind.status}"]["description"]
    assert {name for name, one in common.items() if "Retry-After" in one.get("headers", {})} == {
        "Error401",
        "Error429",
        "Error503",
    }


def test_an_operation_has_the_statuses_of_what_it_takes(described: dict[str, Any]) -> None:
    for path, verbs in described["paths"].items():
        for method, operation in verbs.items():
            statuses = operation["responses"].keys()
            assert {"400", "401", "403", "500", "503", "default"} <= statuses
            assert ("404" in statuses) >= ("{" in path)
            if not path.startswith("/v1/"):
                assert ("422" in statuses) >= ("requestBody" in operation)
            assert ("413" in statuses) == ("requestBody" in operation)
            assert ("507" in statuses) == (method != "get")
            several = path in ("/mcp", "/api/auth/logout")
            assert sum(status.startswith("2") for status in statuses) == 1 + several
            assert operation["security"] == ([] if path == "/api/auth/login" else [{"token": []}])


def test_examples_are_valid(described: dict[str, Any]) -> None:
    shapes = {
        operation["operationId"]: body["content"]["application/json"]
        for verbs in described["paths"].values()
        for operation in verbs.values()
        if "application/json" in (body := operation.get("requestBody", {"content": {}}))["content"]
    }
    for name, example in EXAMPLES.items():
        assert shapes[name]["example"] == example
        schema = {**shapes[name]["schema"], "components": described["components"]}
        validators.Draft202012Validator(schema).validate(example)


def test_the_fields_of_a_question_are_described(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for name, plain in [
        ("ChatBody", {"chat_config", "llm_config", "knowledge_config"}),
        ("KnowledgeConfig", set()),
    ]:
        fields = schemas[name]["properties"]
        assert {field for field, schema in fields.items() if "description" not in schema} <= plain
    streams = [
        described["paths"]["/chat/stream"]["post"],
        described["paths"]["/chat/stream/{message_id}"]["get"],
    ]
    for operation in streams:
        assert all(
            given["description"] for given in operation["parameters"] if given["in"] != "path"
        )
        assert [given["name"] for given in operation["parameters"] if given["in"] == "header"] == [
            "Last-Event-ID"
        ]


def test_operation_ids_are_unique_names_for_client_generators(described: dict[str, Any]) -> None:
    operations = [each for verbs in described["paths"].values() for each in verbs.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name) for name in names), names
    assert {"askStream", "createSession", "listKnowledgeFiles", "updateSupplier"} <= set(names)
    for operation in operations:
        assert operation["summary"] and not operation["summary"].endswith(".")
        assert "<br" not in operation.get("description", "")


def test_every_reference_of_the_description_exists(described: dict[str, Any]) -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert named <= described["components"]["schemas"].keys()
    assert all(re.fullmatch(r"\w+", name) and "_" not in name for name in named)


def test_inline_objects_do_not_take_the_name_of_a_schema(described: dict[str, Any]) -> None:
    """Client generators call them by their parent and their title."""
    schemas = described["components"]["schemas"]
    inline = [
        name + value.get("title", field).replace(" ", "")
        for name, schema in schemas.items()
        for field, value in schema.get("properties", {}).items()
        if value.get("type") == "object"
    ]
    assert not schemas.keys() & set(inline)
    assert inline


def test_files_and_texts_are_described_by_their_media_types(described: dict[str, Any]) -> None:
    def content(path: str) -> set[str]:
        return set(described["paths"][path]["get"]["responses"]["200"]["content"])

    assert content("/api/sessions/{session_id}/export") == {"application/json", "text/markdown"}
    assert content("/api/images/{image_id}") == {"image/png", "image/jpeg"}
    assert content("/api/knowledge/{base_id}/files/{file_id}/content") == {
        "application/octet-stream"
    }


def test_rules_over_several_fields_and_patterns_are_described(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert schemas["ChatBody"]["allOf"][0]["anyOf"] == [
        {"required": ["question"]},
        {"required": ["question_id"]},
        {"required": ["continue_id"]},
    ]
    assert schemas["LoginBody"]["allOf"] == [
        {"anyOf": [{"required": ["password"]}, {"required": ["link"]}]}
    ]
    [one, many] = schemas["KnowledgeConfig"]["properties"]["filter_by_file_md5"]["anyOf"]
    assert re.fullmatch(one["pattern"], "0" * 32) and not re.fullmatch(one["pattern"], "0" * 31)
    assert many["items"] == one


def test_real_events_have_the_described_shapes(
    client: FlaskClient, described: dict[str, Any]
) -> None:
    mapping = described["components"]["schemas"]["StreamEvent"]["discriminator"]["mapping"]
    assert mapping.keys() == EVENTS.keys()
    assert EVENTS.keys() == {kind.__name__.lower() for kind in typing.get_args(Event)}
    away = {"name": "away", "base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
    assert client.post("/api/suppliers", json=away).status_code == 201
    seen = set()
    for supplier in ("builtin", "away"):
        body = {"question": "q", "llm_config": {"supplier": supplier}}
        with client.post("/chat/stream", json=body) as stream:
            for data in re.findall(r"^data: (.*)$", stream.text, re.MULTILINE):
                event = json.loads(data)
                exactly(EVENTS[event["type"]], event)
                seen.add(event["type"])
    assert {"context", "chunk", "done", "error"} <= seen


@pytest.mark.parametrize(
    "event",
    [
        Context("Handbook", "s", "m", "q"),
        Status("searching"),
        Sources(()),
        Reasoning("because"),
        Chunk("text"),
        Done("stop", {"prompt_tokens": 1}, {"total_ms": 2}, (1,), ({"file_id": "f", "name": "n"},)),
        Error("internal", "error.internal", {}, True, 5),
        Reset(),
        Ping(),
    ],
    ids=lambda event: type(event).__name__,
)
def test_every_event_has_the_described_shape(event: Event) -> None:
    block = sse.encode(event, "m", 1, lambda key, params: key).decode()
    body = json.loads(block.partition("data: ")[2])
    exactly(EVENTS[body["type"]], body)


def exactly(shape: type[BaseModel], value: dict[str, Any]) -> None:
    shape.model_validate(value)
    rare = {"upstream"}  # what a supplier answered, of some errors
    assert set(value) - rare == set(shape.model_fields) - rare, set(value) ^ set(shape.model_fields)


def test_real_answers_have_the_described_shapes(client: FlaskClient) -> None:
    answer = client.post(
        "/chat", json={"question": "q", "llm_config": {"supplier": "builtin"}}
    ).json
    base = client.post("/api/knowledge", json={"name": "b"}).json
    upload = {"files": (io.BytesIO(b"some words"), "a.txt")}
    file = client.post(f"/api/knowledge/{base['id']}/files", data=upload).json["items"][0]
    pages = client.post(f"/api/knowledge/{base['id']}/files", json={"url": "example.org"}).json
    page = pages["items"][0]
    two = {"files": [(io.BytesIO(b"some words"), "a.txt"), (io.BytesIO(), "empty.txt")]}
    refused = client.post(f"/api/knowledge/{base['id']}/files", data=two).json["items"][1]
    supplier = client.post(
        "/api/suppliers", json={"base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
    ).json
    token = client.post("/api/auth/tokens", json={"name": "t"}).json
    token.pop("token")
    exactly(Session, client.get(f"/api/sessions/{answer['session_id']}").json)
    exactly(Message, client.get(f"/api/messages/{answer['message_id']}").json)
    exactly(KnowledgeBase, base)
    exactly(UploadedFile, file)
    exactly(UploadedFile, page)
    exactly(WebPage, page["web_page"])
    exactly(RefusedFile, refused)
    exactly(ChatAnswer, answer)
    exactly(ModelList, client.get("/api/models").json)
    exactly(SupplierPreset, client.get("/api/suppliers/presets").json["items"][0])
    SupplierTest.model_validate(client.post(f"/api/suppliers/{supplier['id']}/test").json)
    exactly(Supplier, supplier)
    exactly(OfferedModel, client.get("/api/models").json["items"][0])
    exactly(CurrentUser, client.get("/api/auth/me").json)
    exactly(StorageUsage, client.get("/api/auth/me/stored").json)
    exactly(Image, send(client, square()).json)
    exactly(Token, token)
    invited = client.post("/api/users", json={"name": "Ada"}).json
    exactly(SignInLink, invited)
    exactly(Account, client.get("/api/users").json["items"][1])
    browser = client.application.test_client()
    link = {"link": invited["path"].partition("#")[2]}
    exactly(SignedIn, browser.post("/api/auth/login", json=link).json)
    exactly(Login, browser.get("/api/auth/logins").json["items"][0])
