"""SIGKILL during live answers: to a worker, to the service, or by gunicorn to a stopped worker.

    python -m tests.faults.kills --times 200 [--seed N]

A dozen answers are live at any time. Half of their readers stay connected, half disconnect and
resume at the end. Checked, partly in the database file itself: every answer gets a final state;
text that was committed before the kill is in the answer; no text is in it twice; no question is
lost. Run as a program on an idle machine it also checks two times: 35 s to a final state, and at
most 500 ms of text that had been sent and was not committed.
"""

import contextlib
import json
import os
import random
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.faults import report
from tests.faults.invariants import check
from tests.faults.reader import ANSWERS, Reader, letters
from tests.faults.report import Report
from tests.faults.stage import Stage, new_home
from tests.support.service import PATIENCE_SECONDS, wait_for

CROWD = 12  # live answers at each kill
FINAL_SECONDS = 35
FREEZE_SECONDS = 5  # after which the arbiter kills a worker that hangs
# in tests, where a worker may wait for a core without being hung
PATIENT_FREEZE_SECONDS = 40
KINDS = ("worker", "frozen", "service")
WEIGHTS = (6, 1, 3)


@dataclass(frozen=True)
class Limits:
    """Limits in seconds, checked on an idle machine only."""

    uncommitted: float = 0.5
    final: float = FINAL_SECONDS


UNLOADED = Limits()


@dataclass
class Asked:
    """One answer: its reader, and what happened to its writer; times are monotonic.

    `committed` is the text that the database held just before the kill.
    """

    reader: Reader
    work: Future[Reader]
    committed: str = ""
    killed_at: float | None = None
    restarted_at: float | None = None
    final_at: float | None = None


@dataclass
class Crowd:
    """All answers of a campaign. A thread records when those with a killed writer are final."""

    stage: Stage
    chance: random.Random
    asked: list[Asked] = field(default_factory=list)
    over: bool = False

    def __post_init__(self) -> None:
        self.pool = ThreadPoolExecutor(200)
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def fill(self) -> None:
        """Ask until enough answers are live, and wait until each has committed text."""
        live = self.stage.sql("SELECT count(*) FROM runs")[0][0]
        new = [self._ask() for _ in range(max(0, CROWD - live))]
        wait_for(
            lambda: all(each.work.done() or self.committed(each) for each in new),
            "text of each answer is committed",
        )

    def committed(self, asked: Asked) -> str:
        """Return the text of a live answer that the database holds."""
        if not asked.reader.context:
            return ""
        query = "SELECT events FROM segments WHERE message_id = ? ORDER BY start"
        rows = self.stage.sql(query, asked.reader.message_id)
        events = [event for (segment,) in rows for event in json.loads(segment)]
        return "".join(text for kind, text, *_ in events if kind == "Chunk")

    def _ask(self) -> Asked:
        reader = Reader(
            self.stage.service,
            "kill",
            llm_config=self.stage.patient(f"numbered-{self.chance.choice((300, 1200))}-30"),
        )
        until = letters(self.chance.randrange(1, 100)) if self.chance.random() < 0.5 else None
        work = (
            self.pool.submit(reader.follow, 120, until)
            if until
            else self.pool.submit(reader.follow, 120)
        )
        self.asked.append(Asked(reader, work))
        return self.asked[-1]

    def written_by(self, pids: list[int]) -> list[Asked]:
        owners = dict(self.stage.sql("SELECT message_id, owner FROM runs"))
        names = {
            message_id for message_id, owner in owners.items() if int(owner.split(":")[1]) in pids
        }
        return [
            each for each in self.asked if each.reader.context and each.reader.message_id in names
        ]

    def _look(self) -> None:
        while not self.over:
            waiting = {
                each.reader.message_id: each
                for each in self.asked
                if each.killed_at and not each.final_at
            }
            with contextlib.suppress(Exception):  # the file is locked for a moment
                marks = ",".join("?" * len(waiting))
                rows = self.stage.sql(
                    f"SELECT id, status FROM messages WHERE id IN ({marks})", *waiting
                )
                for message_id, status in rows:
                    if status in ANSWERS:
                        waiting[message_id].final_at = time.monotonic()
            time.sleep(0.2)


