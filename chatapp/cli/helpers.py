"""`helpers`: run Chroma, the embedder and the document worker without web workers."""

import os
import sys

import click

from chatapp.cli.forms import Command
from chatapp.cli.terminal import say


@click.command(cls=Command, help=say("help.helpers"))
@click.option("--parent", hidden=True, help="End when this process ends.")
@click.option("--lock", hidden=True, help="The inherited descriptor of the home's lock.")
def helpers(parent: str | None, lock: str | None) -> None:
    """Replace this process by the supervisor, which does not load the command line."""
    inherited = [parent, lock] if parent and lock else []
    os.execv(sys.executable, [sys.executable, "-m", "chatapp.processes.supervisor", *inherited])
