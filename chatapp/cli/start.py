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

from chatapp import __version__
from chatapp.chat.reaping import heartbeats, reap
from chatapp.child import die_with_parent
from chatapp.cli.checks.at_start import (
    check_schema,
    explained,
    note_lost_key,
    note_misspelt_settings,
    note_no_copy,
    refuse_lost,
)
from chatapp.cli.checks.repairs import (
    damaged_database,
    lost_database,
    unreachable_database,
    unwritable,
    unwritable_folder,
)
from chatapp.cli.forms import Command, as_json
from chatapp.cli.service import link_url
from chatapp.cli.terminal import End, error_text, out, print_json, program, say
from chatapp.errors import ChatAppError, DiskFull
from chatapp.home import UNIX, host_id, model_folder, tighten, url_of, write_greeting
from chatapp.identity.accounts import Accounts
from chatapp.identity.host_key import WrongKey, agree_on_key, check_key, recorded_key
from chatapp.identity.secrets import Secret, SecretDamaged
from chatapp.identity.tokens import LINK_HOURS
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.images import FOLDER as IMAGES
from chatapp.knowledge.ingest.originals import FOLDER as ORIGINALS
from chatapp.settings import BUILTIN, OFF, Settings, ssh_server
from chatapp.storage.database import Database, open_database
from chatapp.storage.disk import disk_fault
from chatapp.storage.faults import is_damage, refusal
from chatapp.storage.migrate import migrate
from chatapp.storage.models import Supplier
from chatapp.storage.presence import is_lost

MANUAL = Path(__file__).parent.parent.parent / "docs" / "manual"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@click.command(cls=Command, help=say("help.link"))
@click.option("--url", metavar="URL", help=say("option.url"))
@as_json
def link(url: str | None, as_json: bool) -> None:
    """Print a new one-time sign-in link for the administrator."""
    settings = Settings.from_env()
    secret = Accounts(existing_database(settings)).new_link(host_id(settings.home))
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
@click.option("--helpers", "helps", is_flag=True, help="For a host without web workers.")
def prepare(address: str | None, helps: bool) -> None:
    """Bring the home folder up to date; the service runs this at each start and reload."""
    die_with_parent(signal.SIGTERM)
    settings = Settings.from_env()
    tighten(settings)
    note_misspelt_settings()
    refuse_lost(settings)
    try:
        Secret.find(settings)  # a damaged one is reported before anything changes
        _require_moved_files(settings)
        database = open_database(settings.sql_url)
        if settings.sqlite_file and settings.sqlite_file.exists():
            database.connect()  # for `migrate` too, which could not on a full disk
        migrate(settings, on_no_copy=note_no_copy)
        database.fill_reserve()
        check_schema(database, settings)
        accounts, has_password = Accounts(database), True
        if helps:  # nobody signs in here
            check_key(database, settings)
        else:
            has_password = _prepare_identity(database, accounts, settings)
        with suppress(DiskFull):  # was logged; the service starts, so that users can delete
            Knowledge(database, settings).install_manual(MANUAL, __version__)
        if address is not None:
            # The home is locked, so no other process writes answers on SQLite: unfinished ones
            # are from an earlier service that was killed.
            if database.sqlite and settings.helpers:
                with suppress(DiskFull):
                    database.write(lambda t: reap(t, heartbeats(t)))
            # A journal keeps what is printed: a link goes there only until someone has signed in.
            shows_link = sys.stdout.isatty() or not accounts.has_signed_in()
            offers_link = shows_link and not has_password
            secret = accounts.new_link(host_id(settings.home)) if offers_link else None
            text = greeting(settings, address, secret, _count_suppliers(database))
            _write_greeting(settings, text)
        database.close()
    except (OperationalError, OSError) as fault:
        sys.exit(_explain(settings, fault))
    except ChatAppError as fault:
        sys.exit(explained(settings, fault))
    except Exception as fault:
        sys.exit(_explain(settings, fault))


def _prepare_identity(database: Database, accounts: Accounts, settings: Settings) -> bool:
    """Agree with other hosts on the key; make this host's tokens.

    Returns whether the administrator has a password.
    """
    if recorded_key(database) is None:
        note_lost_key(database, settings)
    agree_on_key(database, settings)
    host = host_id(settings.home)
    has_password = accounts.ensure_admin(settings.admin_password, settings.token, host)
    accounts.terminal_token(settings.home / "token", host)
    return has_password


def _require_moved_files(settings: Settings) -> None:
    """Exit if CHATAPP_FILES is set, but this home's files are still in the home."""
    for name in (ORIGINALS, IMAGES):
        old, new = settings.home / name, settings.files_folder / name
        if settings.files and old.is_dir() and any(old.iterdir()) and not new.exists():
            sys.exit(say("files_not_moved", old=old, new=new))


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
    blocks.append(_data(settings))
    if not suppliers and not settings.openai_api_key:
        blocks.append(say("greet.no_model"))
    if settings.embedder == OFF or (settings.embedder == BUILTIN and model_folder() is None):
        blocks.append(say("greet.no_vectors"))
    blocks += [say("greet.end"), ""]
    return "\n".join("  " + line if line else "" for block in blocks for line in block.split("\n"))


def existing_database(settings: Settings) -> Database:
    """Open the database of this home folder; raise End if there is none."""
    require_database(settings)
    return open_database(settings.sql_url)


def require_database(settings: Settings) -> None:
    """Raise End if the database is lost, or if the service has never started."""
    if is_lost(settings):
        raise End(lost_database(settings), "database_lost")
    if settings.sqlite_file and not settings.sqlite_file.exists():
        raise End(say("never_started"), "never_started")


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


def _data(settings: Settings) -> str:
    """Return where the data is: there may be several places to back up."""
    places = [] if settings.sqlite_file else ["PostgreSQL"]
    places += [str(settings.files_folder)] if settings.files else []
    if not places:
        return say("greet.data", home=settings.home)
    return say("greet.data_places", places=", ".join([*places, str(settings.home)]))


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
    if isinstance(fault, SecretDamaged):
        return say("secret_damaged", file=fault.path, program=program())
    if isinstance(fault, WrongKey):
        key = "secret_missing" if fault.missing else "secret_wrong"
        return say(key, where=fault.where, program=program())
    if isinstance(fault, OperationalError) and not settings.sqlite_file:
        return unreachable_database(fault)
    if why := refusal(fault):
        return say("database_forbidden", why=why)
    if "disk is full" in str(fault):  # SQLite's words, from a migration
        return error_text(DiskFull())
    if is_damage(fault):
        return damaged_database(settings)
    if isinstance(fault, OSError | OperationalError) and (why := unwritable(settings)):
        return why
    if isinstance(fault, PermissionError) and not _is_in_home(fault.filename, settings):
        return unwritable_folder(fault.filename)
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


def _is_in_home(path: object, settings: Settings) -> bool:
    return path is None or Path(str(path)).is_relative_to(settings.home)
