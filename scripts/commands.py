"""Runs pip, npm and apt as they are configured here, keeps what they say in `.venv/setup.log`, and tells why one failed.

Standard library only, and readable by Python 3.7, like all that setup.py imports.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from sentences import sentence

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "setup.log"
PIP = [str(PYTHON), "-m", "pip"]
PIP_OPTIONS = ["--no-input", "--disable-pip-version-check", "--progress-bar=off"]

# why a command failed, and the words that pip, npm or apt use for it
CAUSES = {
    "full": ("No space left", "ENOSPC"),
    "offline": (
        (
            "NewConnectionError",
            "NameResolutionError",
            "Max retries",
            "Temporary failure",
            "ENOTFOUND",
            "EAI_AGAIN",
        )
        + (
            "ECONNREFUSED",
            "ETIMEDOUT",
            "Network is unreachable",
            "Could not resolve",
            "ReadTimeout",
            "ConnectTimeout",
        )
        + ("connection broken by", "Could not fetch URL", "timed out")
    ),
    "changed": ("EINTEGRITY", "do not match"),
    "absent": ("No matching distribution", "ETARGET", "E404", "Unable to locate"),
}


class SetupError(Exception):
    """Set-up cannot go on; the message is a sentence that says what to do."""


def run(
    command: list[str],
    on_line: Callable[[str], None] | None = None,
    environ: dict[str, str] | None = None,
    seconds: float | None = None,
) -> tuple[int, str]:
    """Run a command; return its status and output. One that has not said anything of note (see `begun`) in time is ended."""
    VENV.mkdir(exist_ok=True)
    lines = []
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        late = threading.Timer(seconds or 0, process.terminate)
        if seconds:
            late.start()
        try:
            for line in process.stdout or ():
                log.write(line)
                lines.append(line)
                if begun(line):
                    late.cancel()
                if on_line:
                    on_line(line)
            return process.wait(), "".join(lines)
        finally:
            late.cancel()
            if process.poll() is None:  # we were interrupted
                process.terminate()


def begun(line: str) -> bool:
    """Tell whether pip says here that it has found a package."""
    return line.strip().startswith(("Downloading ", "Using cached ", "Processing ", "Requirement "))


def cause(output: str) -> str:
    """Return why a command failed, a key of CAUSES or "other"."""
    return next(
        (name for name, signs in CAUSES.items() if any(sign in output for sign in signs)), "other"
    )


def failure(output: str, what: str, where: str) -> SetupError:
    """Say in a sentence why a command failed; `where` names the settings to look at."""
    return SetupError(
        sentence(f"failed.{cause(output)}", what=what, where=sentence(f"where.{where}"))
    )


def on_ci() -> bool:
    """Tell whether everything has to be there."""
    return os.environ.get("CI") == "true"
