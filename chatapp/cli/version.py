"""`version`: print the version."""

import click

from chatapp import __version__
from chatapp.cli.forms import Command, as_json
from chatapp.cli.terminal import out, print_json, say


@click.command(cls=Command, help=say("help.version"))
@as_json
def version(as_json: bool) -> None:
    """Print the version."""
    print_json({"version": __version__}) if as_json else out(__version__)
