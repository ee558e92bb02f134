"""/mcp: the messages, versions and refusals of the protocol, and the tools' rights and limits."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.identity.person import Person
from chatapp.knowledge.documents import MOST_CHARACTERS
from chatapp.storage.models import User, new_id
from chatapp.web.mcp_messages import STATELESS, WITH_HANDSHAKE
from chatapp.web.services import Services
from tests.support.administrator import TOKEN
from tests.support.uploads import TEXT, upload, work

META = {
    "io.modelcontextprotocol/protocolVersion": STATELESS[0],
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(method: str, params: Any = None, number: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}


def call(client: FlaskClient, name: str, **arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments}
    reply = client.post("/mcp", json=request("tools/call", params))
    assert reply.status_code == 200, reply.data
    result: dict[str, Any] = reply.json["result"]
    return result


def refusal(client: FlaskClient, name: str, **arguments: Any) -> str:
    """Return the sentence of a tool's error."""
    result = call(client, name, **arguments)
    assert result["isError"] and "structuredContent" not in result
    return str(result["content"][0]["text"])


@pytest.fixture
def base(client: FlaskClient, services: Services) -> str:
    """A knowledge base with one file."""
    made = str(client.post("/api/knowledge", json={"name": "Staff rules"}).json["id"])
    assert upload(client, made, ("leave.md", TEXT)).status_code == 202
    work(services)
    return made


@pytest.fixture
def stranger(app: Flask, services: Services) -> FlaskClient:
    """Another user's program."""
    user = User(id=new_id(), name="stranger", role="user")
    services.database.write(lambda t: t.add(user))
    person = Person(user.id, "stranger", "user", False)
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = (
        f"Bearer {services.accounts.tokens.create(person, 'program')['token']}"
    )
    return made


@pytest.mark.parametrize("version", WITH_HANDSHAKE)
def test_the_version_that_a_client_asks_for_is_agreed_on(client: FlaskClient, version: str) -> None:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t"}}
    result = client.post("/mcp", json=request("initialize", params)).json["result"]
    assert result["protocolVersion"] == version
    assert result["capabilities"] == {"tools": {"listChanged": False}}
    assert result["serverInfo"]["name"] == "chatapp"


def test_an_unknown_version_is_answered_with_the_latest(client: FlaskClient) -> None:
    params = {"protocolVersion": "2031-01-01", "capabilities": {}}
    result = client.post("/mcp", json=request("initialize", params)).json["result"]
    assert result["protocolVersion"] == WITH_HANDSHAKE[-1]
    reply = client.post("/mcp", json=request("ping"), headers={"MCP-Protocol-Version": "1"})
    assert reply.status_code == 400
    assert reply.json["error"]["code"] == -32022
    assert reply.json["error"]["data"]["supported"] == [*WITH_HANDSHAKE, *STATELESS]


def test_notifications_and_responses_are_accepted_without_a_body(client: FlaskClient) -> None:
    for message in (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        [{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}],
    ):
        reply = client.post("/mcp", json=message)
        assert (reply.status_code, reply.data) == (202, b""), message


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": "\\ud800"}', -32700),
        (b"1", -32600),
        (b"[]", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}', -32600),
    ],
    ids=lambda value: str(value)[:40],
)
def test_malformed_messages_are_refused(client: FlaskClient, body: bytes, code: int) -> None:
    reply = client.post("/mcp", data=body, content_type="application/json")
    assert (reply.status_code, reply.json["error"]["code"]) == (400, code)
    assert reply.json["id"] is None


def test_unknown_methods_and_tools_are_refused(client: FlaskClient) -> None:
    for method, params, code in (
        ("resources/list", {}, -32601),
        ("tools/call", {"name": "delete_everything"}, -32602),
        ("tools/call", {"name": ["search_knowledge"]}, -32602),
        ("tools/call", {}, -32602),
    ):
        reply = client.post("/mcp", json=request(method, params, "a"))
        assert (reply.status_code, reply.json["id"]) == (200, "a")
        assert reply.json["error"]["code"] == code, method


