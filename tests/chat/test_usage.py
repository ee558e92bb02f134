"""Use is added and checked on both databases, also by several workers at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from chatapp.chat.limits import require_allowed
from chatapp.chat.usage import MOST_TOKENS, Used, add_use, reported_tokens, today
from chatapp.chat.usage_report import UsageReport
from chatapp.errors import QuotaUsed, TooLarge
from chatapp.identity.accounts import Accounts
from chatapp.identity.audit import Audit, Entry
from chatapp.knowledge.storage_limit import require_storage
from chatapp.settings import Settings
from chatapp.storage.database import Database, open_database
from chatapp.storage.migrate import migrate
from chatapp.storage.models import User, new_id
from tests.support.postgres import BOTH

WORKERS, ROUNDS = 4, 25


@pytest.fixture(params=BOTH)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path, daily_tokens=100, storage_mb=1)
    if request.param != "sqlite":
        made = replace(made, database_url=request.getfixturevalue("postgres"))
    return made


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    migrate(settings)
    made = open_database(settings.sql_url)
    Accounts(made).ensure_admin("", "a-token-of-the-tests")
    yield made
    if not made.sqlite:
        for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
            made.write(lambda t, statement=statement: t.execute(text(statement)) and None)  # type: ignore[misc]
    made.close()


@pytest.fixture
def people(database: Database) -> list[str]:
    made = [User(id=new_id(), name=f"person {n}", role="user") for n in range(3)]
    database.write(lambda t: t.add_all(made))
    return sorted(user.id for user in made)


def test_workers_that_add_at_once_lose_nothing(
    database: Database, settings: Settings, people: list[str]
) -> None:
    def add(worker: int) -> None:
        order = people if worker % 2 else people[::-1]
        for _ in range(ROUNDS):
            used = [Used(user, "s", "模型", 2, 1) for user in order]
            database.write(lambda t: add_use(t, used))  # noqa: B023

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(add, range(WORKERS)))
    rows = UsageReport(database, settings).rows("all", today(), today(), None)
    assert len(rows) == len(people)
    for row in rows:
        counts = (row["questions"], row["prompt_tokens"], row["completion_tokens"])
        assert counts == (WORKERS * ROUNDS, 2 * WORKERS * ROUNDS, WORKERS * ROUNDS)
        assert (row["day"], row["supplier"], row["model"]) == (today().isoformat(), "s", "模型")


def test_an_account_that_was_deleted_meanwhile_does_not_fail_the_others(
    database: Database, settings: Settings, people: list[str]
) -> None:
    gone = Used(new_id(), "s", "m", 5, 5)
    database.write(lambda t: add_use(t, [gone, Used(people[0], "s", "m", 5, 5)]))
    [row] = UsageReport(database, settings).rows("person", today(), today(), None)
    assert (row["user_id"], row["prompt_tokens"]) == (people[0], 5)


def test_limits_hold_and_are_shown(
    database: Database, settings: Settings, people: list[str]
) -> None:
    user_id, report = people[0], UsageReport(database, settings)
    database.write(lambda t: add_use(t, [Used(user_id, "s", "m", 60, 39)]))
    database.read(lambda t: require_allowed(t, settings, user_id))
    database.write(lambda t: add_use(t, [Used(user_id, "s", "m", 1, 0)]))
    with pytest.raises(QuotaUsed):
        database.read(lambda t: require_allowed(t, settings, user_id))
    shown = report.set_limits(user_id, {"daily_tokens": 101})
    assert (shown["used"]["daily_tokens"], shown["limits"]["daily_tokens"]) == (100, 101)
    database.read(lambda t: require_allowed(t, settings, user_id))
    with pytest.raises(TooLarge):
        database.read(lambda t: require_storage(t, settings, user_id, 1024 * 1024 + 1))
    database.read(lambda t: require_storage(t, settings, user_id, 1024 * 1024))
    assert len(report.limits(None)) == len(people) + 1
    unlimited = replace(settings, auth="off")
    report.set_limits(user_id, {"daily_tokens": None})
    database.read(lambda t: require_allowed(t, unlimited, user_id))


def test_the_audit_log_is_kept(database: Database, settings: Settings) -> None:
    audit = Audit(database, settings)
    audit.record(Entry("base.delete", target="x" * 400, details={"名称": [1]}))
    [entry], _ = audit.page("base", None, today(), today(), None, 5)
    assert (entry["actor"], len(entry["target"]), entry["details"]) == (
        "terminal",
        300,
        {"名称": [1]},
    )


def test_what_suppliers_report_is_taken_as_far_as_it_is_a_count() -> None:
    assert reported_tokens({"prompt_tokens": 3, "completion_tokens": 4}) == (3, 4)
    assert reported_tokens({"prompt_tokens": 3}) == (3, 0)
    assert reported_tokens({"prompt_tokens": -3, "completion_tokens": 4}) == (0, 4)
    assert reported_tokens({"prompt_tokens": 10**30}) == (MOST_TOKENS, 0)
    for nothing in ({}, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": "many"}):
        assert reported_tokens(nothing) is None
