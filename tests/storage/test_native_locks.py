"""Native threads that import, log and use SQLAlchemy beside gevent's hub: none waits for ever."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
BEGIN = """
from chatapp.storage.native_locks import patch_all

patch_all()

import gevent
from gevent.threadpool import ThreadPool

pool = ThreadPool(4)


def run(in_thread, in_hub=lambda: None):
    work = [gevent.spawn(pool.apply, in_thread, (number,)) for number in range(4)]
    work.append(gevent.spawn(in_hub))
    gevent.joinall(work, timeout=300, raise_error=True)
    print("ended", all(each.ready() for each in work))
"""
IMPORTS = """
import importlib, sys
from pathlib import Path

folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
for package in range(60):
    for part in "abcd":
        others = "".join(f"from p{package} import {other}\\n" for other in "abcd" if other > part)
        file = folder / f"p{package}" / f"{part}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(others + "numbers = [n * n for n in range(20_000)]\\n" * 3)
sys.setswitchinterval(1e-5)


def imports(number):
    for package in range(60):
        importlib.import_module(f"p{package}.{'abcd'[number]}")


run(imports)
"""
LOGS = """
import io, logging

log = logging.getLogger("tests")
log.addHandler(logging.StreamHandler(io.StringIO()))
log.setLevel(10)


def logs(number):
    for count in range(3000):
        log.info("%s: %s", number, count)
        logging.getLogger(f"{number}.{count}").isEnabledFor(10)


def logs_in_hub():
    for count in range(3000):
        log.info("hub: %s", count)
        gevent.sleep(0)


run(logs, logs_in_hub)
"""
SESSIONS = """
import sys
from sqlalchemy.orm import Session

sys.setswitchinterval(1e-6)


def opens(number):
    for _ in range(100_000):
        Session()


run(opens, lambda: opens(5))
"""


@pytest.mark.parametrize("work", [IMPORTS, LOGS, SESSIONS], ids=["imports", "logs", "sessions"])
def test_threads_beside_the_hub_end(work: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BEGIN + work, str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.stdout == "ended True\n", done.stdout + done.stderr
