"""`mcp`: the tools of /mcp for programs on this machine; mcp_server.py serves them."""

import sys
from pathlib import Path
from typing import Any

import click

from chatapp.cli.forms import Command
from chatapp.cli.service import Service
from chatapp.cli.terminal import End, print_json, say
from chatapp.settings import Settings

ROOT = Path(__file__).parents[2]


@click.command(cls=Command, help=say("help.mcp.long"))
@click.option("--config", is_flag=True, help=say("option.mcp_config"))
def mcp(config: bool) -> None:
    """Serve the tools until standard input ends, or print the configuration of a client."""
    settings = Settings.from_env()
    if config:
        print_json(_configuration(settings))
        return
    if sys.stdin.isatty():
        raise End(say("mcp.no_client"))
    from chatapp.cli.mcp_server import serve  # the SDK takes 2 s to load

    serve(Service.from_settings(settings))


def _configuration(settings: Settings) -> dict[str, Any]:
    """Return what Claude Desktop and many others read. A client starts us in any folder."""
    where = (
        {"CHATAPP_URL": settings.url, "CHATAPP_TOKEN": settings.token}
        if settings.url
        else {"CHATAPP_HOME": str(settings.home)}
    )
    server = {
        "command": sys.executable,
        "args": ["-m", "chatapp", "mcp"],
        "env": {"PYTHONPATH": str(ROOT), **where},
    }
    return {"mcpServers": {"chatapp": server}}
