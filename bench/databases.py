"""Many answers at once with SQLite and with PostgreSQL, interleaved in one run, one web worker.

CPU is user and system time of the web process, also the part that its database's client takes.
With accounts off everybody is one user; "many people" have an account each. PostgreSQL runs on the
same machine, without fsync.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from bench.designs import OURS_PATH, Running, ask_ours
from bench.figures import Figures, combined, done_after
from bench.processes import require_linux, service
from bench.tables import Cell, Skipped, Table, say
from bench.trial import Workload, field
from chatapp.identity.person import MEMBER_ROLE, person_of
from chatapp.identity.tokens import Tokens
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.models import User
from tests.support.postgres import BINARIES, postgres_server

SQLITE, POSTGRES = "SQLite", "PostgreSQL"
ONE, MANY = "accounts off", "many people"
TOKENS, RATE = 200, 20
AIM_CPU, AIM_FIRST = 1.3, 1.5  # times SQLite's
COLUMNS = ("web: CPU a token, µs", "first token p50, ms", "p99", "gap p99, ms", "done after, s")


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of answers at once, the tokens of each, and how often each load is run."""

    answers: tuple[int, ...] = (100, 400)
    tokens: int = TOKENS
    runs: int = 3


def choose(arguments: Sequence[str]) -> Size:
    """Parse the command line."""
    parser = argparse.ArgumentParser("python -m bench databases")
    parser.add_argument("--quick", action="store_true", help="one run of 100 answers: two minutes")
    parser.add_argument("--runs", type=int, help="of each load with each database")
    given = parser.parse_args(arguments)
    size = Size(answers=(100,), runs=1) if given.quick else Size()
    return Size(size.answers, size.tokens, given.runs or size.runs)


def measure(size: Size = Size()) -> Iterator[Table]:
    """Run each load with both databases in turn; yield a table for each."""
    require_linux()
    if BINARIES is None:
        raise Skipped("This benchmark needs PostgreSQL: apt install postgresql")
    loads = [
        Workload("", f"{count} answers at once", count, size.tokens, RATE) for count in size.answers
    ]
    start = partial(_started, people=max(size.answers))
    with field([loads[0].model], start) as ground:
        for load in loads:
            for who in (ONE, MANY):
                runs: dict[str, list[Figures]] = {SQLITE: [], POSTGRES: []}
                for number in range(size.runs):
                    for kind in runs if number % 2 == 0 else reversed(runs):
                        say(f"{load.label}, {who}, {kind}, {number + 1} of {size.runs}")
                        runs[kind].append(ground.trial(f"{kind}, {who}", load))
                yield _table(load, who, {kind: combined(each) for kind, each in runs.items()})


@contextmanager
def _started(name: str, model_port: int, models: Sequence[str], people: int) -> Iterator[Running]:
    """Start the product with a database and a number of people, by a name such as "SQLite, …"."""
    kind, _, who = name.partition(", ")
    with (
        postgres_server() if kind == POSTGRES else nullcontext("") as url,
        serving(url, model_port, models, 0 if who == ONE else people) as found,
    ):
        yield found


@contextmanager
def serving(url: str, model_port: int, models: Sequence[str], people: int) -> Iterator[Running]:
    """Start the product on a PostgreSQL database, or SQLite without a URL; 0: accounts off."""
    variables = {
        "CHATAPP_ANSWERS_PER_USER": "0",
        "CHATAPP_AUTH": "accounts" if people else "off",
        "CHATAPP_EMBEDDER": "off",
        "CHATAPP_HELPERS": "off",
        "DATABASE_URL": url,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
        "OPENAI_API_KEY": "none",
        "OPENAI_MODELS": ",".join(models),
    }
    with service(1, variables) as made:
        used = Settings(home=made.home, database_url=url).sql_url
        headers = _people(used, people) if people else [{"Connection": "close"}]
        assert made.process is not None
        yield Running(made.port, OURS_PATH, made.process.pid, ask_ours, headers)


def _people(url: str, count: int) -> list[dict[str, str]]:
    """Make accounts; return the headers of each."""
    database = open_database(url)
    people = [User(name=f"person-{n}", role=MEMBER_ROLE, defaults={}) for n in range(count)]
    database.write(lambda t: t.add_all(people))
    tokens = Tokens(database)
    secrets = [tokens.create(person_of(user), "bench") for user in people]
    database.close()
    return [{"Authorization": f"Bearer {each['token']}", "Connection": "close"} for each in secrets]


def _table(load: Workload, who: str, measured: dict[str, Figures]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            kind,
            found.web_us,
            found.first_p50,
            found.first_p99,
            found.gap_p99,
            done_after(found, load.most_seconds),
        )
        for kind, found in measured.items()
    ]
    ours, beside = measured[POSTGRES], measured[SQLITE]
    cpu, first = ours.web_us / beside.web_us, ours.first_p99 / beside.first_p99
    kept = cpu <= AIM_CPU and first <= AIM_FIRST and not ours.missing
    note = (
        f"PostgreSQL takes {cpu:.2f} times SQLite's CPU (aim: {AIM_CPU}) and {first:.2f} times its"
        f" first token p99 (aim: {AIM_FIRST}), and loses {ours.missing:.0f} answers (aim: none):"
        f" {'kept' if kept else 'missed'}."
    )
    words = f"{load.label}, {load.words} tokens each, {load.rate} a second, {who}"
    return Table(words, ("", *COLUMNS), tuple(rows), (note,))
