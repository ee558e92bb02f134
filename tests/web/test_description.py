"""The description says what is there: every route is in it, and real answers have the shapes it names."""

import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel

from chatapp.web.chat import ChatAnswer
from chatapp.web.shapes import (
    KnowledgeBaseShape,
    MeShape,
    MessageShape,
    ModelShape,
    RefusedShape,
    SessionShape,
    StoredShape,
    SupplierShape,
    TokenShape,
    UploadShape,
)
from chatapp.web.suppliers import ModelsShape, PresetShape, TrialShape


@pytest.fixture
def described(client: FlaskClient) -> dict[str, Any]:
    reply = client.get("/openapi.json")
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json
    return found


def test_every_route_of_the_api_is_described(app: Flask, described: dict[str, Any]) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/api", "/chat")):
            path = rule.rule.replace("<", "{").replace(">", "}")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                operation = described["paths"][path][method.lower()]
                assert operation.get("summary") or operation.get("description"), (method, path)


def test_refusals_are_described_by_our_error_shape(described: dict[str, Any]) -> None:
    assert "error" in described["components"]["schemas"]["ErrorBody"]["properties"]
    for verbs in described["paths"].values():
        for operation in verbs.values():
            assert "422" not in operation["responses"]
            assert operation["responses"]["default"]["content"]["application/json"]["schema"][
                "$ref"
            ].endswith("/ErrorBody")


def test_what_a_question_may_say_is_described(described: dict[str, Any]) -> None:
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


def exactly(shape: type[BaseModel], value: dict[str, Any]) -> None:
    shape.model_validate(value)
    assert set(value) == set(shape.model_fields), set(value) ^ set(shape.model_fields)


def test_real_answers_have_the_described_shapes(client: FlaskClient) -> None:
    answer = client.post(
        "/chat", json={"question": "q", "llm_config": {"supplier": "builtin"}}
    ).json
    base = client.post("/api/knowledge", json={"name": "b"}).json
    upload = {"files": (io.BytesIO(b"some words"), "a.txt")}
    file = client.post(f"/api/knowledge/{base['id']}/files", data=upload).json["items"][0]
    two = {"files": [(io.BytesIO(b"some words"), "a.txt"), (io.BytesIO(), "empty.txt")]}
    refused = client.post(f"/api/knowledge/{base['id']}/files", data=two).json["items"][1]
    supplier = client.post(
        "/api/suppliers", json={"base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
    ).json
    token = client.post("/api/auth/tokens", json={"name": "t"}).json
    token.pop("token")
    exactly(SessionShape, client.get(f"/api/sessions/{answer['session_id']}").json)
    exactly(MessageShape, client.get(f"/api/messages/{answer['message_id']}").json)
    exactly(KnowledgeBaseShape, base)
    exactly(UploadShape, file)
    exactly(RefusedShape, refused)
    exactly(ChatAnswer, answer)
    exactly(ModelsShape, client.get("/api/models").json)
    exactly(PresetShape, client.get("/api/suppliers/presets").json["items"][0])
    TrialShape.model_validate(client.post(f"/api/suppliers/{supplier['id']}/test").json)
    exactly(SupplierShape, supplier)
    exactly(ModelShape, client.get("/api/models").json["items"][0])
    exactly(MeShape, client.get("/api/auth/me").json)
    exactly(StoredShape, client.get("/api/auth/me/stored").json)
    exactly(TokenShape, token)
