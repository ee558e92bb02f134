"""A disk that fills up at random moments, while answers are written, files read, homes upgraded.

    python -m tests.faults.disks --times 30 [--seed N]

The home is on a small disk of its own. While people ask and upload, the disk is filled to its last
byte, and has room again after up to 15 s; every third time it is filled while an early home is
upgraded. Checked: an answer whose end was sent, or of which its reader was told that it was not
saved, is stored as it was sent; a file that was accepted is read; the service recovers by itself;
the early home is upgraded by the next start and has all its messages.
"""

import contextlib
import http.client
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from chatapp.storage.database import open_database
from tests.faults import report
from tests.faults.report import Report
from tests.faults.stage import new_home
from tests.support.earlier_homes import HOMES, ROWS, add_rows
from tests.support.modelserver import ModelServer
from tests.support.service import PATIENCE_SECONDS, ROOT, Service, Streamed, wait_for
from tests.support.small_disk import fill, small_disk

MEGABYTES = 60
CROWD = 4  # people who ask at the same time
MODELS = ("numbered-40-40", "numbered-200-40", "numbered-400-40")  # one, five and ten seconds
FULL_SECONDS = 15  # at most; after ten, readers are told that an answer is not saved
PAUSE_SECONDS = 0.5
UPGRADE_SECONDS = 3  # in which the disk fills up


@dataclass
class Load:
    """People who ask and upload until the end, and what they were told."""

    service: Service
    folder: Path
    chance: random.Random
    base: str = ""
    heard: list[Streamed] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter[str])
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.base = str(self.service.post("/api/knowledge", {"name": "Growing"}).json["id"])
        tasks = [self._ask] * CROWD + [self._upload]
        self._threads = [threading.Thread(target=task, daemon=True) for task in tasks]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _ask(self) -> None:
        while not self.over.is_set():
            model = self.chance.choice(MODELS)
            body = {"question": "count", "llm_config": {"supplier": "openai", "model": model}}
            with contextlib.suppress(OSError, http.client.HTTPException):
                streamed = self.service.stream(body)
                if streamed.status == 200:
                    self.heard.append(streamed)
                    continue
                self.refused[str(streamed.status)] += 1
            self.over.wait(PAUSE_SECONDS)

    def _upload(self) -> None:
        for number in range(100_000):
            if self.over.wait(PAUSE_SECONDS):
                return
            path = self.folder / f"rule-{number}.txt"
            path.write_text(f"Rule {number} says that {number} is allowed.\n" * 50)
            with contextlib.suppress(OSError, http.client.HTTPException):
                reply = self.service.upload(self.base, path)
                if reply.status == 202:
                    self.accepted.append(reply.json["items"][0]["id"])
                else:
                    self.refused[str(reply.status)] += 1


def run(times: int, seed: int) -> Report:
    """Fill the disk this often."""
    chance = random.Random(seed)
    found = Report(f"{times} times the disk is filled")
    folder = new_home("disks")
    with (
        ModelServer() as models,
        small_disk(folder / "home", MEGABYTES) as home,
        Service(
            home,
            OPENAI_BASE_URL=models.base_url,
            OPENAI_API_KEY="sk-test",
            CHATAPP_ANSWERS_PER_USER="0",
        ) as service,
    ):
        load = Load(service, folder, chance)
        for number in range(times):
            if number % 3 == 2:
                upgrade(folder / f"early-{number}", chance, found)
                continue
            time.sleep(chance.uniform(0.5, 4))
            filler = fill(home)
            time.sleep(chance.uniform(0.1, FULL_SECONDS))
            filler.unlink()
            wait_for(lambda: service.get("/readyz").status == 200, "there is room again")
        load.end()
        judge(load, found)
    return found


def judge(load: Load, found: Report) -> None:
    """Compare what was told with what is stored."""
    ends = Counter(streamed.last.get("code", streamed.last["type"]) for streamed in load.heard)
    for streamed in load.heard:
        code = streamed.last.get("code", "done")
        stored = wait_for(lambda s=streamed: _saved(load, s), "an answer has an end")
        same = (stored["status"], stored["content"]) == ("complete", streamed.text())
        if code in ("done", "not_saved") and not same:
            found.broken.append(f"{code}, stored as {stored['status']}: {streamed.text()[-40:]!r}")
        elif code not in ("done", "not_saved"):
            found.broken.append(f"ended with {code}")
    path = f"/api/knowledge/{load.base}/files"

    def unread() -> list[object]:
        items = {}
        after = ""
        while True:
            page = load.service.get(f"{path}?limit=100{after}").json
            items |= {item["id"]: item for item in page["items"]}
            if not page.get("next"):
                break
            after = f"&after={page['next']}"
        states = [items[one]["status"] if one in items else "lost" for one in load.accepted]
        return [state for state in states if state != "ready"]

    with contextlib.suppress(AssertionError):
        wait_for(lambda: not unread(), "all files are read")
    left = unread()
    found.say("answers, by what was told", ", ".join(f"{n} {code}" for code, n in ends.items()))
    found.say("refused", ", ".join(f"{n} with {code}" for code, n in load.refused.items()))
    found.say("accepted files", len(load.accepted))
    found.say("of these not read", len(left), "0", not left)


def _saved(load: Load, streamed: Streamed) -> dict[str, str] | None:
    row: dict[str, str] = load.service.get(f"/api/messages/{streamed.message_id}").json
    return row if row["status"] not in ("queued", "running") else None


def upgrade(folder: Path, chance: random.Random, found: Report) -> None:
    """Fill the disk while an early home is upgraded, then start again."""
    made = chance.choice(HOMES)
    with small_disk(folder, MEGABYTES) as home:
        with closing(sqlite3.connect(home / "chatapp.db")) as database, database:
            database.executescript(made.read_text())
        early = open_database(f"sqlite:///{home / 'chatapp.db'}")
        for name in ROWS:
            add_rows(early.engine, name)
        early.close()
        environ = {"PATH": os.environ["PATH"], "CHATAPP_HOME": str(home)}
        environ |= {"CHATAPP_ENV_FILE": os.devnull, "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-m", "chatapp", "prepare"]
        first = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, UPGRADE_SECONDS))
        filler = fill(home)
        first.wait(PATIENCE_SECONDS)
        filler.unlink()
        again = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )
        if again.returncode:
            found.broken.append(f"{made.stem} is not upgraded: {again.stdout}{again.stderr}")
            return
        with closing(sqlite3.connect(home / "chatapp.db")) as database:
            (kept,) = database.execute("SELECT count(*) FROM messages").fetchone()
            (whole,) = database.execute("PRAGMA integrity_check").fetchone()
        if (kept, whole) != (len(ROWS["messages"]), "ok"):
            found.broken.append(f"{made.stem}: {kept} messages, {whole}")


if __name__ == "__main__":
    report.main(__doc__, run, "times", 30)
