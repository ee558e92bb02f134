"""`helpers`: everything but the web part of a service."""

import os
import sys

import click

from chatapp.cli.forms import Command
from chatapp.cli.terminal import say


@click.command(cls=Command, help=say("help.helpers"))
@click.option("--parent", hidden=True, help="Leave when this process ends.")
@click.option("--lock", hidden=True, help="The descriptor of the home's lock, already held.")
def helpers(parent: str | None, lock: str | None) -> None:
    """Become the process that looks after the helpers; it does without this command line."""
    inherited = [parent, lock] if parent and lock else []
    os.execv(sys.executable, [sys.executable, "-m", "chatapp.processes.supervisor", *inherited])
