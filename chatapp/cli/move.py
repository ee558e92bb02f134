"""`move-database`: move the home's SQLite database to PostgreSQL, and compare the two."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
from sqlalchemy import make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.orm import Session

from chatapp import setting_types
from chatapp.cli.checks.repairs import unreachable_database
from chatapp.cli.forms import Command, as_json
from chatapp.cli.terminal import MISUSED, End, is_watched, out, plain, print_json, say
from chatapp.errors import DatabaseBusy
from chatapp.home import HomeTaken, take_lock
from chatapp.knowledge.search.lexical_copy import database_parts
from chatapp.settings import Settings
from chatapp.storage.copying import Difference, compare_all, open_read_only
from chatapp.storage.database import Database, open_database
from chatapp.storage.faults import refusal
from chatapp.storage.moving import begin, empty, end, move

DRIVER = "postgresql+psycopg"


@click.command(cls=Command, help=say("help.move.long"))
@click.argument("url", metavar="[URL]", required=False)
@click.option("--check", "only_check", is_flag=True, help=say("option.move_check"))
@click.option("--start-over", is_flag=True, help=say("option.start_over"))
@as_json
def move_database(url: str | None, only_check: bool, start_over: bool, as_json: bool) -> None:
    """Move the SQLite database to PostgreSQL."""
    settings = Settings.from_env()
    file = settings.sqlite_file or settings.home / "chatapp.db"
    if not file.is_file():
        raise End(say("never_started"), "never_started")
    moved = replace(settings, database_url=_target(url or settings.database_url))
    shown = make_url(moved.sql_url).render_as_string(hide_password=True)
    with _locked(settings.home), _opened(file, moved.sql_url) as (source, target):
        if not only_check:
            _say(say("move.from", file=file, url=shown), as_json)
            _move(source, target, moved, start_over, as_json)
        _say(say("move.compare"), as_json)
        found = _compare(source, target, as_json)
        if not only_check:
            end(target)
    rows = sum(each.rows for each in found)
    if as_json:
        print_json({"rows": rows, "tables": {each.part: each.rows for each in found}})
    elif only_check:
        out(say("move.same", rows=f"{rows:,}"))
    else:
        out(say("move.done", rows=f"{rows:,}"))
        out(f"  DATABASE_URL={shown}")
        out(say("move.stays", home=settings.home, file=file))


def _target(url: str) -> str:
    """Return the URL of the PostgreSQL database; raise End for any other."""
    try:
        if make_url(setting_types.database_url(url)).drivername == DRIVER:
            return url
    except (ArgumentError, ValueError) as fault:
        if url.startswith(f"{DRIVER}://"):
            raise End(say("setting.database", name="URL"), "no_target", MISUSED) from fault
    raise End(say("move.no_target"), "no_target", MISUSED)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Keep the service of this home from starting."""
    try:
        lock = take_lock(home)
    except HomeTaken as taken:
        raise End(say("move.running", home=home, pid=taken.pid), "running") from taken
    with lock:
        yield


@contextmanager
def _opened(file: Path, url: str) -> Iterator[tuple[Database, Database]]:
    source, target = open_read_only(file), open_database(url)
    try:
        target.read(lambda t: t.execute(text("SELECT 1")))
    except DatabaseBusy as fault:
        raise End(unreachable_database(fault), fault.code) from fault
    try:
        yield source, target
    except DatabaseError as fault:
        if why := refusal(fault):
            raise End(say("database_forbidden", why=why), "forbidden") from fault
        if not isinstance(fault.orig, sqlite3.Error):
            raise
        raise End(say("database_damaged", file=file), "damaged") from fault
    finally:
        source.close()
        target.close()


def _move(
    source: Database, target: Database, settings: Settings, start_over: bool, quiet: bool
) -> None:
    parts = database_parts()
    if start_over:
        empty(target)
    begin(parts, source, target, settings)
    move(parts, source, target, _ignore if quiet else _show)


def _show(part: str, done: int, rows: int) -> None:
    """Print how many rows of a table are there: on a terminal often, else when all are."""
    line = say("move.rows", table=part, done=f"{done:,}", rows=f"{rows:,}")
    if is_watched():
        click.echo(f"\r{line}", nl=done == rows)
    elif done == rows > 0:
        out(line)


def _ignore(*_: object) -> None:
    """Show no progress."""


def _compare(source: Database, target: Database, quiet: bool) -> list[Difference]:
    """Compare all rows; raise End if some differ."""
    parts = database_parts()

    def compare(t: Session, other: Session) -> Iterator[Difference]:
        for each in compare_all(parts, t, other):
            if is_watched() and not quiet:
                _show(each.part, each.rows, each.rows)
            yield each

    found = source.read(lambda t: target.read(lambda other: [*compare(t, other)]))
    if differing := [each for each in found if each]:
        for each in differing:
            _say(_described(each), quiet)
        raise End(say("move.differs"), "differs")
    return found


def _described(found: Difference) -> str:
    keys = "; ".join(", ".join(map(str, key)) for key in found.keys)
    counts = {"missing": found.missing, "added": found.added, "changed": found.changed}
    return plain(say("move.difference", table=found.part, keys=keys, **counts))


def _say(line: str, quiet: bool) -> None:
    if not quiet:
        out(line)
