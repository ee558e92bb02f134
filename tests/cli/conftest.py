"""The command line against a real service: in this process where that tells the same, else in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chatapp.cli import commands
from tests.service import ROOT, Service

Run = Callable[..., Result]


def environ(service: Service, **more: str) -> dict[str, str]:
    """What the shell of somebody at the service's machine has."""
    settings = {name: service.environ[name] for name in ("CHATAPP_HOME", "CHATAPP_BIND", "CHATAPP_ENV_FILE", "PATH")}
    return {**settings, "LC_ALL": "C.UTF-8", **more}


@pytest.fixture
def run(service: Service) -> Run:
    """Run a command in this process; variables by name, `input` as its standard input."""

    def go(*words: str, input: str | None = None, **variables: str) -> Result:
        done = CliRunner().invoke(commands, list(words), input=input, env=environ(service, **variables))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return go


def start(env: dict[str, str], *words: str, **options: Any) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    command = [sys.executable, "-m", "chatapp", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
    return subprocess.Popen(command, cwd=ROOT, env={**env, "HOME": os.devnull}, text=True, **pipes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of documents, with what is not one of them."""
    made = tmp_path / "documents"
    (made / "rules").mkdir(parents=True)
    (made / "leave.md").write_text("# Leave\n\nEvery employee gets 27 days of paid leave.\n")
    (made / "rules" / "keys.txt").write_text("Keys are kept in the red cabinet beside the door.\n")
    (made / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (made / ".hidden.txt").write_text("hidden")
    (made / "empty.txt").write_text("")
    (made / "link.txt").symlink_to("/etc/hostname")
    return made
