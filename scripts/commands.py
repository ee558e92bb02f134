"""Run pip, npm and apt as configured here, log their output, explain failures. See setup.py."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from progress import found_package
from sentences import sentence

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PIP = [str(PYTHON), "-m", "pip"]
ON_CI = os.environ.get("CI") == "true"  # then nothing may be missing
ENVIRON = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off"}
ENVIRON["DEBIAN_FRONTEND"] = "noninteractive"

CAUSES = {  # why a command failed: the words that pip, npm or apt use for it
    "full": "No space left|ENOSPC",
    "offline": "NewConnectionError|NameResolutionError|Max retries|Temporary failure|ENOTFOUND"
    "|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|Network is unreachable|Could not resolve|ReadTimeout"
    "|ConnectTimeout|connection broken by|Could not fetch URL|timed out",
    "changed": "EINTEGRITY|do not match",
    "absent": "No matching distribution|ETARGET|E404|Unable to locate",
}


class SetupError(Exception):
    """Set-up cannot continue; the message is a sentence that says what to do."""


def run(
    command: list[str],
    on_line: Callable[[str], object] = len,
    path: str = os.environ.get("PATH", os.defpath),
    seconds: float = 0,
) -> tuple[int, str]:
    """Run a command, with its output in `.venv/setup.log`; return its status and output.

    `seconds` limits the time until pip has found a package.
    """
    VENV.mkdir(exist_ok=True)
    lines = []
    with open(VENV / "setup.log", "a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **ENVIRON, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        timer = threading.Timer(seconds, process.terminate)
        if seconds:
            timer.start()
        try:
            for line in process.stdout or ():
                log.write(line)
                lines.append(line)
                if found_package(line):
                    timer.cancel()
                on_line(line)
            return process.wait(), "".join(lines)
        finally:
            timer.cancel()
            if process.poll() is None:  # interrupted
                process.terminate()


def failure(what: str, where: str, output: str) -> SetupError:
    """Explain why a command failed; `where` says which settings to check."""
    cause = next((name for name, words in CAUSES.items() if re.search(words, output)), "other")
    return SetupError(sentence(f"failed.{cause}", what=what, where=where))
