"""The command line, `python -m chatapp …`. Texts come from the catalogue.

A command's module is loaded when the command is called: the service runs `prepare` at every start,
and must not wait for the other modules.
"""

import os
import sys

import click

from chatapp.cli.forms import Group, run
from chatapp.cli.terminal import error_text, say
from chatapp.errors import ChatAppError
from chatapp.home import keep_private, user_name
from chatapp.settings import SettingsError
from chatapp.storage.disk import disk_fault

# command: its module and object, and the key of its help; without a help it is not listed
PLACES = {
    "ask": ("chatapp.cli.ask:ask", "cli.help.ask"),
    "sync": ("chatapp.cli.sync:sync", "cli.help.sync"),
    "knowledge": ("chatapp.cli.knowledge:knowledge", "cli.help.knowledge"),
    "suppliers": ("chatapp.cli.suppliers:suppliers", "cli.help.suppliers"),
    "users": ("chatapp.cli.users:users", "cli.help.users"),
    "link": ("chatapp.cli.start:link", "cli.help.link"),
    "secret": ("chatapp.cli.secret:secret", "cli.help.secret"),
    "mcp": ("chatapp.cli.mcp:mcp", "cli.help.mcp"),
    "doctor": ("chatapp.cli.doctor:doctor", "cli.help.doctor"),
    "backup": ("chatapp.cli.backup:backup", "cli.help.backup"),
    "restore": ("chatapp.cli.backup:restore", "cli.help.restore"),
    "compact": ("chatapp.cli.backup:compact", "cli.help.compact"),
    "eval": ("chatapp.cli.evaluation:evaluation", "cli.help.eval"),
    "version": ("chatapp.cli.version:version", "cli.help.version"),
    "move-database": ("chatapp.cli.move:move_database", "cli.help.move"),
    "helpers": ("chatapp.cli.helpers:helpers", "cli.help.helpers"),
    "prepare": ("chatapp.cli.start:prepare", ""),
}


@click.group(cls=Group, places=PLACES, help=say("help.all"))
def commands() -> None:
    """A chat over your own documents."""


def main() -> None:
    """Run a command; report an error in one sentence and exit with 1."""
    keep_private()
    try:
        run(commands)
    except SettingsError as fault:
        sys.exit(str(fault))
    except ChatAppError as fault:
        sys.exit(error_text(fault))
    except PermissionError as fault:
        sys.exit(say("folder_unwritable", folder=fault.filename, user=user_name(os.geteuid())))
    except OSError as fault:
        if (full := disk_fault(fault)) is None:
            raise
        sys.exit(error_text(full))
