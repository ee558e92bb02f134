"""The command line in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from click.testing import Result

from tests.support.service import ROOT, Service

Run = Callable[..., Result]


def environ(service: Service, **more: str) -> dict[str, str]:
    """Return the environment of a shell on the service's machine."""
    settings = {
        name: service.environ[name]
        for name in ("CHATAPP_HOME", "CHATAPP_BIND", "CHATAPP_ENV_FILE", "PATH")
    }
    return {**settings, "LC_ALL": "C.UTF-8", **more}


def start(env: dict[str, str], *words: str, **options: Any) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    command = [sys.executable, "-m", "chatapp", *words]
    pipes = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.DEVNULL,
    } | options
    return subprocess.Popen(command, cwd=ROOT, env={**env, "HOME": os.devnull}, text=True, **pipes)
