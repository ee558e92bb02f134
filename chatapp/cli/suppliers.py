"""`suppliers`: connect, change, test and delete the running service's suppliers of models.

Keys are asked for and never shown.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from chatapp.cli.forms import Group, as_json
from chatapp.cli.service import Service
from chatapp.cli.terminal import (
    FAILED,
    End,
    confirm,
    cut,
    may_ask,
    note,
    out,
    plain,
    print_json,
    say,
    table,
)

PATH = "/api/suppliers"
KEY_VARIABLE = "CHATAPP_SUPPLIER_KEY"
TEST_SECONDS = 90
MODELS_WIDTH = 60
OWN_NAME = "builtin"  # the built-in model's supplier; no other may have this name

F = TypeVar("F", bound=Callable[..., Any])


def _options(command: F) -> F:
    """Add --option NAME=VALUE to a command."""
    option: Callable[[F], F] = click.option(
        "--option",
        "-o",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help=say("option.supplier_option"),
    )
    return option(command)


@click.group(cls=Group, help=say("help.suppliers"))
def suppliers() -> None:
    """Suppliers of models."""


@suppliers.command("list", help=say("help.suppliers.list"))
@as_json
def list_suppliers(as_json: bool) -> None:
    """List the suppliers, without their keys."""
    rows = Service.from_settings().call("GET", PATH)["items"]
    if as_json:
        print_json(rows)
        return
    if not rows:
        out(say("suppliers.empty"))
        return
    titles = [say("column.name"), say("column.address"), say("column.key"), say("column.models")]
    yes, no = say("word.yes"), say("word.no")
    table(
        titles,
        [
            [
                r["name"],
                r["base_url"],
                yes if r["has_key"] else no,
                cut(", ".join(r["models"]), MODELS_WIDTH),
            ]
            for r in rows
        ],
    )


@suppliers.command(help=say("help.suppliers.presets"))
@as_json
def presets(as_json: bool) -> None:
    """List the suppliers with a known address."""
    rows = Service.from_settings().call("GET", f"{PATH}/presets")["items"]
    if as_json:
        print_json(rows)
        return
    yes, no = say("word.yes"), say("word.no")
    titles = [
        say("column.name"),
        say("column.service"),
        say("column.address"),
        say("column.needs_key"),
    ]
    table(
        titles,
        [[r["name"], r["label"], r["base_url"], yes if r["needs_key"] else no] for r in rows],
    )


@suppliers.command(help=say("help.suppliers.add.long", variable=KEY_VARIABLE))
@click.option("--preset", "-p", metavar="NAME", help=say("option.preset"))
@click.option("--base-url", "-u", metavar="URL", help=say("option.base_url"))
@click.option("--name", "-n", metavar="NAME", help=say("option.supplier_name"))
@click.option(
    "--model", "-m", "models", multiple=True, metavar="MODEL", help=say("option.supplier_model")
)
@_options
@click.option("--key", "key", envvar=KEY_VARIABLE, hidden=True)
@click.option("--untested", is_flag=True, help=say("option.untested"))
@as_json
def add(
    preset: str | None,
    base_url: str | None,
    name: str | None,
    models: tuple[str, ...],
    options: tuple[str, ...],
    key: str | None,
    untested: bool,
    as_json: bool,
) -> None:
    """Ask for a supplier's key, test the supplier and save it."""
    parsed = _parse_options(options)
    if not preset and not base_url:
        raise End(say("suppliers.which"), "invalid_request")
    service = Service.from_settings()
    if name in {OWN_NAME, *(row["name"] for row in service.call("GET", PATH)["items"])}:
        raise End(say("name_taken", name=name), "taken")
    known = next(
        (row for row in service.call("GET", f"{PATH}/presets")["items"] if row["name"] == preset),
        None,
    )
    if preset and known is None:
        raise End(say("suppliers.no_preset", name=preset), "invalid_request")
    key = _key(key, str(known["label"] if known else base_url), known is None or known["needs_key"])
    given: dict[str, Any] = {"preset": preset, "base_url": base_url, "name": name}
    given |= {"api_key": key, "options": parsed}
    body: dict[str, Any] = {field: value for field, value in given.items() if value}
    offered: list[str] = []
    if not untested:
        tested = service.call(
            "POST",
            f"{PATH}/test",
            {each: body[each] for each in body if each != "name"},
            TEST_SECONDS,
        )
        if not tested["ok"]:
            raise End(plain(tested["error"]["message"]), tested["error"]["code"])
        offered = tested["models"]
        body["base_url"] = tested["base_url"]  # as it is understood
    body["models"] = list(models) or _choose(known["models"] if known else [], offered)
    row = service.call("POST", PATH, body)
    if as_json:
        print_json(row)
        return
    out(say("suppliers.added", name=plain(row["name"]), models=cut(", ".join(row["models"]), 200)))
    if not row["models"]:
        note(say("suppliers.no_models"))


