"""Group commit, named locks and connections on PostgreSQL, in processes that gevent has patched."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chatapp.storage.database import open_database
from tests.support.postgres import NEEDS_POSTGRES

pytestmark = NEEDS_POSTGRES

ROOT = Path(__file__).parents[2]
HEAD = """
from chatapp.storage.native_locks import patch_all
patch_all()
import json, sys
import gevent
from sqlalchemy import event, text
from chatapp.errors import Busy, DatabaseBusy
from chatapp.storage import pools
from chatapp.storage.batches import MOST_BATCHED
from chatapp.storage.database import open_database

database = open_database(sys.argv[1])
commits = []
event.listen(database.engine, "commit", lambda connection: commits.append(1))

def execute(statement, **values):
    return lambda t: t.execute(text(statement), values) and None

def insert(n, fault=None):
    def fn(t):
        if isinstance(fault, Busy):
            raise fault
        t.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": n})
        if fault:
            raise fault
        return n
    return fn

def write(fn, lock):
    try:
        return database.write_batched(fn, lock)
    except Exception as fault:
        return type(fault).__name__

def stored():
    return database.read(lambda t: sorted(t.execute(text("SELECT n FROM numbers")).scalars()))

def until(condition):
    with gevent.Timeout(60):
        while not condition():
            gevent.sleep(0.01)

said = {}
"""
TAIL = """
database.close()
print(json.dumps(said))
"""


@pytest.fixture
def url(postgres: str) -> Any:
    database = open_database(postgres)
    database.write(lambda t: t.execute(text("CREATE TABLE numbers (n INT PRIMARY KEY)")) and None)
    yield postgres
    database.write(lambda t: t.execute(text("DROP TABLE numbers")) and None)
    database.close()


def run(script: str, *arguments: str) -> Any:
    [said] = run_all([(script, *arguments)])
    return said


def run_all(scripts: list[tuple[str, ...]]) -> list[Any]:
    """Run scripts at the same time; return what each has said."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", HEAD + script + TAIL, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for script, *arguments in scripts
    ]
    said = []
    for each in running:
        out, errors = each.communicate(timeout=180)
        assert each.returncode == 0, errors
        said.append(json.loads(out))
    return said


BURST = """
count = 3 * MOST_BATCHED
asking = [gevent.spawn(write, insert(n), f"user {n % 7}") for n in range(count)]
gevent.joinall(asking, raise_error=True)
said["complete"] = [each.value for each in asking] == list(range(count)) == stored()
said["commits"] = len(commits)
said["connections"] = database.engine.pool.checkedin()

faults = {1003: Busy(), 1007: ValueError()}
asking = [gevent.spawn(write, insert(n, faults.get(n)), "one") for n in range(1000, 1010)]
gevent.joinall(asking, raise_error=True)
said["failing"] = [each.value for each in asking]
said["kept"] = [n for n in stored() if n >= 1000]
"""


def test_questions_of_one_moment_share_a_transaction(url: str) -> None:
    said = run(BURST, url)
    assert said["complete"]
    assert said["commits"] <= 4
    assert said["connections"] == 1
    others = [n for n in range(1000, 1010) if n not in (1003, 1007)]
    assert [each for each in said["failing"] if isinstance(each, int)] == others == said["kept"]
    assert (said["failing"][3], said["failing"][7]) == ("Busy", "ValueError")


EXPECTED = """
before = len(commits)
asking = [gevent.spawn(write, insert(n, Busy() if n % 2 else None), "one") for n in range(10)]
gevent.joinall(asking, raise_error=True)
said["ended"] = [each.value for each in asking]
said["commits"] = len(commits) - before
"""


def test_an_error_of_one_question_costs_the_others_nothing(url: str) -> None:
    said = run(EXPECTED, url)
    assert said == {"ended": ["Busy" if n % 2 else n for n in range(10)], "commits": 1}


