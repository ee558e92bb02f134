"""Kills, lost networks, stops, lost readers and documents on several hosts, in random order.

    python -m tests.faults.hosts --times 40 [--seed N]

Two web hosts with two workers each behind nginx, a host that reads documents, PostgreSQL and
Chroma, each in a network namespace. While answers are written and read through the proxy, a worker,
a web host or the host for documents is killed, or a web host is cut off from the database. Checked:
each question has one answer, with a final state; what was committed is in it, no text is missing or
there twice; every reader gets what is stored; a stop closes the model's connection; each file is
ready, with each passage once.
"""

import contextlib
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from chatapp.storage.database import Database, open_database
from tests.faults import report
from tests.faults.reader import Reader, letters
from tests.faults.report import Report
from tests.support.hosts import Place, Web, several_hosts
from tests.support.mixed_files import mixed_files
from tests.support.service import PATIENCE_SECONDS, wait_for

KINDS = ("worker", "host", "documents", "cut off", "stop")
LIVE = 6  # answers at each strike
FILES = 3  # uploaded before each strike at the host that reads them
CUT_SECONDS = 1, 15  # 10 s after the end of an answer it is `not_saved`
TEXT = (
    "SELECT coalesce(string_agg(piece->>1, '' ORDER BY s.start, n), '')"
    " FROM segments s, jsonb_array_elements(s.events::jsonb) WITH ORDINALITY AS e(piece, n)"
    " WHERE s.message_id = :id AND piece->>0 = 'Chunk'"
)


@dataclass
class Asked:
    """One answer and its reader; `committed` is the text that the database has held."""

    reader: Reader
    work: Future[Reader]
    committed: str = ""
    stopped: bool = False


@dataclass
class Campaign:
    """The hosts, and all that was asked."""

    place: Place
    database: Database
    chance: random.Random
    base: str
    folder: Path
    asked: list[Asked] = field(default_factory=list)
    uploaded: int = 0

    def call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call something that goes through the proxy."""
        return self.place.front.run(call, *arguments)

    def sql(self, query: str, **values: Any) -> list[Any]:
        rows: list[Any] = self.database.read(lambda t: t.execute(text(query), values).all())
        return rows

    def fill(self) -> None:
        """Ask until enough answers are live, and wait until each has committed text."""
        live = [each for each in self.asked if not each.work.done()]
        new = [self._ask() for _ in range(LIVE - len(live))]
        wait_for(lambda: all(map(self._has_begun, new)), "text of each answer is committed")

    def _has_begun(self, asked: Asked) -> bool:
        return asked.work.done() or bool(asked.reader.context and self.committed(asked))

    def committed(self, asked: Asked) -> str:
        return str(self.sql(TEXT, id=asked.reader.message_id)[0][0])

    def _ask(self) -> Asked:
        model = f"numbered-{self.chance.choice((150, 600))}-30"
        reader = Reader(
            self.place.client, "hosts", llm_config={"supplier": "openai", "model": model}
        )
        work = self.place.front.begin(self._read, reader, random.Random(self.chance.random()))
        self.asked.append(Asked(reader, work))
        return self.asked[-1]

    def _read(self, reader: Reader, chance: random.Random) -> Reader:
        """Read to the end, with a disconnect now and then."""
        while reader.end is None:
            reader.follow(PATIENCE_SECONDS, letters(len(reader.text) + chance.randrange(1, 2000)))
        return reader

    def strike(self, kind: str) -> None:
        web = self.chance.choice(self.place.web)
        for each in self.asked:
            if each.reader.context and not each.work.done():
                each.committed = self.committed(each) or each.committed
        if kind == "worker":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(web.service.workers()), signal.SIGKILL)
        elif kind == "host":
            web.kill()
            time.sleep(self.chance.uniform(0, 3))
            web.host.run(web.service.start)
        elif kind == "documents":
            self._strike_documents()
        elif kind == "cut off":
            with web.host.cut_off(self.place.data):
                time.sleep(self.chance.uniform(*CUT_SECONDS))
            wait_for(partial(_is_ready, web), "the host is ready again")
        else:
            self._stop()

    def _strike_documents(self) -> None:
        """Kill the host for documents while it reads; each file is hit once at most."""
        wait_for(self.all_read, "the files of the last strike are read")
        kinds = list(mixed_files().items())
        for _ in range(FILES):
            name, content = kinds[self.uploaded % len(kinds)]
            path = self.folder / f"{self.uploaded}-{name}"
            path.write_bytes(content)
            reply = self.call(self.place.client.upload, self.base, path)
            assert reply.status == 202, reply.body
            self.uploaded += 1
        time.sleep(self.chance.uniform(0, 1.5))
        self.place.documents.end(self.chance.choice((signal.SIGKILL, signal.SIGTERM)))
        self.place.documents.start()

    def all_read(self) -> bool:
        query = "SELECT count(*) FROM files WHERE knowledge_base_id = :base AND status NOT IN"
        return self.sql(f"{query} ('ready', 'failed')", base=self.base) == [(0,)]

    def _stop(self) -> None:
        """Stop an answer through the proxy; its owner may be any worker."""
        for each in self.asked:
            if each.reader.text and not each.work.done() and not each.stopped:
                each.stopped = self.call(each.reader.stop) == 204
                return


def _is_ready(web: Web) -> bool:
    with contextlib.suppress(OSError):
        return bool(web.host.run(web.service.get, "/readyz").status == 200)
    return False


def run(times: int, seed: int) -> Report:
    """Strike this often, then check all answers and files."""
    chance = random.Random(seed)
    kinds = [*chance.sample(KINDS, len(KINDS)), *chance.choices(KINDS, k=times)][:times]
    found = Report(f"{times} strikes at several hosts")
    with tempfile.TemporaryDirectory(prefix="chatapp-hosts-") as folder:
        make = partial(_make, Path(folder))
        with several_hosts(make) as place:
            client, database = place.client, open_database(place.url)
            base = place.front.run(client.post, "/api/knowledge", {"name": "Mixed"}).json["id"]
            campaign = Campaign(place, database, chance, base, make("uploads"))
            for kind in kinds:
                campaign.fill()
                time.sleep(chance.uniform(0.1, 1.0))
                campaign.strike(kind)
            wait([each.work for each in campaign.asked], PATIENCE_SECONDS)
            wait_for(lambda: campaign.sql("SELECT count(*) FROM runs") == [(0,)], "all ended")
            wait_for(campaign.all_read, "all files are read")
            _judge_answers(campaign, found)
            _judge_files(campaign, found)
            for kind, count in sorted(Counter(kinds).items()):
                found.say(kind, count)
            database.close()
    return found


def _make(folder: Path, name: str) -> Path:
    """Make a folder that nginx's user can reach."""
    made = Path(tempfile.mkdtemp(prefix=name, dir=folder))
    for each in (folder, made):
        each.chmod(0o711)
    return made


