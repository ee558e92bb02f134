"""docs/api.md describes every call, field, event and error of the API, and no others."""

import json
import re
import typing
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from chatapp import errors
from chatapp.core import events
from chatapp.web.bodies import TooManyRequests
from tests.support.docs import API, read

ROW = re.compile(r"^\| `([^`]+)` \|(.*)\|$", re.MULTILINE)
CALL = re.compile(r"^\| `(GET|POST|PUT|PATCH|DELETE) (/[^`]*)` \|", re.MULTILINE)
TEXT = read(API)


def section(title: str) -> str:
    """Return a section's text, without the sections on its own or a higher level after it."""
    marks, _, rest = TEXT.partition(f"# {title}\n")
    level = len(marks) - len(marks.rstrip("#")) + 1
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> dict[str, list[str]]:
    return {
        name: [cell.strip() for cell in rest.split("|")]
        for name, rest in ROW.findall(section(title))
    }


def every_error() -> list[type[errors.ChatAppError]]:
    assert issubclass(TooManyRequests, errors.ChatAppError)  # declared outside errors.py
    found = [errors.ChatAppError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


def test_every_call_is_described_and_no_other(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]
    served = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert set(CALL.findall(TEXT)) == served


def test_every_error_is_described_with_its_status_and_whether_to_retry() -> None:
    statuses: dict[str, set[str]] = {}
    retryable = {}
    for kind in every_error():
        statuses.setdefault(kind.code, set()).add(str(kind.status))
        retryable[kind.code] = "yes" if kind.retryable else "no"
    shown = rows("Errors")
    assert {code: set(cells[0].split(", ")) for code, cells in shown.items()} == statuses
    assert {code: cells[1] for code, cells in shown.items()} == retryable


def test_every_event_is_described() -> None:
    kinds = {kind.__name__.lower() for kind in typing.get_args(events.Event)}
    assert rows("The stream").keys() == kinds


def fields(schemas: dict[str, Any], name: str, prefix: str = "") -> set[str]:
    found = set()
    for key, schema in schemas[name]["properties"].items():
        inner = re.search(r"#/components/schemas/(\w+)", json.dumps(schema))
        found |= fields(schemas, inner[1], f"{key}.") if inner else {f"{prefix}{key}"}
    return found


def test_every_field_of_a_question_is_described_with_its_default(client: FlaskClient) -> None:
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    shown = rows("The request")
    assert shown.keys() - {"knowledge_config"} == fields(schemas, "ChatBody")
    chat, knowledge = schemas["ChatConfig"]["properties"], schemas["KnowledgeConfig"]["properties"]
    assert shown["chat_config.max_length"][0].endswith(f"else {chat['max_length']['default']}")
    assert shown["knowledge_config.search_k"][0] == str(knowledge["search_k"]["default"])


def test_every_field_of_a_resource_is_described(client: FlaskClient) -> None:
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    for title, shape in {
        "session": "Session",
        "message": "Message",
        "search": "AnswerSearch",
        "knowledge base": "KnowledgeBase",
        "file": "KnowledgeFile",
        "passage": "Source",
        "picture": "Image",
        "candidate": "Candidate",
        "chunk": "FileChunk",
        "supplier": "Supplier",
    }.items():
        [paragraph] = re.findall(
            rf"^(?:An?|The) \*\*{title}\*\*.*?\n\n", TEXT, re.MULTILINE | re.DOTALL
        )
        named = set(re.findall(r"`(\w+)`", paragraph))
        assert schemas[shape]["properties"].keys() <= named, title


def test_the_addresses_outside_the_description_are_served(app: Flask) -> None:
    urls = app.url_map.bind("")
    for address in set(re.findall(r"`GET (/[a-z.]+)`", section("Operations"))):
        assert "GET" in urls.allowed_methods(address), address


def test_the_error_in_the_example_is_what_the_service_answers(client: FlaskClient) -> None:
    [example] = re.findall(r"^(\{\"error\".*)$", TEXT, re.MULTILINE)
    shown = json.loads(example)["error"]
    answered = client.post("/chat", json={}, headers={"Accept-Language": "en"}).json["error"]
    assert shown.keys() == answered.keys()
    assert shown["code"] == answered["code"] and shown["fields"].keys() == answered["fields"].keys()