LOCKED = """
other = open_database(sys.argv[1])
with other.engine.connect() as holder:
    holder.execute(text("SELECT pg_advisory_xact_lock(hashtext('held'))"))
    waiting = gevent.spawn(write, insert(1), "held")
    alone = gevent.spawn(database.write, lambda t: database.advisory_lock(t, "held"))
    gevent.joinall([gevent.spawn(write, insert(n), "free") for n in range(2, 5)])
    said["others"] = stored()
    said["waiting"] = not waiting.dead and not alone.dead
    until(lambda: database.engine.pool.checkedout() == 0)
waiting.join()
alone.get()
said["then"] = waiting.value
other.close()
"""


def test_a_lock_of_another_host_holds_up_neither_others_nor_connections(url: str) -> None:
    assert run(LOCKED, url) == {"others": [2, 3, 4], "waiting": True, "then": 1}


ROW = """
database.write(execute("INSERT INTO numbers VALUES (1)"))
other = open_database(sys.argv[1])
with other.engine.connect() as holder:
    holder.execute(text("DELETE FROM numbers WHERE n = 1"))
    blocked = gevent.spawn(write, execute("UPDATE numbers SET n = 10 WHERE n = 1"), "one")
    free = gevent.spawn(write, insert(2), "two")
    free.join()
    said["free"], said["waits"] = free.value, not blocked.dead
    blocked.join()
    said["blocked"] = blocked.value
other.close()
"""


def test_a_locked_row_holds_up_one_question_only(url: str) -> None:
    assert run(ROW, url) == {"free": 2, "waits": True, "blocked": "DatabaseBusy"}


EXHAUSTED = """
database.engine.pool._timeout = 0.2
held = [database.engine.connect() for _ in range(database.engine.pool.size())]
for name, way in (("read", database.read), ("write", database.write)):
    try:
        way(execute("SELECT 1"))
    except DatabaseBusy as busy:
        said[name] = busy.again_seconds
said["question"] = write(insert(1), "one")
said["reserved"] = database.reserved.write(insert(2))
for each in held:
    each.close()
said["stored"] = stored()
"""


def test_without_a_free_connection_the_database_is_busy_but_for_what_is_reserved(url: str) -> None:
    expected = {"read": 1, "write": 1, "question": "DatabaseBusy", "reserved": 2, "stored": [2]}
    assert run(EXHAUSTED, url) == expected


BROKEN = """
pools.PING_SECONDS = 0
numbers = [gevent.spawn(database.read, execute("SELECT pg_sleep(0.1)")) for _ in range(3)]
gevent.joinall(numbers, raise_error=True)
other = open_database(sys.argv[1])
other.write(execute(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
))
said["after"] = stored()
other.close()
"""


def test_connections_that_broke_while_idle_are_replaced(url: str) -> None:
    assert run(BROKEN, url) == {"after": []}


HOST = """
people = list(range(20))
people = people if sys.argv[2] == "up" else people[::-1]
def count(n):
    return execute("UPDATE numbers SET n = n + 1000 WHERE n % 1000 = :n", n=n)
asking = [gevent.spawn(write, count(n), f"user {n}") for _ in range(10) for n in people]
gevent.joinall(asking, raise_error=True)
said["failed"] = [each.value for each in asking if each.value is not None]
"""


def test_groups_of_two_hosts_over_the_same_users_do_not_deadlock(url: str) -> None:
    database = open_database(url)
    fill = "INSERT INTO numbers SELECT n FROM generate_series(0, 19) AS n"
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    database.write(lambda t: t.execute(text(fill)) and None)
    before = database.read(lambda t: t.execute(text(deadlocks)).scalar_one())
    assert run_all([(HOST, url, "up"), (HOST, url, "down")]) == [{"failed": []}] * 2
    asked = database.read(lambda t: t.execute(text("SELECT sum(n / 1000) FROM numbers")).scalar())
    assert asked == 2 * 10 * 20
    assert database.read(lambda t: t.execute(text(deadlocks)).scalar_one()) == before
    database.close()