def kill(stage: Stage, crowd: Crowd, kind: str) -> None:
    """Kill a worker or the service, record the affected answers, wait for the replacement."""
    # gunicorn never kills a worker that stops before its first heartbeat, so take one that serves
    before = (
        wait_for(lambda: sorted(stage.inside()))
        if kind == "frozen"
        else sorted(stage.service.workers())
    )
    victims = before if kind == "service" else [crowd.chance.choice(before)]
    struck = crowd.written_by(victims)
    for each in struck:
        each.committed = crowd.committed(each)
    killed_at = time.monotonic()
    if kind == "service":
        stage.kill_all()
        stage.service.start()
    else:
        os.kill(victims[0], signal.SIGKILL if kind == "worker" else signal.SIGSTOP)
    wait_for(
        lambda: len(set(stage.service.workers()) - set(victims)) == stage.workers,
        "a new worker",
    )
    for each in struck:
        each.killed_at, each.restarted_at = killed_at, time.monotonic()


def run(times: int, seed: int, limits: Limits | None = UNLOADED) -> Report:
    """Kill this many times, then check all answers; without `limits`, only report times."""
    chance = random.Random(seed)
    kinds = [*KINDS, *chance.choices(KINDS, WEIGHTS, k=times)][:times]
    found = Report(
        f"{times} kills during live answers: "
        + ", ".join(f"{kinds.count(kind)} {kind}" for kind in KINDS)
    )
    freeze = str(FREEZE_SECONDS if limits else PATIENT_FREEZE_SECONDS)
    with Stage(new_home("kills"), workers=2, pulse=False, arguments=("--timeout", freeze)) as stage:
        crowd = Crowd(stage, chance)
        for kind in kinds:
            crowd.fill()
            time.sleep(chance.uniform(0.1, 1.0))
            kill(stage, crowd, kind)
        for each in crowd.asked:
            each.work.result(PATIENCE_SECONDS)
        struck = [each for each in crowd.asked if each.killed_at]
        wait_for(
            lambda: all(each.final_at for each in struck),
            "final states",
        )
        crowd.over = True
        judge(stage, crowd, found, limits)
        found.say(
            "answers, those with a killed writer",
            f"{len(crowd.asked)}, {len(struck)}",
            "some",
            bool(struck),
        )
        left = stage.sql("SELECT count(*) FROM runs")[0][0]
        found.say("rows of live answers left", left, "0", left == 0)
    return found


def judge(stage: Stage, crowd: Crowd, found: Report, limits: Limits | None) -> None:
    """Check every answer."""
    waited, uncommitted, lost = [], [], 0
    states = dict.fromkeys(ANSWERS, 0)
    for each in crowd.asked:
        try:
            stored = check(stage, each.reader)
        except AssertionError as fault:
            found.broken.append(str(fault))
            continue
        states[stored["status"]] += 1
        numbers = [int(number) for number in stored["content"].split(" ") if number]
        if numbers != list(range(len(numbers))):
            found.broken.append(f"repeated or missing text: {each.reader!r}")
        sent = [
            moment for request in stage.requests(each.reader.question) for moment in request.sent
        ]
        if each.killed_at is None:
            if stored["status"] != "complete":
                found.broken.append(f"{stored['status']} without a kill: {each.reader!r}")
            continue
        assert each.final_at is not None and each.restarted_at is not None
        waited.append(max(0.0, each.final_at - each.restarted_at))
        late = [moment for moment in sent[len(numbers) :] if moment <= each.killed_at]
        uncommitted.append(each.killed_at - late[0] if late else 0.0)
        lost += not stored["content"].startswith(each.committed)
    found.say("answers that lost committed text", lost, "0", not lost)
    found.seconds("to a final state", waited, limits.final if limits else None)
    found.seconds("sent but not committed", uncommitted, limits.uncommitted if limits else None)
    found.say("states", ", ".join(f"{count} {state}" for state, count in states.items() if count))


if __name__ == "__main__":
    report.main(__doc__, run, "times", 200)
