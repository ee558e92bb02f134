"""Output of commands: sentences, tables, JSON, prompts, and errors that end a command.

Text from models, documents and users may contain escape sequences, which could move the cursor,
change the title or type input on a terminal. So all text from elsewhere goes through `plain`.
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

# Control characters except line feed and tab, and those that change the writing direction.
_CONTROL = dict.fromkeys(
    [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)


class End(Exception):
    """Ends a command early, with a sentence, a code for programs and an exit status."""

    def __init__(self, message: str, code: str = "failed", status: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


def say(key: str, **params: Any) -> str:
    """Return the text `cli.<key>` in the terminal's language."""
    return i18n.say(terminal_language(), f"cli.{key}", params)


def error_text(error: ChatAppError) -> str:
    """Return the text of an error in the terminal's language."""
    return i18n.say(terminal_language(), error.key, error.params)


def plain(text: str) -> str:
    """Remove the control characters from a text."""
    return text.translate(_CONTROL)


def out(text: str = "") -> None:
    """Print a line to standard output."""
    click.echo(text)


def note(text: str) -> None:
    """Print a line to standard error."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON, with control characters escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(
        "".join(
            f"\\u{ord(sign):04x}" if ord(sign) in _CONTROL and sign != "\n" else sign
            for sign in text
        )
    )


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in aligned columns; Chinese characters are two columns wide."""
    cells = [list(titles), *([plain(str(cell)).replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(titles))]
    for row in cells:
        padded = [cell + " " * (widths[column] - width(cell)) for column, cell in enumerate(row)]
        out(GAP.join(padded).rstrip())


def width(text: str) -> int:
    """Return the width of a text in terminal columns."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def cut(text: str, limit: int) -> str:
    """Return a text on one line, shortened to a width."""
    text = " ".join(plain(text).split())
    if width(text) <= limit:
        return text
    taken = 0
    for index, sign in enumerate(text):
        taken += width(sign)
        if taken > limit - 1:
            return text[:index].rstrip() + "…"
    return text


def columns() -> int:
    """Return the width of this terminal."""
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def is_watched() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def may_ask() -> bool:
    """Return whether a prompt is possible."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask a yes-or-no question; the answer is no without a terminal."""
    return may_ask() and click.prompt(
        question, prompt_suffix=" [y/N] ", default="", show_default=False, err=True
    ).lower() in (
        "y",
        "yes",
    )


def program() -> str:
    """Return the command line of this program, to be copied."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        return f"{python.relative_to(Path.cwd())} -m chatapp"
    found = shutil.which("python")
    return f"{'python' if found and Path(found) == python else python} -m chatapp"
