"""/mcp: the Model Context Protocol over streamable HTTP, without sessions, replies as JSON.

`python -m chatapp mcp` offers the same over standard input and output, by calling this.
"""

from typing import Any

from flask import g, request
from flask_openapi3 import Tag

from chatapp import __version__
from chatapp.errors import Internal, Unauthorized
from chatapp.i18n import say
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.mcp_messages import Server
from chatapp.web.request import bearer
from chatapp.web.services import services

bp = LazyBlueprint(
    "mcp",
    __name__,
    abp_tags=[Tag(name="mcp", description="Tools for the models of other programs.")],
)


@bp.post("/mcp")
def call_mcp() -> Any:
    """Call the tools by the Model Context Protocol.

    The body is a JSON-RPC message: `initialize`, `tools/list`, `tools/call` and so on. Requires a
    token: the cookie of the page is not accepted.
    """
    if services().settings.auth != "off" and not bearer():
        raise Unauthorized
    reply = Server(__version__, request.headers, _failed).answer(request.get_data())
    return ("", reply.status) if reply.body is None else (reply.body, reply.status)


def _failed() -> str:
    error = Internal(request_id=g.request_id)
    return say(g.language, error.key, error.params)
