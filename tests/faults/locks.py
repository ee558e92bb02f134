"""SQLite's write lock held by another process while answers stream.

    python -m tests.faults.locks [--times 3]

Fifty answers stream at twenty pieces a second. While the lock is held for 3 s, the largest gap
between two pieces of any reader must grow by less than 100 ms; storing waits for the lock. The
machine's own gaps are measured first: same readers, same duration, lock free.
"""

import select
import socket
import time
from contextlib import closing

from tests.faults import report
from tests.faults.invariants import check
from tests.faults.reader import Reader, silent_connection
from tests.faults.report import Report
from tests.faults.stage import Stage, new_home
from tests.faults.stops import write_lock

ANSWERS = 50
RATE = 20
LOCK_SECONDS = 3.0
ADDED_SECONDS = 0.1
SETTLE_SECONDS = 1.0
MARGIN_SECONDS = 60  # by which answers outlast the measurement; then they are stopped


class Crowd:
    """The connections of all readers, read by one thread."""

    def __init__(self, stage: Stage, seconds: float) -> None:
        model = stage.patient(f"numbered-{int(seconds * RATE)}-{RATE}")
        self.readers = [Reader(stage.service, "locks", llm_config=model) for _ in range(ANSWERS)]
        self.sockets = [silent_connection(stage.service, reader.body) for reader in self.readers]
        heard: set[socket.socket] = set()
        while len(heard) < ANSWERS:
            ready, _, _ = select.select(
                [each for each in self.sockets if each not in heard], [], []
            )
            heard.update(each for each in ready if b'"chunk"' in each.recv(65536))

    def largest_gap(self, seconds: float) -> float:
        """Read for this long; return the longest gap of any reader."""
        began = time.monotonic()
        last = dict.fromkeys(self.sockets, began)
        largest = 0.0
        while (now := time.monotonic()) < began + seconds:
            ready, _, _ = select.select(self.sockets, [], [], 0.05)
            now = time.monotonic()
            for each in ready:
                if each.recv(65536):
                    largest = max(largest, now - last[each])
                    last[each] = now
        return max(largest, *(now - moment for moment in last.values()))


def run(times: int, seed: int) -> Report:
    """Take the lock this many times, on a stage of its own."""
    with Stage(new_home("locks"), pulse=False) as stage:
        return on(stage, times)


def on(stage: Stage, times: int, most: float = ADDED_SECONDS) -> Report:
    """Take the lock this many times; it may add so many seconds to the largest gap."""
    found = Report(
        f"{ANSWERS} answers at {RATE} pieces a second, write lock held by another process"
    )
    crowd = Crowd(stage, times * (2 * LOCK_SECONDS + SETTLE_SECONDS) + MARGIN_SECONDS)
    crowd.largest_gap(SETTLE_SECONDS)
    for number in range(1, times + 1):
        free = crowd.largest_gap(LOCK_SECONDS)
        with write_lock(stage):
            taken = crowd.largest_gap(LOCK_SECONDS)
        crowd.largest_gap(SETTLE_SECONDS)
        found.say(f"lock {number}: largest gap free", f"{free * 1000:.0f} ms")
        added = max(0.0, taken - free)
        found.say(
            f"lock {number}: added while it was taken",
            f"{added * 1000:.0f} ms",
            f"{most * 1000:.0f} ms",
            added < most,
        )
    finish(stage, crowd, found)
    return found


def finish(stage: Stage, crowd: Crowd, found: Report) -> None:
    """Stop the answers and check the seven invariants."""
    for each in crowd.sockets:
        with closing(each):
            pass
    asked = "SELECT id FROM messages WHERE content = ?"
    answer_of = f"SELECT id FROM messages WHERE parent_id = ({asked})"
    states = set()
    for reader in crowd.readers:
        reader.context = {"message_id": stage.sql(answer_of, reader.question)[0][0]}
        assert reader.stop() == 204
        states.add(check(stage, reader)["status"])
    found.say("states", ", ".join(states), "stopped", states == {"stopped"})


if __name__ == "__main__":
    report.main(__doc__, run, "times", 3)
