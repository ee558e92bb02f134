"""A PostgreSQL server on a socket, for tests that compare with it."""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BINARIES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
NEEDS_POSTGRES = pytest.mark.skipif(BINARIES is None, reason="no PostgreSQL on this machine")


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server and yield its URL, as another user if run by root."""
    folder = Path(tempfile.mkdtemp(prefix="chatapp-pg-", dir="/tmp"))
    folder.chmod(0o777)
    user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
    name = "postgres" if user else getpass.getuser()

    def run(*command: str) -> None:
        subprocess.run(
            command,
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **user,
        )

    run(
        f"{BINARIES}/initdb",
        "-D",
        f"{folder}/data",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    )
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    run(
        f"{BINARIES}/pg_ctl",
        "-D",
        f"{folder}/data",
        "-o",
        options,
        "-l",
        f"{folder}/log",
        "-w",
        "start",
    )
    yield f"postgresql+psycopg://{name}@/postgres?host={folder}"
    run(f"{BINARIES}/pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)
