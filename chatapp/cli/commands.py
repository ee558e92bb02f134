"""The command line, `python -m chatapp …`. Texts come from the catalogue, in the terminal's language.

A command's module is loaded when the command is called: the service itself runs `prepare` at every start, and that must not
wait for the others.
"""

import sys

import click

from chatapp.cli.forms import Group, run
from chatapp.cli.terminal import put, say
from chatapp.errors import ChatAppError
from chatapp.settings import SettingsError

# command: where it is, and its line in the list; without one it is not listed
PLACES = {
    "ask": ("chatapp.cli.ask:ask", "cli.help.ask"),
    "sync": ("chatapp.cli.sync:sync", "cli.help.sync"),
    "knowledge": ("chatapp.cli.knowledge:knowledge", "cli.help.knowledge"),
    "suppliers": ("chatapp.cli.suppliers:suppliers", "cli.help.suppliers"),
    "users": ("chatapp.cli.users:users", "cli.help.users"),
    "link": ("chatapp.cli.start:link", "cli.help.link"),
    "doctor": ("chatapp.cli.doctor:doctor", "cli.help.doctor"),
    "eval": ("chatapp.cli.evaluation:evaluation", "cli.help.eval"),
    "version": ("chatapp.cli.version:version", "cli.help.version"),
    "prepare": ("chatapp.cli.start:prepare", ""),
}


@click.group(cls=Group, places=PLACES, help=say("help.all"))
def commands() -> None:
    """A chat over your own documents."""


def main() -> None:
    """Run a command; what goes wrong is one sentence and exit code 1."""
    try:
        run(commands)
    except SettingsError as fault:
        sys.exit(str(fault))
    except ChatAppError as fault:
        sys.exit(put(fault))
    except PermissionError as fault:
        sys.exit(say("home_unwritable", home=fault.filename))
