"""`secret`: whether this host has the database's key, and how to go on with another key."""

import click

from chatapp.chat.supplier_options import forget_keys
from chatapp.cli.forms import Command, as_json
from chatapp.cli.start import existing_database
from chatapp.cli.terminal import End, confirm, may_ask, out, print_json, program, say
from chatapp.home import helpers_run
from chatapp.identity.host_key import adopt_key, key_place, recorded_key
from chatapp.identity.secrets import Secret, SecretDamaged, replace_key_file
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.storage.migrate import migrate
from chatapp.storage.pools import other_connections


@click.command(cls=Command, help=say("help.secret"))
@click.option("--replace", "replaces", is_flag=True, help=say("option.secret.replace"))
@click.option("--yes", "-y", is_flag=True, help=say("option.yes"))
@as_json
def secret(replaces: bool, yes: bool, as_json: bool) -> None:
    """Compare this host's key with the database's, or make it the database's."""
    settings = Settings.from_env()
    database = existing_database(settings)
    migrate(settings)  # it may stop an update from starting
    recorded = recorded_key(database)
    found = _found(settings)
    if replaces:
        _replace(database, settings, found, recorded, yes=yes, as_json=as_json)
        return
    if as_json:
        here = found.fingerprint if found else None
        print_json({"here": here, "database": recorded, "place": key_place(settings)})
    elif found is None:
        raise End(say("secret_missing", where=key_place(settings), program=program()), "no_key")
    elif recorded not in (None, found.fingerprint):
        raise End(say("secret_wrong", where=key_place(settings), program=program()), "wrong_key")
    else:
        out(say("secret.same", where=key_place(settings), fingerprint=found.fingerprint))


def _replace(
    database: Database,
    settings: Settings,
    found: Secret | None,
    recorded: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    if helpers_run(settings.home):
        raise End(say("secret.running"), "running")
    if others := database.read(other_connections):
        addresses = ", ".join(sorted(set(others)))
        message = say("secret.other_hosts", count=len(others), addresses=addresses)
        raise End(message, "running")
    is_same = found is not None and found.fingerprint == recorded
    if is_same and settings.secret_key:
        raise End(say("secret.set_another"), "same_key")
    if not yes and not confirm(say("secret.confirm")):
        raise End(say("not_done" if may_ask() else "say_yes"), "not_confirmed")
    new = replace_key_file(settings) if found is None or is_same else found
    forgotten, ended = database.write_deletion(lambda t: (forget_keys(t), adopt_key(t, new)))
    if as_json:
        print_json({"suppliers": forgotten, "logins": ended, "fingerprint": new.fingerprint})
        return
    out(say("secret.replaced", suppliers=forgotten, logins=ended))
    out(say("secret.next", where=key_place(settings)))


def _found(settings: Settings) -> Secret | None:
    """Return this host's key; a damaged file is none."""
    try:
        return Secret.find(settings)
    except SecretDamaged:
        return None