@suppliers.command("set", help=say("help.suppliers.set"))
@click.argument("name", metavar="NAME")
@click.option(
    "--model", "-m", "models", multiple=True, metavar="MODEL", help=say("option.supplier_model")
)
@_options
@as_json
def change(name: str, models: tuple[str, ...], options: tuple[str, ...], as_json: bool) -> None:
    """Change a supplier's models or options."""
    parsed = _parse_options(options)
    service = Service.from_settings()
    row = _find(service, name)
    if row["source"] == "environment":
        raise End(say("suppliers.environment"), "forbidden")
    if not models and not parsed:
        raise End(say("not_done"), "invalid_request")
    body: dict[str, Any] = {"models": list(models)} if models else {}
    if parsed:
        body["options"] = parsed
    changed = service.call("PATCH", f"{PATH}/{row['id']}", body)
    if as_json:
        print_json(changed)
        return
    out(say("suppliers.changed", name=plain(changed["name"])))


@suppliers.command(help=say("help.suppliers.test"))
@click.argument("name", metavar="NAME")
@as_json
def test(name: str, as_json: bool) -> None:
    """Test a saved supplier."""
    service = Service.from_settings()
    tested = service.call("POST", f"{PATH}/{_find(service, name)['id']}/test", {}, TEST_SECONDS)
    if as_json:
        print_json(tested)
    elif tested["ok"]:
        out(say("suppliers.works", name=name, models=len(tested["models"]), ms=tested["ms"]))
        if tested.get("note"):
            note(plain(tested["note"]))
    else:
        note(plain(tested["error"]["message"]))
    if not tested["ok"]:
        raise click.exceptions.Exit(FAILED)


@suppliers.command(help=say("help.suppliers.delete"))
@click.argument("name", metavar="NAME")
@click.option("--yes", "-y", is_flag=True, help=say("option.yes"))
@as_json
def delete(name: str, yes: bool, as_json: bool) -> None:
    """Delete a supplier and its key."""
    service = Service.from_settings()
    row = _find(service, name)
    if row["source"] == "environment":
        raise End(say("suppliers.environment"), "forbidden")
    if not yes and not confirm(say("suppliers.delete", name=name)):
        raise End(say("not_done") if may_ask() else say("say_yes"), "not_confirmed")
    service.call("DELETE", f"{PATH}/{row['id']}")
    if as_json:
        print_json({"deleted": row["id"]})
        return
    out(say("suppliers.deleted", name=plain(name)))


def _parse_options(written: tuple[str, ...]) -> dict[str, Any]:
    """Parse NAME=VALUE pairs: the value is JSON if it can be read as such, else text."""
    parsed: dict[str, Any] = {}
    for pair in written:
        name, equals, value = pair.partition("=")
        if not (name.strip() and equals):
            raise End(say("suppliers.bad_option", option=pair), "invalid_request")
        try:
            parsed[name.strip()] = json.loads(value)
        except ValueError:
            parsed[name.strip()] = value
    return parsed


def _key(given: str | None, label: str, required: bool) -> str:
    """Return the key: from the environment, else from a prompt, else from standard input."""
    if given or not required:
        return given or ""
    if may_ask():
        return str(
            click.prompt(
                say("suppliers.key", label=label),
                hide_input=True,
                default="",
                show_default=False,
                err=True,
            )
        ).strip()
    return sys.stdin.readline().strip()


def _choose(suggested: list[str], offered: list[str]) -> list[str]:
    """Return the models to save: the suggested ones that are offered, else all that are offered."""
    return [model for model in suggested if model in offered] or offered or suggested


def _find(service: Service, name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = service.call("GET", PATH)["items"]
    found = next((row for row in rows if name in (row["name"], row["id"])), None)
    if found is None:
        names = ", ".join(plain(row["name"]) for row in rows) or say("word.none")
        raise End(say("suppliers.none", name=name, names=names), "not_found")
    return found
