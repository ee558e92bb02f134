"""`knowledge`: list, create, search and delete knowledge bases of the running service."""

from typing import Any

import click

from chatapp.cli.forms import Group, as_json
from chatapp.cli.service import Service
from chatapp.cli.terminal import (
    End,
    columns,
    confirm,
    cut,
    is_watched,
    may_ask,
    out,
    plain,
    print_json,
    say,
    table,
)
from chatapp.knowledge.names import base_name

PATH = "/api/knowledge"
STATES = {"empty": "knowledge.empty", "reading": "knowledge.reading", "ready": "knowledge.ready"}


@click.group(cls=Group, help=say("help.knowledge"))
def knowledge() -> None:
    """Knowledge bases."""


@knowledge.command("list", help=say("help.knowledge.list"))
@as_json
def list_bases(as_json: bool) -> None:
    """List the user's knowledge bases, then the bundled manual."""
    bases = Service.from_settings().call("GET", PATH)["items"]
    if as_json:
        print_json(bases)
        return
    titles = [
        say("column.name"),
        say("column.files"),
        say("column.failed"),
        say("column.state"),
        say("column.id"),
    ]
    table(
        titles,
        [[base["name"], base["files"], base["failed"], _state(base), base["id"]] for base in bases],
    )


@knowledge.command(help=say("help.knowledge.create"))
@click.argument("name", metavar="NAME")
@click.option("--description", metavar="TEXT", default="", help=say("option.description"))
@as_json
def create(name: str, description: str, as_json: bool) -> None:
    """Create an empty knowledge base."""
    service = Service.from_settings()
    if any(base_name(base["name"]) == base_name(name) for base in list_of(service)):
        raise End(say("knowledge.taken", name=name), "taken")
    base = service.call("POST", PATH, {"name": name, "description": description})
    if as_json:
        print_json(base)
        return
    out(say("knowledge.created", name=plain(base["name"]), id=base["id"]))


@knowledge.command(help=say("help.knowledge.delete"))
@click.argument("name", metavar="NAME")
@click.option("--yes", "-y", is_flag=True, help=say("option.yes"))
@as_json
def delete(name: str, yes: bool, as_json: bool) -> None:
    """Delete a knowledge base with all its files."""
    service = Service.from_settings()
    base = require_base(service, name)
    asked = say("knowledge.delete", name=plain(base["name"]), files=base["files"])
    if not yes and not confirm(asked):
        raise End(say("not_done") if may_ask() else say("say_yes"), "not_confirmed")
    service.call("DELETE", f"{PATH}/{base['id']}")
    if as_json:
        print_json({"deleted": base["id"]})
        return
    out(say("knowledge.deleted", name=plain(base["name"])))


@knowledge.command(help=say("help.knowledge.search"))
@click.argument("query", metavar="QUESTION")
@click.option("--base", "-b", "name", metavar="NAME", required=True, help=say("option.base_one"))
@click.option(
    "--count", "-n", metavar="N", type=click.IntRange(1, 50), default=5, help=say("option.count")
)
@as_json
def search(query: str, name: str, count: int, as_json: bool) -> None:
    """Search a knowledge base and print the passages."""
    service = Service.from_settings()
    base = find_base(service, name)
    found = service.call("POST", f"{PATH}/{base['id']}/search", {"query": query, "k": count})[
        "items"
    ]
    if as_json:
        print_json(found)
        return
    if not found:
        out(say("knowledge.nothing"))
    for passage in found:
        out(f"[{passage['n']}] {place_of(passage)}")
        out(f"    {cut(passage['text'], 3 * (columns() - 6) if is_watched() else 1000)}")


def place_of(passage: dict[str, Any]) -> str:
    """Return the place of a passage: file, page, heading."""
    file = plain(passage["name"])
    place = say("ask.page", name=file, page=passage["page"]) if passage["page"] else file
    return f"{place} · {plain(passage['heading'])}" if passage["heading"] else place


def find_base(service: Service, name: str) -> dict[str, Any]:
    """Return the base with this name or id, or the only one whose name starts with it."""
    bases = list_of(service)
    if exact := named(bases, name):
        return exact
    begins = base_name(name).casefold()
    found = [base for base in bases if base["name"].casefold().startswith(begins)]
    if len(found) != 1:
        raise _unclear(name, found or bases, "many" if found else "none")
    return found[0]


def require_base(service: Service, name: str) -> dict[str, Any]:
    """Return the base with this exact name or id, for commands that cannot be undone."""
    bases = list_of(service)
    found = named(bases, name)
    if found is None:
        raise _unclear(name, bases, "none")
    return found


def list_of(service: Service) -> list[dict[str, Any]]:
    """Return all knowledge bases."""
    bases: list[dict[str, Any]] = service.call("GET", PATH)["items"]
    return bases


def named(bases: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """Return the base with this name or id, None if there is none; End if there are several."""
    found = [
        base for base in bases if name == base["id"] or base_name(name) == base_name(base["name"])
    ]
    if len(found) > 1:
        raise _unclear(name, found, "many")
    return found[0] if found else None


def _unclear(name: str, bases: list[dict[str, Any]], how: str) -> End:
    if how == "many":
        lines = "\n".join(f"  {base['id']}  {plain(base['name'])}" for base in bases)
        return End(say("knowledge.many", name=name, bases=lines), "ambiguous")
    lines = "\n".join(f"  {plain(base['name'])}" for base in bases)
    return End(say("knowledge.none", name=name, bases=lines), "not_found")


def _state(base: dict[str, Any]) -> str:
    key = STATES.get(base["state"])
    return say(key) if key else str(base["state"])