def test_only_the_versions_that_have_batches_accept_them(client: FlaskClient) -> None:
    two = [request("ping", number=1), {"jsonrpc": "2.0", "method": "x"}, request("ping", number=2)]
    reply = client.post("/mcp", json=two)
    assert [each["id"] for each in reply.json] == [1, 2]
    for body, version in ((two, "2025-06-18"), ([request("ping")] * 21, "2025-03-26")):
        reply = client.post("/mcp", json=body, headers={"MCP-Protocol-Version": version})
        assert (reply.status_code, reply.json["error"]["code"]) == (400, -32600)


def test_a_stateless_request_must_agree_with_its_headers(client: FlaskClient) -> None:
    headers = {"MCP-Protocol-Version": STATELESS[0], "Mcp-Method": "server/discover"}
    found = client.post("/mcp", json=request("server/discover", {"_meta": META}), headers=headers)
    assert found.json["result"]["supportedVersions"] == [*STATELESS]
    assert found.json["result"]["resultType"] == "complete"
    without = client.post("/mcp", json=request("server/discover"), headers=headers)
    assert (without.status_code, without.json["error"]["code"]) == (400, -32602)
    other = client.post("/mcp", json=request("tools/list", {"_meta": META}), headers=headers)
    assert (other.status_code, other.json["error"]["code"]) == (400, -32020)
    gone = {"MCP-Protocol-Version": STATELESS[0], "Mcp-Method": "initialize"}
    reply = client.post("/mcp", json=request("initialize", {"_meta": META}), headers=gone)
    assert (reply.status_code, reply.json["error"]["code"]) == (404, -32601)


def test_other_methods_are_not_allowed(client: FlaskClient) -> None:
    for method in ("GET", "DELETE", "PUT"):
        reply = client.open("/mcp", method=method)
        assert reply.status_code == 405 and "POST" in reply.headers["Allow"]
    browser = client.get("/mcp", headers={"Accept": "text/html"})
    assert browser.json["error"]["code"] == "method_not_allowed"


def test_a_token_is_required_and_the_cookie_is_not_enough(
    anonymous: FlaskClient, services: Services
) -> None:
    assert anonymous.post("/mcp", json=request("ping")).status_code == 401
    wrong = anonymous.post("/mcp", json=request("ping"), headers={"Authorization": "Bearer no"})
    assert wrong.status_code == 401 and wrong.headers["WWW-Authenticate"] == "Bearer"
    anonymous.post("/api/auth/login", json={"link": services.accounts.new_link()})
    assert anonymous.get("/api/auth/me").status_code == 200
    assert anonymous.post("/mcp", json=request("ping")).status_code == 401


def test_another_origin_is_refused(client: FlaskClient) -> None:
    for origin in ("http://evil.example", "null"):
        reply = client.post("/mcp", json=request("ping"), headers={"Origin": origin})
        assert (reply.status_code, reply.json["error"]["code"]) == (403, "origin_refused")


def test_without_accounts_any_token_or_none_is_accepted(
    app: Flask, services: Services, settings: Any
) -> None:
    from dataclasses import replace

    app.extensions["chatapp"] = replace(services, settings=replace(settings, auth="off"))
    page = app.test_client()
    assert page.post("/mcp", json=request("ping")).json["result"] == {}
    refused = page.post("/mcp", json=request("ping"), headers={"Host": "evil.example"})
    assert refused.status_code == 403


def test_a_passage_is_found_with_its_place_and_read(client: FlaskClient, base: str) -> None:
    found = call(client, "search_knowledge", query="days of paid leave")
    [passage] = found["structuredContent"]["passages"]
    assert passage["name"] == "leave.md" and passage["knowledge_base_id"] == base
    assert "25 days" in found["content"][0]["text"] and "leave.md" in found["content"][0]["text"]
    where = {"file_id": passage["file_id"], "start": passage["start"], "end": passage["end"]}
    part = call(client, "read_document", **where)["structuredContent"]
    assert part["text"] == passage["text"]
    listed = call(client, "list_knowledge_bases")["structuredContent"]["knowledge_bases"]
    assert [each["name"] for each in listed if each["id"] == base] == ["Staff rules"]


