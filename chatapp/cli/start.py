"""`prepare`, which the service runs before it listens, its greeting; `link`: sign-in links."""

import getpass
import os
import shlex
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import click
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import ArgumentError, OperationalError

from chatapp.chat.answers import heartbeats, reap
from chatapp.child import die_with_parent
from chatapp.cli.forms import Command, as_json
from chatapp.cli.service import link_url
from chatapp.cli.terminal import End, error_text, out, print_json, say
from chatapp.errors import ChatAppError, DiskFull
from chatapp.home import UNIX, model_folder, tighten, url_of, write_greeting
from chatapp.identity.accounts import Accounts
from chatapp.identity.tokens import LINK_HOURS
from chatapp.knowledge.bases import Knowledge
from chatapp.settings import BUILTIN, OFF, Settings, ssh_server
from chatapp.storage.database import Database, open_database
from chatapp.storage.disk import disk_fault
from chatapp.storage.migrate import migrate
from chatapp.storage.models import Supplier

MANUAL = Path(__file__).parent.parent.parent / "docs" / "manual"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@click.command(cls=Command, help=say("help.link"))
@click.option("--url", metavar="URL", help=say("option.url"))
@as_json
def link(url: str | None, as_json: bool) -> None:
    """Print a new one-time sign-in link for the administrator."""
    settings = Settings.from_env()
    secret = Accounts(existing_database(settings)).new_link()
    address = url.rstrip("/") if url else link_url(settings)
    print_json({"link": f"{address}/sign-in#{secret}"}) if as_json else out(
        sign_in(address, secret)
    )


@click.command(cls=Command, hidden=True)
@click.option(
    "--greet",
    "address",
    metavar="ADDRESS",
    help="Also reap lost answers and write the greeting for the terminal; for a start.",
)
def prepare(address: str | None) -> None:
    """Bring the home folder up to date; the service runs this at each start and reload."""
    die_with_parent(signal.SIGTERM)
    settings = Settings.from_env()
    tighten(settings)
    try:
        database = open_database(settings.sql_url)
        if settings.sqlite_file and settings.sqlite_file.exists():
            database.connect()  # for `migrate` too, which could not on a full disk
        migrate(settings)
        database.fill_reserve()
        accounts = Accounts(database)
        secret = accounts.ensure_admin(settings.admin_password, settings.token)
        accounts.terminal_token(settings.home / "token")
        with suppress(DiskFull):  # was logged; the service starts, so that users can delete
            Knowledge(database, settings).install_manual(MANUAL)
        if address is not None:
            # The home is locked, so no other process writes answers on SQLite: unfinished ones
            # are from an earlier service that was killed.
            if database.sqlite and settings.helpers:
                with suppress(DiskFull):
                    database.write(lambda t: reap(t, heartbeats(t)))
            text = greeting(settings, address, secret, _count_suppliers(database))
            _write_greeting(settings, text)
        database.close()
    except (OperationalError, OSError) as fault:
        sys.exit(_explain(settings, fault))
    except ChatAppError:
        raise
    except Exception as fault:
        sys.exit(_explain(settings, fault))


def _write_greeting(settings: Settings, text: str) -> None:
    try:
        write_greeting(settings.home, text)
    except OSError as fault:
        if disk_fault(fault) is None:
            raise


def greeting(settings: Settings, address: str, secret: str | None, suppliers: int) -> str:
    """Return what the terminal shows when the service has started."""
    unix = address.startswith(UNIX)
    public = settings.public_url.home if settings.public_url else (unix and settings.url)
    url = (public or url_of(address)).rstrip("/")
    blocks = ["", say("greet.address", url=public or (address if unix else url)), ""]
    if settings.auth == "off":
        blocks.append(say("greet.auth_off"))
    elif secret:
        blocks.append(sign_in(url, secret))
    else:
        blocks.append(say("greet.password"))
    if not settings.public_url and (tunnel := _tunnel(address)):
        blocks += [say("greet.ssh"), f"  {tunnel}"]
    blocks += ["", say("greet.curl"), f"  {_curl(settings, address)}", ""]
    blocks.append(say("greet.data", home=settings.home))
    if not suppliers and not settings.openai_api_key:
        blocks.append(say("greet.no_model"))
    if settings.embedder == OFF or (settings.embedder == BUILTIN and model_folder() is None):
        blocks.append(say("greet.no_vectors"))
    blocks += [say("greet.end"), ""]
    return "\n".join("  " + line if line else "" for block in blocks for line in block.split("\n"))


def existing_database(settings: Settings) -> Database:
    """Open the database of this home folder; raise End if the service has never started."""
    if settings.sqlite_file and not settings.sqlite_file.exists():
        raise End(say("never_started"), "never_started")
    return open_database(settings.sql_url)


def sign_in(url: str, secret: str) -> str:
    """Return a sign-in link with its explanation."""
    return f"{say('greet.sign_in', hours=LINK_HOURS)}\n  {url}/sign-in#{secret}"


def _curl(settings: Settings, address: str) -> str:
    token = settings.home / "token"
    if token.is_relative_to(Path.cwd()):
        token = token.relative_to(Path.cwd())
    who = (
        ""
        if settings.auth == "off"
        else f'-H "Authorization: Bearer $(cat {shlex.quote(str(token))})" '
    )
    path = address.removeprefix(UNIX)
    through = f"--unix-socket {shlex.quote(path)} " if path != address else ""
    question = say("greet.question")
    return (
        f"curl -N {through}{url_of(address)}/chat/stream {who}-H 'Content-Type: application/json'"
        f' -d \'{{"question": "{question}"}}\''
    )


def _tunnel(address: str) -> str | None:
    """Return the `ssh -L` line for a loopback service; None unless this is an SSH session."""
    host, _, port = address.rpartition(":")
    server = ssh_server()
    if server is None or host not in LOOPBACK:
        return None
    name, ssh_port = server
    option = f"-p {ssh_port} " if ssh_port != 22 else ""
    return f"ssh -L {port}:{host}:{port} {option}{getpass.getuser()}@{name}"


def _count_suppliers(database: Database) -> int:
    query = select(func.count()).select_from(Supplier).where(Supplier.enabled)
    return database.read(lambda t: t.scalar(query) or 0)


def _explain(settings: Settings, fault: Exception) -> str:
    """Return a sentence about a fault; the traceback goes into HOME/start.log."""
    try:
        make_url(settings.sql_url)
    except (ArgumentError, ValueError):
        return say("setting.database", name="DATABASE_URL")
    if isinstance(fault, OperationalError) and not settings.sqlite_file:
        return say("database_unreachable")
    if "disk is full" in str(fault):  # SQLite's words, from a migration
        return error_text(DiskFull())
    if isinstance(fault, PermissionError) or "readonly" in str(fault):
        return say("home_unwritable", home=settings.home)
    file = settings.home / "start.log"
    try:
        file.write_text("".join(traceback.format_exception(fault)), encoding="utf-8")
        os.chmod(file, 0o600)
    except OSError as another:
        full = disk_fault(another)
        return error_text(full) if full else say("home_unwritable", home=settings.home)
    return say("prepare_failed", file=file)
