"""`users`: accounts, in the database of this machine's service, running or not."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from chatapp.cli.forms import Group, as_json
from chatapp.cli.service import link_url
from chatapp.cli.start import existing_database
from chatapp.cli.terminal import End, confirm, may_ask, out, plain, print_json, say, table
from chatapp.errors import Forbidden, InvalidRequest, NotFound
from chatapp.home import host_id
from chatapp.identity.accounts import Accounts
from chatapp.identity.audit import Audit, Entry
from chatapp.identity.person import ADMIN_ROLE, MEMBER_ROLE
from chatapp.identity.tokens import LINK_HOURS
from chatapp.identity.users import Users
from chatapp.knowledge.bases import Knowledge
from chatapp.settings import Settings

T = TypeVar("T")
ROLES = {"administrator": ADMIN_ROLE, "member": MEMBER_ROLE}
NEW_ROLES = {"administrator": "users.is_administrator", "member": "users.is_member"}
STATES = {
    "active": "users.state_active",
    "invited": "users.state_invited",
    "disabled": "users.state_disabled",
}


@click.group(cls=Group, help=say("help.users"))
def users() -> None:
    """Manage accounts."""


@users.command("list", help=say("help.users.list"))
@as_json
def list_users(as_json: bool) -> None:
    """List the accounts."""
    rows = _open().all()
    if as_json:
        print_json(rows)
        return
    titles = [say("column.name"), say("column.role"), say("column.password"), say("column.state")]
    table(
        titles, [[r["name"] or r["id"], _role(r), _yes(r["has_password"]), _state(r)] for r in rows]
    )


@users.command(help=say("help.users.add"))
@click.argument("name", metavar="NAME")
@click.option("--url", metavar="URL", help=say("option.url"))
@as_json
def add(name: str, url: str | None, as_json: bool) -> None:
    """Create an account and a sign-in link."""
    people = _open()
    user = _run(lambda: people.add(name), name)
    _record("account.create", user["name"], user["id"])
    link = _link(people, user["name"], url)
    if as_json:
        print_json({**user, "link": link})
        return
    out(say("users.added", name=plain(user["name"])))
    _print_link(user["name"], link)


@users.command(help=say("help.users.link"))
@click.argument("name", metavar="NAME")
@click.option("--url", metavar="URL", help=say("option.url"))
@as_json
def link(name: str, url: str | None, as_json: bool) -> None:
    """Print a new sign-in link for an account."""
    made = _link(_open(), name, url)
    _record("account.link", name)
    if as_json:
        print_json({"link": made})
        return
    _print_link(name, made)


@users.command(help=say("help.users.reset"))
@click.argument("name", metavar="NAME")
@click.option("--url", metavar="URL", help=say("option.url"))
@as_json
def reset(name: str, url: str | None, as_json: bool) -> None:
    """Remove a password and print a link to choose another."""
    settings = Settings.from_env()
    database = existing_database(settings)
    people = Users(database)
    _run(lambda: people.forget_password(name), name)
    _record("account.reset", name)
    if (file := settings.home / "token").exists():  # the administrator's has ended too
        Accounts(database).terminal_token(file, host_id(settings.home))
    made = _link(people, name, url)
    if as_json:
        print_json({"link": made})
        return
    out(say("users.reset", name=name))
    _print_link(name, made)


@users.command(help=say("help.users.disable"))
@click.argument("name", metavar="NAME")
@as_json
def disable(name: str, as_json: bool) -> None:
    """Disable an account."""
    _run(lambda: _open().set_disabled(name, True), name)
    _record("account.disable", name)
    print_json({"disabled": name}) if as_json else out(say("users.disabled", name=name))


@users.command(help=say("help.users.enable"))
@click.argument("name", metavar="NAME")
@as_json
def enable(name: str, as_json: bool) -> None:
    """Enable an account."""
    _run(lambda: _open().set_disabled(name, False), name)
    _record("account.enable", name)
    print_json({"enabled": name}) if as_json else out(say("users.enabled", name=name))


@users.command(help=say("help.users.role"))
@click.argument("name", metavar="NAME")
@click.argument("role", metavar="ROLE", type=click.Choice(ROLES))
@as_json
def role(name: str, role: str, as_json: bool) -> None:
    """Make an account an administrator's or a member's."""
    changed = _run(lambda: _open().set_role(name, ROLES[role]), name)
    print_json(changed) if as_json else out(say(NEW_ROLES[role], name=name))


@users.command(help=say("help.users.delete"))
@click.argument("name", metavar="NAME")
@click.option("--yes", "-y", is_flag=True, help=say("option.yes"))
@as_json
def delete(name: str, yes: bool, as_json: bool) -> None:
    """Delete an account with all its data."""
    settings = Settings.from_env()
    database = existing_database(settings)
    people = Users(database)
    user_id = _run(lambda: people.require_deletable(name), name)
    if not yes and not confirm(say("users.delete", name=name)):
        raise End(say("not_done") if may_ask() else say("say_yes"), "not_confirmed")
    Knowledge(database, settings).delete_all_of(user_id)
    people.delete(user_id)
    _record("account.delete", name, user_id)
    print_json({"deleted": user_id}) if as_json else out(say("users.deleted", name=name))


def _open() -> Users:
    return Users(existing_database(Settings.from_env()))


def _record(action: str, name: str, user_id: str | None = None) -> None:
    """Add to the audit log what the terminal has done to an account."""
    settings = Settings.from_env()
    entry = Entry(action, target=name, target_id=user_id)
    Audit(existing_database(settings), settings).record(entry)


def _run(do: Callable[[], T], name: str) -> T:
    """Run `do`; turn its errors into sentences."""
    try:
        return do()
    except InvalidRequest as fault:
        taken = ("taken", {}) in fault.reasons.values()
        raise End(
            say("name_taken", name=name) if taken else say("users.no_name"), fault.code
        ) from fault
    except NotFound as fault:
        raise End(say("users.none", name=name), fault.code) from fault
    except Forbidden as fault:
        last = fault.detail == "last_admin"
        key = "users.last_admin" if last else "users.is_disabled"
        raise End(say(key, name=name), fault.code) from fault


def _link(people: Users, name: str, url: str | None) -> str:
    address = url.rstrip("/") if url else link_url(Settings.from_env())
    return f"{address}/sign-in#{_run(lambda: people.new_link(name), name)}"


def _print_link(name: str, link: str) -> None:
    out(say("users.sign_in", name=plain(name), hours=LINK_HOURS))
    out(f"  {link}")


def _role(row: dict[str, Any]) -> str:
    return say("users.admin") if row["role"] == ADMIN_ROLE else say("users.user")


def _state(row: dict[str, Any]) -> str:
    return say(STATES[row["status"]])


def _yes(value: bool) -> str:
    return say("word.yes") if value else say("word.no")
