"""Stops and kills of every process while files are read and embedded: each is ready once.

    python -m tests.faults.readings --times 50 [--seed N]

Forty files of all kinds are uploaded. Then, at random moments, the service is stopped (SIGTERM, or
Ctrl-C in its terminal), or one of its processes gets SIGTERM or SIGKILL: the parent, a web worker,
the document worker, a parser, Chroma. What ended is started again. A file that is being read is hit
twice at most: the third time would be taken for its own fault. At the end every file must be ready,
with each passage and each vector once.
"""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import report
from tests.faults.report import Report
from tests.faults.stage import new_home
from tests.support.embedserver import EmbedServer
from tests.support.mixed_files import mixed_files
from tests.support.service import APP, PATIENCE_SECONDS, Service, wait_for

FILES = 40
OURS = "SELECT f.id FROM files f JOIN knowledge_bases b ON b.id = f.knowledge_base_id"
OURS += " WHERE b.bundled IS NULL"  # without the manual
MOST_HITS = 2  # of one file while it is read
READY_SECONDS = 900
UNREAD = ("queued", "parsing", "indexing")
ROLES = {
    "app.py": b"app.py",
    "web": b"gunicorn",
    "helpers": b"chatapp\0helpers",
    "worker": b"chatapp.processes.worker",
    "parser": b"chatapp.knowledge.ingest.parse",
    "chroma": b"chromadb",
}
READERS = ("app.py", "helpers", "worker", "parser", "stop", "Ctrl-C")  # these may end a reading


@dataclass
class Readings:
    """The service, its files, and how often each was hit while it was read."""

    service: Service
    hits: Counter[str] = field(default_factory=Counter[str])
    done: Counter[str] = field(default_factory=Counter[str])

    def sql(self, query: str) -> list[tuple[object, ...]]:
        path = self.service.home / "chatapp.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(query).fetchall()

    def states(self) -> Counter[str]:
        return Counter(
            str(status) for (status,) in self.sql(f"SELECT status FROM files WHERE id IN ({OURS})")
        )

    def being_read(self) -> list[str]:
        held = "status IN ('parsing', 'indexing') OR (status = 'queued' AND attempts > 0)"
        return [str(one) for (one,) in self.sql(f"SELECT id FROM files WHERE {held}")]

    def processes(self) -> dict[str, list[int]]:
        """Return the service's processes by role."""
        mark = f"CHATAPP_HOME={self.service.home}\0".encode()
        found: dict[str, list[int]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                role = next((one for one, part in ROLES.items() if part in command), None)
                parser = role == "parser" and self._has_parent(folder)
                if role and (parser or mark in (folder / "environ").read_bytes()):
                    found.setdefault(role, []).append(int(folder.name))
        return found

    def _has_parent(self, folder: Path) -> bool:
        """A parser's environment does not name the home; the path of its file does."""
        return str(self.service.home).encode() in (folder / "cmdline").read_bytes()

    def strike(self, chance: random.Random) -> str:
        """Stop or kill something; return what. Files that have been hit twice are left alone."""
        self.start_if_ended()
        kinds = ["stop", "Ctrl-C", *ROLES]
        kind = chance.choice(kinds)
        number = chance.choice((signal.SIGTERM, signal.SIGKILL))
        before = self.being_read()
        if kind in READERS:
            if any(self.hits[one] >= MOST_HITS for one in before):
                return ""
            self.hits.update(before)
        if kind in ("stop", "Ctrl-C"):
            self._stop(kind)
        else:
            pids = self.processes().get(kind, [])
            if not pids:
                return ""
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(pids), number)
            kind = f"{kind} {signal.Signals(number).name}"
        if kind in READERS or kind.split()[0] in READERS:
            # what was begun between the look and the signal was hit too
            self.hits.update(one for one in self.being_read() if one not in before)
        self.done[kind] += 1
        assert self.service.process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.service.process.wait(0.5)
        self.start_if_ended()
        return kind

    def _stop(self, kind: str) -> None:
        process = self.service.process
        assert process is not None
        if kind == "stop":
            process.send_signal(signal.SIGTERM)
        else:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(PATIENCE_SECONDS)

    def start_if_ended(self) -> None:
        """Start the service again once it has ended, which may take a while after a strike."""
        process = self.service.process
        assert process is not None
        if process.poll() is not None:
            wait_for(lambda: not self.processes(), "all processes have ended")
            self.service.start()


