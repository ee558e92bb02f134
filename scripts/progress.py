"""The progress of a step: one line, rewritten on a terminal. See setup.py."""

from __future__ import annotations

import sys
import time

from sentences import say, sentence

REPORT_SECONDS = 5.0  # between two lines where the output is not a terminal
WIDTH = 20  # of the text that is rewritten


class Progress:
    """The line of a step; `total` is the number of packages, if pip installs some."""

    def __init__(self, what: str, total: int = 0) -> None:
        self._what, self._total, self._count = what, total, 0
        self._next_report = 0.0
        self.show("")

    def pip_line(self, line: str) -> None:
        """Count the packages that pip has found."""
        if found_package(line) and ".metadata" not in line:
            self._count = min(self._count + 1, self._total)
            self.show(f"{self._count}/{self._total}")
        elif line.strip().startswith("Installing collected"):
            self.phase(sentence("installing"))

    def phase(self, text: str) -> None:
        """Show that another phase begins."""
        self._next_report = 0.0
        self.show(text)

    def show(self, text: str) -> None:
        """Show the progress; every few seconds only where the output is not a terminal."""
        if sys.stdout.isatty():
            print(f"\r  {self._what}  {text:<{WIDTH}}", end="", flush=True)
        elif time.monotonic() > self._next_report:
            self._next_report = time.monotonic() + REPORT_SECONDS
            say(f"  {self._what}  {text}".rstrip())

    def end(self, text: str = "") -> None:
        """Show the result and end the line."""
        if sys.stdout.isatty():
            self.show(text)
            print(flush=True)


def found_package(line: str) -> bool:
    """Return whether pip reports here that it has found a package."""
    return line.strip().startswith(("Downloading ", "Using cached ", "Processing ", "Requirement "))
