"""The command line, `python -m chatapp …`. Texts come from the catalogue, in the terminal's language."""

import getpass
import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any

import click
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from chatapp import __version__, words
from chatapp.accounts import LINK_HOURS, Accounts
from chatapp.database import Database, open_database
from chatapp.errors import ChatAppError
from chatapp.knowledge import Knowledge
from chatapp.migrate import migrate
from chatapp.models import Supplier, now
from chatapp.records import reap
from chatapp.services import model_folder
from chatapp.settings import BUILTIN, OFF, Settings, SettingsError, ssh_server, terminal_language

MANUAL = Path(__file__).parent.parent / "docs" / "manual"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EVERYWHERE = ("0.0.0.0", "[::]")


def main() -> None:
    """Run a command; what goes wrong is one sentence and exit code 1."""
    try:
        commands()
    except SettingsError as fault:
        sys.exit(str(fault))
    except ChatAppError as fault:
        sys.exit(words.say(terminal_language(), fault.key, fault.params))
    except PermissionError as fault:
        sys.exit(_say("home_unwritable", home=fault.filename))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """A chat over your own documents."""


@commands.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


@commands.command()
@click.option("--url", help="The address that people use, where it is not the one this service listens on.")
def link(url: str | None) -> None:
    """Print a new one-time sign-in link for the administrator."""
    settings = Settings.from_env()
    if settings.sqlite_file and not settings.sqlite_file.exists():
        sys.exit(_say("never_started"))
    database = open_database(settings.sql_url)
    click.echo(_sign_in((url or _url(settings.bind)).rstrip("/"), Accounts(database).new_link()))


@commands.command("eval")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--words-only", is_flag=True, help="Search by words alone, without the built-in embedder.")
def evaluation(file: Path, words_only: bool) -> None:
    """Measure how well answers are found, on questions in SQuAD's format; what is stored here is not touched."""
    from chatapp.knowledge.evaluate import evaluate  # it needs the built-in model, which no other command does

    try:
        report = evaluate(file, say=lambda words: click.echo(words, err=True), with_embedder=not words_only)
    except (KeyError, TypeError, ValueError):
        sys.exit(_say("eval_format", file=file))
    click.echo("\n".join(report.lines()))


@commands.command(hidden=True)
@click.option("--greet", "address", help="Do what a start needs besides, and print what the person who starts it should read.")
def prepare(address: str | None) -> None:
    """Bring the home folder up to date; the service does this whenever it starts or reloads."""
    settings = Settings.from_env()
    try:
        migrate(settings)
        database = open_database(settings.sql_url)
        accounts = Accounts(database)
        secret = accounts.ensure_admin(settings.admin_password, settings.token)
        accounts.terminal_token(settings.home / "token")
        Knowledge(database, settings).install_manual(MANUAL)
        if address is not None:
            # whatever an earlier service was writing is lost: on SQLite all of it, since the home folder is ours alone
            database.write(lambda t: reap(t, now() if database.sqlite else None))
            click.echo(greeting(settings, address, secret, _count_suppliers(database)))
        database.close()
    except (OperationalError, OSError) as fault:
        sys.exit(_explain(settings, fault))
    except ChatAppError:
        raise
    except Exception as fault:
        sys.exit(_explain(settings, fault))


def greeting(settings: Settings, address: str, secret: str | None, suppliers: int) -> str:
    """Return what the terminal shows when the service has started."""
    url = _url(address)
    blocks = ["", _say("greet.address", url=url), ""]
    if settings.auth == "off":
        blocks.append(_say("greet.auth_off"))
    elif secret:
        blocks.append(_sign_in(url, secret))
    if tunnel := _tunnel(address):
        blocks += [_say("greet.ssh"), f"  {tunnel}"]
    blocks += ["", _say("greet.curl"), f"  {_curl(settings, url)}", ""]
    blocks.append(_say("greet.data", home=settings.home))
    if not suppliers and not settings.openai_api_key:
        blocks.append(_say("greet.no_model"))
    if settings.embedder == OFF or (settings.embedder == BUILTIN and model_folder() is None):
        blocks.append(_say("greet.no_vectors"))
    blocks += [_say("greet.end"), ""]
    return "\n".join("  " + line if line else "" for block in blocks for line in block.split("\n"))


def _sign_in(url: str, secret: str) -> str:
    return f"{_say('greet.sign_in', hours=LINK_HOURS)}\n  {url}/sign-in#{secret}"


def _curl(settings: Settings, url: str) -> str:
    token = settings.home / "token"
    if token.is_relative_to(Path.cwd()):
        token = token.relative_to(Path.cwd())
    who = "" if settings.auth == "off" else f'-H "Authorization: Bearer $(cat {shlex.quote(str(token))})" '
    question = _say("greet.question")
    return f"curl -N {url}/chat/stream {who}-H 'Content-Type: application/json' -d '{{\"question\": \"{question}\"}}'"


def _tunnel(address: str) -> str | None:
    """Return the line that brings a loopback service to the machine that somebody came from by SSH."""
    host, _, port = address.rpartition(":")
    server = ssh_server()
    if server is None or host not in LOOPBACK:
        return None
    name, ssh_port = server
    return f"ssh -L {port}:{host}:{port} {f'-p {ssh_port} ' if ssh_port != 22 else ''}{getpass.getuser()}@{name}"


def _url(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"http://{'127.0.0.1' if host in EVERYWHERE else host}:{port}"


def _count_suppliers(database: Database) -> int:
    query = select(func.count()).select_from(Supplier).where(Supplier.enabled)
    return database.read(lambda t: t.scalar(query) or 0)


def _explain(settings: Settings, fault: Exception) -> str:
    """Say what to do in a sentence; the rest goes into a file."""
    if isinstance(fault, OperationalError) and not settings.sqlite_file:
        return _say("database_unreachable")
    if isinstance(fault, PermissionError) or "readonly" in str(fault):
        return _say("home_unwritable", home=settings.home)
    file = settings.home / "start.log"
    file.write_text("".join(traceback.format_exception(fault)), encoding="utf-8")
    os.chmod(file, 0o600)
    return _say("prepare_failed", file=file)


def _say(key: str, **params: Any) -> str:
    return words.say(terminal_language(), f"cli.{key}", params)
