"""A PostgreSQL server on a socket, for tests that compare with it."""

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from chatapp.child import die_with_parent
from chatapp.storage.database import Database, open_database
from chatapp.storage.models import Base
from tests.support.service import wait_for

BINARIES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
NEEDS_POSTGRES = pytest.mark.skipif(BINARIES is None, reason="no PostgreSQL on this machine")
BOTH = ["sqlite", pytest.param("postgresql", marks=NEEDS_POSTGRES)]  # parameters of a fixture


@contextmanager
def empty_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """Yield a database with all tables, of the kind that a fixture with BOTH asks for."""
    is_sqlite = request.param == "sqlite"
    made = open_database(
        f"sqlite:///{folder}/chatapp.db" if is_sqlite else request.getfixturevalue("postgres")
    )
    Base.metadata.create_all(made.engine)
    yield made
    Base.metadata.drop_all(made.engine)
    made.close()


def new_database(postgres: str, name: str) -> str:
    """Make an empty database on a server; return its URL."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return postgres.replace("/postgres?", f"/{name}?")


@contextmanager
def postgres_server(address: str = "", network: str = "") -> Iterator[str]:
    """Start a server on a socket and yield its URL, as another user if run by root.

    With an address it also listens there, and trusts a network.
    """
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
    if network:
        with open(folder / "data" / "pg_hba.conf", "a") as rules:
            rules.write(f"host all all {network} trust\n")
    options = (f"listen_addresses={address}", f"unix_socket_directories={folder}", "fsync=off")
    server = subprocess.Popen(
        [f"{BINARIES}/postgres", "-D", f"{folder}/data", *(f"-c{option}" for option in options)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: die_with_parent(signal.SIGQUIT),  # an immediate shutdown
        **user,
    )
    wait_for(lambda: _accepts(folder), what="PostgreSQL accepts connections")
    yield f"postgresql+psycopg://{name}@/postgres?host={folder}"
    server.send_signal(signal.SIGQUIT)
    server.wait(30)
    shutil.rmtree(folder, ignore_errors=True)


def postgres_process(url: str) -> int:
    """Return the first process of a server that `postgres_server` started."""
    folder = Path(url.partition("host=")[2])
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _accepts(folder: Path) -> bool:
    command = [f"{BINARIES}/pg_isready", "-q", "-h", str(folder)]
    return subprocess.run(command, check=False).returncode == 0
