"""Disconnect and resume at random points of one long answer, through two workers.

    python -m tests.faults.resumes --points 1000 [--seed N]

The answer holds reasoning and text in many scripts. Readers read a random number of bytes, which
may end inside a character, close, and resume with their last event id: while the answer is written,
while a worker is killed (the one that writes another copy of the answer), and after the end. The
joined text must always equal the stored text.
"""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from tests.faults import report
from tests.faults.invariants import check
from tests.faults.reader import Reader, letters
from tests.faults.report import Report
from tests.faults.stage import Stage, new_home
from tests.support.service import PATIENCE_SECONDS, wait_for

KILOBYTES = 50
READERS = 10  # of each of the two answers
SECONDS = 12  # in which an answer is written
CUT_BYTES = (200, 12_000)  # read before a disconnect
TRIES = 12
CUTS_AFTER_END = 140  # disconnects of one reader of an ended answer, about
FEW = 500  # with fewer points, the killed worker's own answer is not waited for


class Cut:
    """A condition that disconnects a reader after a random number of bytes."""

    def __init__(self, chance: random.Random, live: bool) -> None:
        self.left = chance.randrange(*CUT_BYTES) // (4 if live else 1)

    def __call__(self, reader: Reader) -> bool:
        self.left -= reader.read_size
        return self.left <= 0


def read_with_disconnects(reader: Reader, chance: random.Random, points: int, live: bool) -> int:
    """Read an answer to its end with random disconnects; return how many."""
    cuts = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while reader.end is None:
        assert time.monotonic() < deadline, f"no end: {reader!r}"
        reader.read_size = chance.randrange(1, 700)
        reader.resume(Cut(chance, live) if cuts < points else lambda _: False)
        cuts += reader.end is None
        if reader.fault:
            time.sleep(0.2)  # a worker was killed just now
    return cuts


def two_answers(stage: Stage) -> list[Reader]:
    """Start two answers that different workers write."""
    model = stage.patient(f"many-tongues-{KILOBYTES}-{KILOBYTES * 1024 // 26 // SECONDS}")
    first = Reader(stage.service, "long", llm_config=model).ask(letters(10))
    for _ in range(TRIES):
        other = Reader(stage.service, "long", llm_config=model).ask(letters(10))
        if stage.writer_of(other.message_id) != stage.writer_of(first.message_id):
            return [first, other]
        other.stop()
    raise AssertionError("one worker accepted all connections")


def run(points: int, seed: int) -> Report:
    """Disconnect readers this often, on a stage of its own."""
    with Stage(new_home("resumes"), workers=2, pulse=False) as stage:
        return on(stage, points, seed)


def on(stage: Stage, points: int, seed: int) -> Report:
    """Disconnect readers this often, on a stage of two workers, one of which is killed."""
    chance = random.Random(seed)
    found = Report(f"{points} disconnects and resumes over {KILOBYTES} KB of reasoning and text")
    with ThreadPoolExecutor(2 * READERS) as pool:
        answers = two_answers(stage)
        killed = stage.writer_of(answers[1].message_id)
        if points < FEW:
            answers.pop().stop()
        readers = [answer.another() for answer in answers for _ in range(READERS)]
        each = -(-points // (2 * len(readers)))  # half of the points while it is written
        work = [
            pool.submit(read_with_disconnects, reader, random.Random(chance.random()), each, True)
            for reader in readers
        ]
        wait_for(
            lambda: all(len(reader.text) > 5_000 for reader in readers),
            "each reader has a part",
        )
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        live = sum(each.result(PATIENCE_SECONDS + 30) for each in work)
        ended = 0
        while live + ended < points:
            count = min(READERS, 1 + (points - live - ended) // CUTS_AFTER_END)
            late = [chance.choice(answers).another() for _ in range(count)]
            more = [
                pool.submit(
                    read_with_disconnects, reader, random.Random(chance.random()), points, False
                )
                for reader in late
            ]
            ended += sum(each.result(PATIENCE_SECONDS + 30) for each in more)
            readers += late
        judge(stage, answers, readers, found)
    found.say("disconnects while it was written", live, "some", live > 0)
    found.say("disconnects after its end", ended)
    found.say("disconnects together", live + ended, f"at least {points}", live + ended >= points)
    return found


def judge(stage: Stage, answers: list[Reader], readers: list[Reader], found: Report) -> None:
    """Compare each reader's text with the stored text."""
    stored = {answer.message_id: answer.stored(PATIENCE_SECONDS) for answer in answers}
    wrong = 0
    for reader in readers:
        row = stored[reader.message_id]
        if (reader.text, reader.reasoning) != (row["content"], row["reasoning"]):
            wrong += 1
    found.say(
        "readers whose text differs from what is stored",
        f"{wrong} of {len(readers)}",
        "0",
        wrong == 0,
    )
    for answer in answers:
        check(stage, answer)
    wanted = ["complete", "interrupted"][: len(answers)]
    states = [stored[answer.message_id]["status"] for answer in answers]
    sizes = [
        f"{len((row['content'] + row['reasoning']).encode()) // 1024} KB" for row in stored.values()
    ]
    found.say(
        "the answers",
        ", ".join(map(" ".join, zip(states, sizes, strict=True))),
        ", ".join(wanted),
        states == wanted,
    )
    resets = sum(reader.kinds.count("reset") for reader in readers)
    found.say("resets after the kill", resets)


if __name__ == "__main__":
    report.main(__doc__, run, "points", 1000)