def _judge_answers(campaign: Campaign, found: Report) -> None:
    states = Counter[str]()
    for each in campaign.asked:
        reader = each.work.result(PATIENCE_SECONDS)
        stored = campaign.call(reader.stored)
        states[stored["status"]] += 1
        faults = [*_faults_of(campaign, each, reader, stored)]
        found.broken += [f"{fault}: {stored['status']}, {reader!r}" for fault in faults]
    found.say("answers", len(campaign.asked), "some", bool(campaign.asked))
    found.say("states", ", ".join(f"{n} {state}" for state, n in sorted(states.items())))
    stops = sum(each.stopped for each in campaign.asked)
    found.say("stopped", stops)


def _faults_of(
    campaign: Campaign, asked: Asked, reader: Reader, stored: dict[str, Any]
) -> list[str]:
    content, faults = stored["content"], []
    numbers = [int(word) for word in content.split()]
    if numbers != list(range(len(numbers))):
        faults.append("text is missing or repeated")
    if not content.startswith(asked.committed):
        faults.append("committed text is lost")
    again = campaign.call(reader.another().resume)
    if again.text != content or again.end is None:
        faults.append("a new reader gets other text")
    assert reader.end is not None
    if reader.end["type"] == "done" and reader.text != content:
        faults.append("the reader has other text")
    questions = campaign.sql(
        "SELECT count(*) FROM messages WHERE role = 'user' AND content = :asked",
        asked=reader.question,
    )
    answers = campaign.sql(
        "SELECT count(*) FROM messages WHERE parent_id = :id", id=stored["parent_id"]
    )
    if (questions, answers) != ([(1,)], [(1,)]):
        faults.append(f"stored {questions} and {answers} times")
    if asked.stopped and stored["status"] not in ("stopped", "complete", "interrupted"):
        faults.append("it was stopped")
    asked_of_model = [
        each
        for each in list(campaign.place.models.requests)
        if isinstance(each.body, dict) and reader.question in str(each.body.get("messages"))
    ]
    wait_for(lambda: all(each.t_end for each in asked_of_model), "the model's connection is closed")
    return faults


def _judge_files(campaign: Campaign, found: Report) -> None:
    states = campaign.sql(
        "SELECT status, count(*) FROM files WHERE knowledge_base_id = :base GROUP BY status",
        base=campaign.base,
    )
    ready = dict(tuple(row) for row in states).get("ready", 0)
    found.say("files ready", ready, str(campaign.uploaded), ready == campaign.uploaded)
    passages, places = campaign.sql(
        "SELECT count(*), count(DISTINCT (c.file_id, c.ordinal)) FROM chunks c JOIN files f"
        " ON f.id = c.file_id WHERE f.knowledge_base_id = :base",
        base=campaign.base,
    )[0]
    kept = passages == places and (passages > 0 or not campaign.uploaded)
    found.say("passages, each once", passages, str(places), kept)


if __name__ == "__main__":
    report.main(__doc__, run, "times", 40)
