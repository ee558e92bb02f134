"""A PostgreSQL database as a file: pg_dump and pg_restore, found, connected and run."""

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from sqlalchemy import Connection, make_url, text
from sqlalchemy.orm import Session

DEBIANS = Path("/usr/lib/postgresql")  # all installed versions; PATH has one
_MOST_ERROR = 500  # characters


class DumpFault(Exception):
    """A program is missing or failed; `key` and `params` are those of the terminal's sentence."""

    def __init__(self, key: str, said: str, **params: object) -> None:
        super().__init__(said)
        self.key = key
        self.params = {"said": said, **params}


def server_version(connection: Connection | Session) -> int:
    """Return the major version of the server."""
    return int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000


def begin(connection: Connection | Session) -> None:
    """Begin a transaction that sees one moment, however long it takes to write it."""
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def dump(url: str, connection: Connection | Session, target: Path) -> None:
    """Write what a transaction sees that began with `begin`, and read the file once.

    Raises DumpFault, and OSError on a full disk; nothing is left then. The target's folder has to
    be private.
    """
    version = server_version(connection)
    program, reader = find("pg_dump", version), find("pg_restore", version)
    snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
    with _connection(url, target.parent) as database:
        _run(program, "--format=custom", f"--snapshot={snapshot}", f"--file={target}", database)
    _run(reader, f"--file={os.devnull}", str(target))


def load(url: str, version: int, source: Path) -> None:
    """Fill an empty database in one transaction; raise DumpFault."""
    options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
    with _connection(url, source.parent) as database:
        _run(find("pg_restore", version), *options, database, str(source))


def find(name: str, version: int) -> str:
    """Return the path of a program that is no older than the server; raise DumpFault."""
    here = shutil.which(name)
    found = [here] if here else []
    found += [str(path) for path in DEBIANS.glob(f"*/bin/{name}")]
    have = {path: _version(path) for path in found}
    fitting = [path for path in found if have[path] >= version]
    if not fitting:
        newest = max(have.values(), default=0)
        key = "program_old" if newest else "program_missing"
        said = f"{name} {newest} is older than the server, {version}." if newest else ""
        raise DumpFault(key, said, program=name, wanted=version, have=newest)
    return min(fitting, key=lambda path: have[path])


def _version(path: str) -> int:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.search(r"(\d+)", done.stdout)
    return int(found[1]) if found and done.returncode == 0 else 0


@contextmanager
def _connection(url: str, folder: Path) -> Iterator[str]:
    """Yield the option that names the database; the password is in a private file meanwhile."""
    parsed = make_url(url)
    arguments = {
        **parsed.translate_connect_args(username="user", database="dbname"),
        **parsed.query,
    }
    password = re.sub(r"([\\:])", r"\\\1", str(arguments.pop("password", "")))
    with NamedTemporaryFile("w", prefix=".password-", dir=folder) as file:  # of mode 0600
        if password:
            file.write(f"*:*:*:*:{password}\n")
            file.flush()
            arguments["passfile"] = file.name
        from psycopg.conninfo import make_conninfo  # a tenth of the time of a command on SQLite

        yield f"--dbname={make_conninfo(**arguments)}"


def _run(*command: str) -> None:
    """Run a program; raise DumpFault with what it said, and OSError on a full disk."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:_MOST_ERROR]
        if "No space left" in said:
            raise OSError(errno.ENOSPC, said)
        raise DumpFault("program_failed", said, program=Path(command[0]).name)
