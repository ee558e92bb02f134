"""Leases: one process of all hosts at a time, by the database's clock, on both databases."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from chatapp.knowledge.ingest.pipeline import has_pending
from chatapp.storage.clock import database_time
from chatapp.storage.database import Database
from chatapp.storage.host_models import Lease
from chatapp.storage.leases import NamedLease, NoLease
from chatapp.storage.models import File, KnowledgeBase, now
from tests.support.postgres import BOTH, empty_database
from tests.support.service import ROOT

# Another host, whose clock is an hour ahead, claims a file.
AHEAD = """
import datetime, sys, time
real, real_time = datetime.datetime, time.time
class Ahead(real):
    @classmethod
    def now(cls, tz=None):
        return real.now(tz) + datetime.timedelta(hours=HOURS)
datetime.datetime = Ahead
time.time = lambda: real_time() + 3600 * HOURS
from chatapp.knowledge.ingest.pipeline import _STEPS, _lease
from chatapp.storage.database import open_database
database = open_database(sys.argv[1])
assert database.write(lambda t: _lease(t, "ahead:1:a", _STEPS)) is not None
"""


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as made:
        yield made


def lease(database: Database, host: str) -> NamedLease:
    return NamedLease(database, "work", host, 60)


def test_a_lease_has_one_owner_until_it_is_released(database: Database) -> None:
    one, other = lease(database, "one"), lease(database, "other")
    one.keep()
    one.keep()
    with pytest.raises(NoLease):
        other.keep()
    one.release()
    other.keep()
    with pytest.raises(NoLease):
        one.keep()


def test_a_lease_that_was_not_renewed_is_taken_over(database: Database) -> None:
    one, other = lease(database, "one"), lease(database, "other")
    one.keep()
    database.write(lambda t: t.execute(update(Lease).values(until=database_time(-1))) and None)
    other.keep()
    one.release()  # it has no lease any more, and takes none away
    with pytest.raises(NoLease):
        lease(database, "third").keep()


def test_a_process_that_has_ended_is_replaced_at_once_by_one_of_its_home(
    database: Database,
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lease(database, "home").keep()
    database.write(lambda t: t.execute(update(Lease).values(owner=f"home:{ended.pid}:x")) and None)
    with pytest.raises(NoLease):
        lease(database, "elsewhere").keep()
    lease(database, "home").keep()


@pytest.mark.parametrize("hours", [1, -1])
def test_the_lease_of_a_host_with_another_time_lasts_as_long_as_all_others(
    database: Database, hours: int
) -> None:
    def add(t: object) -> None:
        base = {"id": "b", "number": 1, "name": "b", "description": "", "created_at": now()}
        row = {"id": "f", "knowledge_base_id": "b", "name": "f.txt", "md5": "", "sha256": ""}
        row |= {"size": 1, "media_type": "", "status": "queued", "created_at": now()}
        t.execute(insert(KnowledgeBase), [base])  # type: ignore[attr-defined]
        t.execute(insert(File), [row])  # type: ignore[attr-defined]

    database.write(add)
    url = database.engine.url.render_as_string(hide_password=False)
    program = AHEAD.replace("HOURS", str(hours))
    subprocess.run([sys.executable, "-c", program, url], cwd=ROOT, env=os.environ, check=True)
    assert not database.read(has_pending)
    until = database.read(lambda t: t.scalar(select(File.lease_until)))
    at = database.read(lambda t: t.scalar(select(database_time())))
    assert isinstance(until, datetime) and isinstance(at, datetime)
    assert timedelta() < until - at <= timedelta(seconds=60)
    database.write(lambda t: t.execute(update(File).values(lease_until=database_time(-1))) and None)
    assert database.read(has_pending)


def test_the_clock_looks_as_stored_times_do(database: Database) -> None:
    """SQLite compares them as text."""
    database.write(lambda t: t.execute(text("CREATE TABLE times (at TIMESTAMP)")) and None)
    stored = text(f"INSERT INTO times VALUES ('{now():%Y-%m-%d %H:%M:%S.%f}')")
    database.write(lambda t: t.execute(stored) and None)
    row = database.read(
        lambda t: t.execute(
            select(database_time(-60) < text("at"), database_time(60) > text("at")).select_from(
                text("times")
            )
        ).one()
    )
    database.write(lambda t: t.execute(text("DROP TABLE times")) and None)
    assert [bool(each) for each in row] == [True, True]
