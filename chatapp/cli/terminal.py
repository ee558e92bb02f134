"""How the command line speaks: in the terminal's language, in tables or as JSON, and how a command ends.

What models, documents and other people's names say is data: on a terminal an escape sequence in it could move the cursor,
change the title or type for the reader. So everything from outside goes through `plain`.
"""

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from chatapp import i18n
from chatapp.errors import ChatAppError
from chatapp.settings import terminal_language

FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # exit codes; 0 is done
GAP = "  "
DEFAULT_WIDTH = 100

# Control characters but for line end and tab, and what turns the direction of writing.
_UNSEEN = dict.fromkeys(
    [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)


class End(Exception):
    """A command ends early: a sentence for a person, a code for programs, an exit code."""

    def __init__(self, message: str, code: str = "failed", status: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


def say(key: str, **params: Any) -> str:
    """Return a sentence of the catalogue, `cli.<key>`, in the terminal's language."""
    return i18n.say(terminal_language(), f"cli.{key}", params)


def put(error: ChatAppError) -> str:
    """Put one of our errors into the terminal's language."""
    return i18n.say(terminal_language(), error.key, error.params)


def plain(text: str) -> str:
    """Return a text from outside without what a terminal would obey."""
    return text.translate(_UNSEEN)


def out(text: str = "") -> None:
    """Print a line of the result."""
    click.echo(text)


def note(text: str) -> None:
    """Print a line beside the result, to the standard error output."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON; it may hold anything, since JSON escapes what terminals obey."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(
        "".join(
            f"\\u{ord(sign):04x}" if ord(sign) in _UNSEEN and sign != "\n" else sign
            for sign in text
        )
    )


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under titles, in columns that are as wide as their widest cell; Chinese characters take two places."""
    cells = [list(titles), *([plain(str(cell)).replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(titles))]
    for row in cells:
        padded = [cell + " " * (widths[column] - width(cell)) for column, cell in enumerate(row)]
        out(GAP.join(padded).rstrip())


def width(text: str) -> int:
    """Return how many places a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def cut(text: str, places: int) -> str:
    """Return a text on one line that takes no more than so many places."""
    text = " ".join(plain(text).split())
    if width(text) <= places:
        return text
    taken = 0
    for index, sign in enumerate(text):
        taken += width(sign)
        if taken > places - 1:
            return text[:index].rstrip() + "…"
    return text


def columns() -> int:
    """Return how many places a line of this terminal has."""
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def is_watched() -> bool:
    """Tell whether a person looks at what is printed."""
    return sys.stdout.isatty()


def may_ask() -> bool:
    """Tell whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask a yes-or-no question; no where there is nobody to ask."""
    return may_ask() and click.prompt(
        question, prompt_suffix=" [y/N] ", default="", show_default=False, err=True
    ).lower() in (
        "y",
        "yes",
    )


def program() -> str:
    """Return how this program is called here, ready to be copied."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        return f"{python.relative_to(Path.cwd())} -m chatapp"
    found = shutil.which("python")
    return f"{'python' if found and Path(found) == python else python} -m chatapp"
