"""How far set-up has come: one line that is rewritten on a terminal, a line now and then elsewhere.

Standard library only, and readable by Python 3.7, like all that setup.py imports.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from commands import begun
from sentences import sentence

REPORT_SECONDS = 5.0  # between two lines where the output is not a terminal
WIDTH = 16  # of what is rewritten


def say(text: str, stream: TextIO | None = None) -> None:
    """Print at once."""
    print(text, file=stream or sys.stdout, flush=True)


class Progress:
    """One step."""

    def __init__(self, what: str, total: int = 0) -> None:
        self._what, self._total, self._count = what, total, 0
        self._terminal = sys.stdout.isatty()
        self._last = 0.0
        self.show("")

    def pip_line(self, line: str) -> None:
        """Count what pip has fetched or found in place."""
        if begun(line) and ".metadata" not in line:
            self._count = min(self._count + 1, self._total)
            self.show(sentence("of", count=self._count, total=self._total))
        elif line.strip().startswith("Installing collected"):
            self.step(sentence("unpacking"))

    def step(self, text: str) -> None:
        """Print something new."""
        self._last = 0.0
        self.show(text)

    def show(self, text: str) -> None:
        """Print where things stand, not too often."""
        if self._terminal:
            print(f"\r  {self._what}  {text:<{WIDTH}}", end="", flush=True)
        elif time.monotonic() - self._last > REPORT_SECONDS:
            self._last = time.monotonic()
            say(f"  {self._what}  {text}".rstrip())

    def end(self, text: str = "") -> None:
        """Leave the line."""
        if self._terminal:
            self.show(text)
            print(flush=True)
