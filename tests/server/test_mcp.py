"""The SDK's own client finds and reads a passage, over both transports and all versions."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.support.service import ROOT, TOKEN, Service
from tests.support.terminal import environ

pytestmark = pytest.mark.server
TEXT = "# Leave\n\nEvery employee of the harbour office gets 27 days of paid leave in a year."
TOOLS = {"search_knowledge", "list_knowledge_bases", "read_document"}


@pytest.fixture(scope="module")
def base(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A knowledge base with a file that is read."""
    file = tmp_path_factory.mktemp("documents") / "leave.md"
    file.write_text(TEXT)
    made = service.add_documents("Harbour", file)
    yield made
    assert service.request("DELETE", f"/api/knowledge/{made}").status == 204


@asynccontextmanager
async def over_http(
    service: Service, mode: str = "auto", token: str = TOKEN, **headers: str
) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}", **headers}
    async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
        transport = streamable_http_client(f"{service.url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


@asynccontextmanager
async def over_stdio(
    service: Service, mode: str = "auto", **variables: str
) -> AsyncIterator[Client]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "chatapp", "mcp"],
        cwd=ROOT,
        env=environ(service, **variables),
    )
    async with Client(stdio_client(server), mode=mode) as client:
        yield client


TRANSPORTS = {"http": over_http, "stdio": over_stdio}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_client_finds_and_reads_a_passage(
    service: Service, base: str, transport: str, mode: str
) -> None:
    async def use() -> None:
        async with TRANSPORTS[transport](service, mode) as client:
            listed = await client.list_tools()
            assert {tool.name for tool in listed.tools} == TOOLS
            asked = {"query": "How many days of leave?", "knowledge_bases": ["Harbour"]}
            found = await client.call_tool("search_knowledge", asked)
            assert not found.is_error and "27 days" in found.content[0].text
            [passage] = found.structured_content["passages"]
            assert passage["name"] == "leave.md" and passage["heading"] == "Leave"
            place = {"file_id": passage["file_id"], "start": passage["start"]}
            part = await client.call_tool("read_document", place)
            assert "27 days" in part.structured_content["text"]
            lost = await client.call_tool("read_document", {"file_id": "none"})
            assert lost.is_error and "does not exist" in lost.content[0].text
            with pytest.raises(MCPError):
                await client.call_tool("no_such_tool", {})

    anyio.run(use)


def test_a_wrong_token_and_origin_are_refused_over_http(service: Service) -> None:
    async def use(token: str, **headers: str) -> None:
        async with over_http(service, token=token, **headers) as client:
            await client.list_tools()

    for token, headers in (("wrong", {}), (TOKEN, {"Origin": "http://evil.example"})):
        with pytest.raises(BaseException) as failed:
            anyio.run(lambda token=token, headers=headers: use(token, **headers))
        assert "200" not in str(failed.value)
    anyio.run(lambda: use(TOKEN))


def test_a_wrong_token_and_a_stopped_service_are_results_over_stdio(service: Service) -> None:
    async def sentence(**variables: str) -> str:
        async with over_stdio(service, **variables) as client:
            result = await client.call_tool("list_knowledge_bases", {})
            assert result.is_error
            return str(result.content[0].text)

    empty = {"CHATAPP_HOME": "/nonexistent"}
    wrong = {**empty, "CHATAPP_URL": service.url, "CHATAPP_TOKEN": "a-token-that-nobody-has"}
    assert "token" in anyio.run(lambda: sentence(**wrong))
    away = {"CHATAPP_URL": "http://127.0.0.1:9"}
    assert "http://127.0.0.1:9" in anyio.run(lambda: sentence(**away))


def test_the_printed_configuration_starts_the_server_from_any_folder(
    service: Service, base: str, tmp_path: Path
) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "chatapp", "mcp", "--config"],
        cwd=ROOT,
        env=environ(service),
        capture_output=True,
        text=True,
        check=True,
    )
    [entry] = json.loads(printed.stdout)["mcpServers"].values()
    # A client hands on hardly any variables.
    found: dict[str, Any] = {}

    async def use() -> None:
        env = {**entry["env"], "CHATAPP_BIND": service.environ["CHATAPP_BIND"]}
        server = StdioServerParameters(
            command=entry["command"], args=entry["args"], cwd=tmp_path, env=env
        )
        async with Client(stdio_client(server)) as client:
            result = await client.call_tool("list_knowledge_bases", {})
            found.update(result.structured_content or {})

    anyio.run(use)
    assert base in {each["id"] for each in found["knowledge_bases"]}
