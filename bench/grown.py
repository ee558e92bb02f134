"""Lists and searches in a grown home, against an empty one and one of 1,000 messages.

Each request is made of all homes in turn, and its CPU is measured, so that ratios hold on a busy
machine. In the grown home, by the person who has written most and by one like all others.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from bench.figures import percentile
from bench.grown_home import COMMON, COMMON_HAN, RARE, Grown, make_home
from bench.sizes import table_sizes
from bench.tables import Cell, Table, say
from chatapp import create_app
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.models import User
from chatapp.storage.passages import move_texts
from chatapp.storage.vacuum import rewrite
from chatapp.web.services import Services

AIM = 3  # times the empty home's CPU, of searches that of 1,000 messages
SMALL = Grown(users=1, chats=100, messages=1_000, chunks=1_000)
EMPTY = Grown(users=1, chats=0, messages=0, chunks=0)
SEARCHES = {
    "a rare word": RARE,
    "a word of every message": COMMON,
    "a common and a rare word": f"{COMMON} {RARE}",
    "two Chinese characters": COMMON_HAN,
    "a phrase": f'"{COMMON}. {COMMON_HAN}"',
    "the beginning of a word": RARE[:4],
    "nothing that is there": "quixotically",
    "nothing, in Chinese": "龘龘龘龘",
}
FILES = "/api/knowledge/{base}/files?limit=20"
LISTS = {
    "chats": "/api/sessions?limit=20",
    "knowledge bases": "/api/knowledge",
    "files": FILES,
    "prompts": "/api/prompts",
    "presets": "/api/presets",
    "shared links": "/api/shares",
    "tokens": "/api/auth/tokens",
    "sign-ins": "/api/auth/logins",
    "models": "/api/models",
    "models, OpenAI's protocol": "/v1/models",
    "use": "/api/usage",
}
PARTS = {
    "the next chats": "/api/sessions?limit=20&after={cursor}",
    "the end of a chat": "/api/sessions/{chat}/messages?leaf=current",
    "the next files": FILES + "&after={files}",
    "the chunks of a file": "/api/knowledge/{base}/files/{file}/chunks?limit=20",
}


@dataclass(frozen=True, slots=True)
class Size:
    """The size of the grown home, and how often each request is made."""

    grown: Grown = Grown()
    small: Grown = SMALL
    rounds: int = 15


@dataclass(frozen=True, slots=True)
class Home:
    """A client of one person, with what of theirs is asked for."""

    client: FlaskClient
    ids: Mapping[str, str]

    def cost(self, path: str) -> float:
        """Return the milliseconds of CPU of a request."""
        began = time.process_time()
        reply = self.client.get(path.format(**self.ids))
        cost = 1000 * (time.process_time() - began)
        if reply.status_code != 200:
            raise RuntimeError(f"{path}: {reply.status_code} {reply.text[:200]}")
        return cost


def choose(options: list[str]) -> Size:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench grown")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    given = parser.parse_args(options)
    return Size(Grown(20, 2_000, 20_000, 20_000)) if given.quick else Size()


def measure(size: Size = Size()) -> Iterator[Table]:
    """Make the homes; yield a table of what passages take, one of lists and one of searches."""
    with ExitStack() as opened:
        empty = opened.enter_context(_home("an empty home", EMPTY))[0]
        small = opened.enter_context(_home("1,000 messages", size.small))[0]
        sizes: list[Table] = []
        first, last = opened.enter_context(_home("a grown home", size.grown, sizes))
        yield from sizes
        homes = {"empty": empty, "1,000 messages": small, "grown": last, "grown, most": first}
        yield _table("Lists", homes, LISTS, size.rounds)
        del homes["empty"]
        searches = {name: f"/api/sessions/search?q={quote(q)}" for name, q in SEARCHES.items()}
        yield _table("Searches and parts of lists", homes, searches | PARTS, size.rounds)


@contextmanager
def _home(name: str, size: Grown, sizes: list[Table] | None = None) -> Iterator[list[Home]]:
    """Make a home and open it for its first person and its last one; measure its `sizes`."""
    with tempfile.TemporaryDirectory(prefix="chatapp-bench-") as folder:
        settings = Settings(home=Path(folder), embedder="off", log_level="ERROR")
        began = time.monotonic()
        make_home(settings, size)
        megabytes = (settings.home / "chatapp.db").stat().st_size / 1e6
        say(f"{name}: {megabytes:,.0f} MB, made in {time.monotonic() - began:.0f} s")
        move = _move_passages(settings)
        if sizes is not None:
            sizes.append(move)
        app = create_app(settings)
        services = app.extensions["chatapp"]
        try:
            yield [_client(app, services, f"person{n}") for n in (0, size.users - 1)]
        finally:
            services.runs.close()
            services.database.close()


def _move_passages(settings: Settings) -> Table:
    """Store the passages once, as `chatapp compact` does; return what that gives back."""
    file = settings.home / "chatapp.db"
    before = table_sizes(file)
    database = open_database(settings.sql_url)
    move_texts(database)
    database.close()
    rewrite(file)
    after = table_sizes(file)
    names = [name for name in before | after if before.get(name) != after.get(name)]
    rows = [(name, before.get(name, 0.0), after.get(name, 0.0)) for name in names]
    total = ("all tables", sum(before.values()), sum(after.values()))
    return Table(
        "Passages in the rows of answers, and each stored once: MB by table with its indexes",
        ("", "in rows", "once", "to the first"),
        tuple(
            (name, was, now, now / was if was > 1 else None) for name, was, now in [*rows, total]
        ),
    )


def _client(app: Flask, services: Services, name: str) -> Home:
    its_id = select(User.id).where(User.name == name)
    user_id = services.database.read(lambda t: t.scalars(its_id).one())
    client = app.test_client()
    secret = services.accounts.tokens.issue(user_id, "personal", None, "bench")
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    bases = _page(client, "/api/knowledge")["items"]
    ids = {"base": next(each["id"] for each in bases if each["name"] == "Handbook")}
    chats = _page(client, LISTS["chats"])
    if chats["items"]:
        ids |= {"chat": chats["items"][0]["id"], "cursor": chats["next"] or ""}
        files = _page(client, FILES.format(**ids))
        ids |= {"file": files["items"][0]["id"], "files": files["next"] or ""}
    return Home(client, ids)


def _page(client: FlaskClient, path: str) -> dict[str, Any]:
    page: dict[str, Any] = client.get(path).get_json()
    return page


def _table(title: str, homes: Mapping[str, Home], paths: Mapping[str, str], rounds: int) -> Table:
    """Measure requests to all homes in turn, and compare each with the first home's."""
    rows: list[tuple[Cell, ...]] = []
    for name, path in paths.items():
        for home in homes.values():
            home.cost(path)  # prepares statements
        taken = [[home.cost(path) for home in homes.values()] for _ in range(rounds)]
        costs = [percentile(list(each), 0.5) for each in zip(*taken, strict=True)]
        rows.append((name, *costs, max(costs[1:]) / costs[0]))
    return Table(
        f"{title}: CPU of a request, p50 of {rounds}, ms",
        ("", *homes, "most, to the first"),
        tuple(rows),
        (f"The aim: at most {AIM} times.",),
    )
