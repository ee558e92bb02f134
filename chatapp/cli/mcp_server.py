"""The tools of /mcp over standard input and output.

The SDK speaks the protocol; the running service lists and executes the tools.
"""

import asyncio
from functools import partial
from itertools import count
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from chatapp import __version__
from chatapp.cli.service import Service
from chatapp.cli.terminal import End

PATH = "/mcp"


def serve(service: Service) -> None:
    """Serve until standard input ends."""
    asyncio.run(_serve(service))


async def _serve(service: Service) -> None:
    tools = _Tools(service)
    server = Server(
        "chatapp", version=__version__, on_list_tools=tools.listed, on_call_tool=tools.call
    )
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


class _Tools:
    """The tools of the running service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ids = count(1)

    async def listed(self, _context: Any, _params: Any) -> types.ListToolsResult:
        """Return all tools; raise MCPError if the service does not answer."""
        try:
            return types.ListToolsResult.model_validate(await self._ask("tools/list", {}))
        except End as end:
            raise MCPError(types.INTERNAL_ERROR, end.message) from end

    async def call(
        self, _context: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Return the result of a tool; that the service does not answer is one too."""
        asked = {"name": params.name, "arguments": params.arguments or {}}
        try:
            return types.CallToolResult.model_validate(await self._ask("tools/call", asked))
        except End as end:
            text = types.TextContent(type="text", text=end.message)
            return types.CallToolResult(content=[text], is_error=True)

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        message = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        send = partial(self._service.call, "POST", PATH, message)
        reply = await asyncio.to_thread(send)
        if error := reply.get("error"):
            raise MCPError(error["code"], error["message"])
        return reply["result"]
