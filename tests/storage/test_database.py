"""The database in a gevent worker: batches, first connections, checkpoints."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.service import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
SCRIPT = """
from chatapp.storage.native_locks import patch_all
patch_all()
import json, sys
import gevent
from sqlalchemy import event, text
from chatapp.storage.batches import MOST_BATCHED
from chatapp.storage.database import open_database

database = open_database(f"sqlite:///{sys.argv[1]}/some.db")
database.write(lambda t: t.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")) and None)
commits = []
event.listen(database.engine, "commit", lambda connection: commits.append(1))

def insert(n, fail=False):
    def fn(t):
        t.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": n})
        if fail:
            raise ValueError(n)
        return n
    return fn

def write(n, fail=False):
    try:
        return database.write_batched(insert(n, fail), "one")
    except Exception as fault:
        return type(fault).__name__

def burst(numbers, failing=()):
    greenlets = [gevent.spawn(write, n, n in failing) for n in numbers]
    gevent.joinall(greenlets, timeout=300, raise_error=True)
    return [greenlet.value for greenlet in greenlets]

def stored():
    return database.read(lambda t: sorted(t.execute(text("SELECT n FROM numbers")).scalars()))

said = {}
said["burst"] = burst(range(3 * MOST_BATCHED))
said["commits"] = len(commits)
said["failing"] = burst(range(1000, 1010), {1003, 1007})
said["taken"] = burst([2000, 2001, 0, 2002])
said["alone"] = write(3000)
said["stored"] = stored()
for way in (database.read, database.write):
    try:
        way(lambda t: 1 / 0)
    except ZeroDivisionError:
        said["raised"] = said.get("raised", 0) + 1
database.write_in_background(insert(4000))
while 4000 not in stored():
    gevent.sleep(0.01)
database.close()
said["most"] = MOST_BATCHED
print(json.dumps(said))
"""


def test_a_burst_of_writes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    burst = list(range(3 * said["most"]))
    assert said["burst"] == burst, "each has its own result"
    assert said["commits"] <= 4, "those that wait share a transaction"
    assert said["failing"] == [
        n if n not in (1003, 1007) else "ValueError" for n in range(1000, 1010)
    ]
    assert said["taken"] == [2000, 2001, "IntegrityError", 2002]
    assert said["alone"] == 3000
    kept = [n for n in range(1000, 1010) if n not in (1003, 1007)]
    assert said["stored"] == [*burst, *kept, 2000, 2001, 2002, 3000], (
        "what failed left nothing, and the others lost nothing"
    )
    assert said["raised"] == 2
    assert done.stderr == "", "what a caller catches is not printed by the thread"


FIRST = """
from chatapp.storage.native_locks import patch_all
patch_all()
import os, sys
import gevent
from sqlalchemy import text
from chatapp.storage.database import open_database

sys.setswitchinterval(1e-5)  # threads get in each other's way as often as they can
for n in range(20):
    database = open_database(f"sqlite:///{sys.argv[1]}/{n}.db")
    ask = lambda t: t.execute(text("SELECT 1")).scalar()
    ways = (database.read, database.write, lambda fn: database.write_batched(fn, "one"))
    asking = [gevent.spawn(way, ask) for way in ways for _ in range(6)]
    gevent.joinall(asking, timeout=300)
    if not all(each.value == 1 for each in asking):
        print("a caller waits for ever", n)
        os._exit(1)
    database.close()
os._exit(0)
"""


def test_many_who_ask_first_all_get_an_answer(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)


QUIET = """
import sys
from chatapp import logs
from chatapp.storage.database import open_database

logs.set_up(sys.argv[2])
database = open_database(f"sqlite:///{sys.argv[1]}/some.db")
database.read(lambda t: None)
database.close()
"""


def test_the_pool_is_not_logged(tmp_path: Path) -> None:
    for level in ("info", "debug"):
        done = subprocess.run(
            [sys.executable, "-c", QUIET, str(tmp_path), level],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
        assert done.stderr == "", "SQLAlchemy names a pool's logger after the module of its class"


LARGE = """
from chatapp.storage.native_locks import patch_all
patch_all()
import json, os, sys, time
import gevent
from sqlalchemy import text
from chatapp.storage.checkpoints import CHECKPOINT_BYTES
from chatapp.storage.database import open_database

file = f"{sys.argv[1]}/some.db"
database = open_database(f"sqlite:///{file}")
execute = lambda statement, **values: lambda t: t.execute(text(statement), values)
database.write(lambda t: execute("CREATE TABLE blobs (b BLOB)")(t) and None)
insert = execute("INSERT INTO blobs VALUES (:b)", b=os.urandom(1_000_000))
found = {"automatic": database.write(lambda t: execute("PRAGMA wal_autocheckpoint")(t).scalar())}
wal = lambda: os.path.getsize(f"{file}-wal")
written = 0
while wal() < CHECKPOINT_BYTES:
    database.write(lambda t: insert(t) and None)
    written += 1
    if written == 10:  # SQLite's own threshold is 4 MB
        found["copied by a commit"] = os.path.getsize(file) > 1_000_000
deadline = time.monotonic() + 20
while wal() >= CHECKPOINT_BYTES and time.monotonic() < deadline:
    database.write(lambda t: execute("INSERT INTO blobs VALUES (NULL)")(t) and None)
    gevent.sleep(0.01)
found["began anew"] = wal() < CHECKPOINT_BYTES
found["in the file"] = os.path.getsize(file) > (written - 1) * 1_000_000
database.close()
print(json.dumps(found))
"""


def test_the_log_is_copied_beside_the_commits(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "automatic": 0,
        "copied by a commit": False,
        "began anew": True,
        "in the file": True,
    }