def test_a_base_is_named_by_its_id_or_name(client: FlaskClient, base: str) -> None:
    for named in (base, "Staff rules", " staff RULES", [base], ["Staff rules", base]):
        assert call(client, "search_knowledge", query="leave", knowledge_bases=named)[
            "structuredContent"
        ]["passages"], named
    assert f"Staff rules ({base})" in refusal(
        client, "search_knowledge", query="leave", knowledge_bases="rules"
    )
    twin = client.post("/api/knowledge", json={"name": "Staff rules"}).json["id"]
    sentence = refusal(client, "search_knowledge", query="leave", knowledge_bases="Staff rules")
    assert base in sentence and twin in sentence


def test_a_strangers_base_and_file_are_not_to_be_found(
    client: FlaskClient, stranger: FlaskClient, base: str
) -> None:
    [passage] = call(client, "search_knowledge", query="leave")["structuredContent"]["passages"]
    for named in (base, "Staff rules", "No such base"):
        sentence = refusal(stranger, "search_knowledge", query="leave", knowledge_bases=named)
        assert base not in sentence and "Staff" not in sentence
    assert "no knowledge base of yours has files" in refusal(
        stranger, "search_knowledge", query="leave"
    )
    missing = refusal(stranger, "read_document", file_id=new_id())
    assert refusal(stranger, "read_document", file_id=passage["file_id"]) == missing
    assert base not in json.dumps(call(stranger, "list_knowledge_bases"))


def test_a_long_document_is_read_in_parts(
    client: FlaskClient, services: Services, base: str
) -> None:
    text = "\n".join(f"Line {number} of the minutes." for number in range(2000))
    upload(client, base, ("minutes.txt", text.encode()))
    work(services)
    [passage] = call(client, "search_knowledge", query="Line 1999 of the minutes", k=1)[
        "structuredContent"
    ]["passages"]
    read, start, parts = "", 0, 0
    while start is not None:
        part = call(client, "read_document", file_id=passage["file_id"], start=start)
        assert len(part["structuredContent"]["text"]) <= MOST_CHARACTERS
        read += part["structuredContent"]["text"]
        start = part["structuredContent"]["next"]
        assert (f"start={start}" in part["content"][0]["text"]) == (start is not None)
        parts += 1
    assert parts > 1 and read.split() == text.split()


def test_wrong_arguments_are_answered_with_a_sentence(client: FlaskClient, base: str) -> None:
    [passage] = call(client, "search_knowledge", query="leave")["structuredContent"]["passages"]
    file_id = passage["file_id"]
    for tool, arguments, field in (
        ("search_knowledge", {}, "query"),
        ("search_knowledge", {"query": " ", "k": 0}, "k"),
        ("search_knowledge", {"query": "a", "k": 1000}, "k"),
        ("search_knowledge", {"query": 7}, "query"),
        ("read_document", {}, "file_id"),
        ("read_document", {"file_id": file_id, "start": -1}, "start"),
        ("read_document", {"file_id": file_id, "start": 10**9}, "start"),
        ("read_document", {"file_id": file_id, "start": 9, "end": 3}, "end"),
        ("read_document", {"file_id": file_id, "page": 1}, "page"),
        ("read_document", {"file_id": file_id, "page": 1, "start": 1}, "page"),
        ("read_document", {"file_id": file_id, "start": 10**30}, "start"),
    ):
        assert field in refusal(client, tool, **arguments), (tool, arguments)
    sentence = client.post(
        "/mcp",
        json=request("tools/call", {"name": "search_knowledge", "arguments": [1]}),
        headers={"Accept-Language": "zh-CN"},
    ).json["result"]
    assert sentence["isError"] and TOKEN not in str(sentence)


def test_a_file_without_text_says_so(client: FlaskClient, base: str) -> None:
    reply = upload(client, base, ("later.txt", b"not read yet"))
    file_id = reply.json["items"][0]["id"]
    assert "no text" in refusal(client, "read_document", file_id=file_id)


def test_a_fault_of_ours_is_an_error_of_the_protocol(
    client: FlaskClient, app: Flask, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    from dataclasses import replace

    app.extensions["chatapp"] = replace(services, knowledge=None)  # type: ignore[arg-type]
    reply = client.post("/mcp", json=request("tools/call", {"name": "list_knowledge_bases"}))
    assert (reply.status_code, reply.json["error"]["code"]) == (200, -32603)
    assert "AttributeError" not in reply.text and "AttributeError" in caplog.text