def run(times: int, seed: int) -> Report:
    """Strike this often while files are read, then check them."""
    chance = random.Random(seed)
    home = new_home("readings")
    found = Report(f"{times} stops and kills while {FILES} files are read")
    with (
        EmbedServer() as embedder,
        Service(
            home,
            command=APP,
            CHATAPP_EMBEDDER="words",
            CHATAPP_EMBEDDER_URL=embedder.base_url,
        ) as service,
    ):
        readings = Readings(service)
        base = service.post("/api/knowledge", {"name": "Mixed"}).json["id"]
        files = _files(home, chance)
        for path in files:
            assert service.upload(base, path).status == 202
        struck = 0
        while struck < times and _may_go_on(readings):
            time.sleep(chance.uniform(0.05, 1.0))
            struck += bool(readings.strike(chance))

        def all_are_ended() -> bool:
            readings.start_if_ended()
            return set(readings.states()) <= {"ready", "failed"}

        wait_for(all_are_ended, seconds=READY_SECONDS)
        _judge(readings, found, len(files))
        for kind, count in sorted(readings.done.items()):
            found.say(kind, count)
    return found


def _may_go_on(readings: Readings) -> bool:
    """Files may run out before the strikes do: then all are read again."""
    states = readings.states()
    if not set(states) <= {"ready", "failed"}:
        return True
    if "failed" in states:
        return False
    _read_again(readings)
    return True


def _read_again(readings: Readings) -> None:
    """Queue all files again, as after a change of how a base is split."""
    base = readings.service.get("/api/knowledge").json["items"]
    number = next(one["id"] for one in base if one["name"] == "Mixed")
    current = readings.service.get(f"/api/knowledge/{number}").json["splitting"]
    other = "meaning" if current == "size" else "size"
    readings.service.request("PATCH", f"/api/knowledge/{number}", {"splitting": other})
    readings.hits.clear()
    for (one,) in readings.sql(OURS):
        readings.service.post(f"/api/knowledge/{number}/files/{one}/retry", None)


def _files(home: Path, chance: random.Random) -> list[Path]:
    """Write forty files of all kinds, no two with the same bytes, in random order."""
    folder = home / "uploads"
    folder.mkdir()
    made = list(mixed_files().items())
    paths = []
    for number in range(FILES):
        name, content = made[number % len(made)]
        path = folder / f"{number}-{name}"
        # blanks at the end change no kind's text, but for a package
        path.write_bytes(content if number < len(made) else _varied(content, number))
        paths.append(path)
    chance.shuffle(paths)
    return paths


def _varied(content: bytes, number: int) -> bytes:
    if content.startswith(b"PK"):  # the archive's comment, whose length its last two bytes give
        return content[:-2] + (number).to_bytes(2, "little") + b" " * number
    return content + b"\n" * number


def _judge(readings: Readings, found: Report, files: int) -> None:
    states = readings.states()
    found.say("files that are ready", states["ready"], f"{files}", states == {"ready": files})
    reasons = readings.sql("SELECT name, error FROM files WHERE status = 'failed'")
    found.broken += [f"{name}: {error}" for name, error in reasons]
    twice = readings.sql(
        "SELECT file_id FROM chunks GROUP BY file_id HAVING count(*) != count(DISTINCT ordinal)"
        " OR max(ordinal) + 1 != count(*)"
    )
    found.say("files with a passage twice or missing", len(twice), "0", not twice)
    wrong = readings.sql(
        "SELECT id FROM files f WHERE chunks != (SELECT count(*) FROM chunks WHERE file_id = f.id)"
    )
    found.say("files that count their passages wrongly", len(wrong), "0", not wrong)
    bare = readings.sql(
        "SELECT c.id FROM chunks c LEFT JOIN vectors v ON v.chunk_id = c.id"
        f" WHERE c.file_id IN ({OURS})"
        " GROUP BY c.id HAVING count(v.chunk_id) != 1"
    )
    words_only = sum(int(str(n)) for (n,) in readings.sql("SELECT words_only FROM files"))
    found.say("passages without one vector", len(bare), f"{words_only}", len(bare) == words_only)
    indexed = readings.sql("SELECT (SELECT count(*) FROM lexical), (SELECT count(*) FROM chunks)")
    found.say("indexed passages", indexed[0][0], f"{indexed[0][1]}", len(set(indexed[0])) == 1)


if __name__ == "__main__":
    report.main(__doc__, run, "times", 50)
