"""Stop at random stages, through the other worker, with SQLite's write lock free and taken.

    python -m tests.faults.stops --times 100 [--seed N]

The model server must see the close within 1 s each time; question and partial answer stay. If no
connection to the model is open yet (a file is being read, a search runs), the answer must end as
stopped within the same time, after which the model must get no request. A held write lock may delay
storing the end, but not the stop.
"""

import contextlib
import http.client
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass

from tests.faults import report
from tests.faults.invariants import check
from tests.faults.reader import Reader, letters
from tests.faults.report import Report
from tests.faults.stage import Stage, new_home
from tests.support.embedserver import EmbedServer
from tests.support.service import PATIENCE_SECONDS, wait_for

CLOSE_SECONDS = 1
LOCK_SECONDS = 2.0
ROUND = 10  # answers that are stopped at once
TRIES = 60
STAGES = ("reading", "rewriting", "searching", "first-token", "mid-stream")
ASKED = ("rewriting", "first-token", "mid-stream")  # where a connection to the model is open
SHORT = ("rewriting", "searching")  # these end by themselves after three seconds
ENDING = ("reading", *SHORT)  # and these after half a minute at the latest
LONG = "typewriter-2400-40"  # a minute, so that whoever is stopped late still answers
LEASED_ELSEWHERE = """
    UPDATE files SET status = 'queued', lease_owner = 'a test',
        lease_until = datetime('now', '+1 hour'), created_at = ?
"""


@dataclass
class Shelf:
    """Two knowledge bases: one whose only file is never read, one that can be searched."""

    unread: str
    ready: str


@dataclass
class Stopped:
    """One stop: stage, whether the lock was held, when it was sent, and how long it took."""

    stage: str
    locked: bool
    sent: float
    seconds: float


@contextmanager
def write_lock(stage: Stage) -> Iterator[None]:
    """Hold SQLite's write lock as another process would."""
    with closing(
        sqlite3.connect(stage.home / "chatapp.db", timeout=10, isolation_level=None)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def make_shelf(stage: Stage) -> Shelf:
    """Create the two bases with a file each."""
    file = stage.home / "otters.md"
    file.write_text("# Otters\n\nThe otter Waldemar eats eleven pounds of fish a day.\n")
    ready = stage.service.add_documents("ready", file)
    unread = stage.service.add_documents("unread", file)
    return Shelf(unread, ready)


def keep_unread(stage: Stage, shelf: Shelf) -> None:
    """Make the unread file look new and leased by another worker."""
    created = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
    with closing(
        sqlite3.connect(stage.home / "chatapp.db", timeout=10, isolation_level=None)
    ) as connection:
        connection.execute(
            f"{LEASED_ELSEWHERE} WHERE knowledge_base_id = ?", (created, shelf.unread)
        )


def says(status: str) -> Callable[[Reader], bool]:
    return lambda reader: any(
        each["data"] == status for each in reader.seen if each["type"] == "status"
    )


def begin(stage: Stage, shelf: Shelf, at: str, session: str = "") -> Reader:
    """Ask, and disconnect once the answer has reached a stage."""
    question, model, base, until = {
        "reading": ("What does Waldemar eat?", LONG, shelf.unread, says("reading")),
        "searching": ("What does the otter Waldemar eat?", LONG, shelf.ready, says("searching")),
        "rewriting": ("What about it?", "slow-rewrite", shelf.ready, says("rewriting")),
        "first-token": (
            "first token",
            "hang-before-headers",
            "",
            lambda reader: "context" in reader.kinds,
        ),
        "mid-stream": ("mid", "typewriter-4000-40", "", letters(20)),
        "history": ("Who is Waldemar?", "echo", "", lambda reader: reader.end is not None),
    }[at]
    more: dict[str, object] = {"knowledge_config": {"knowledge_base_id": base}} if base else {}
    more |= {"session_id": session} if session else {}
    reader = Reader(stage.service, question, llm_config=stage.patient(model), **more).ask(until)
    assert at == "history" or reader.end is None, f"never {at}: {reader!r}"
    if at in ASKED:
        wait_for(lambda: stage.requests(reader.question), what="the model is asked")
    return reader


def begin_all(
    stage: Stage, shelf: Shelf, places: list[str], pool: ThreadPoolExecutor
) -> list[Reader]:
    """Bring every answer to its stage; stages that last only three seconds come last."""
    sessions = {
        place: pool.submit(begin, stage, shelf, "history")
        for place, at in enumerate(places)
        if at == "rewriting"
    }
    long = {
        place: pool.submit(begin, stage, shelf, at)
        for place, at in enumerate(places)
        if at not in SHORT
    }
    wait([*sessions.values(), *long.values()])

    def last(place: int) -> Reader:
        session = sessions[place].result().context["session_id"] if place in sessions else ""
        return begin(stage, shelf, places[place], session)

    short = {place: pool.submit(last, place) for place, at in enumerate(places) if at in SHORT}
    return [(long | short)[place].result() for place in range(len(places))]


def through_another(stage: Stage, reader: Reader, token: str) -> float:
    """Send Stop to the worker that does not write; return when (monotonic) it was sent."""
    writer = stage.writer_of(reader.message_id)
    assert writer is not None, f"{reader!r} has ended before it was stopped"
    for _ in range(TRIES):
        with closing(
            http.client.HTTPConnection("127.0.0.1", stage.service.port, timeout=PATIENCE_SECONDS)
        ) as connection:
            connection.connect()
            port = connection.sock.getsockname()[1]
            worker = wait_for(lambda: stage.worker_of(port), what="somebody accepts")  # noqa: B023
            if worker == writer:
                continue
            sent = time.monotonic()
            connection.request(
                "DELETE",
                f"/chat/stream/{reader.message_id}",
                headers={"Authorization": f"Bearer {token}"},
            )
            assert connection.getresponse().status == 204
            return sent
    raise AssertionError("every connection was accepted by the worker that writes")


def stop(stage: Stage, reader: Reader, at: str, locked: bool, token: str) -> Stopped:
    """Stop one answer; measure the time until its work has ended."""
    sent = through_another(stage, reader, token)
    if at in ASKED:
        request = stage.requests(reader.question)[-1]
        wait_for(lambda: request.closed_at, what=f"the model server sees the close at {at}")
        done = request.closed_at or 0.0
    elif not locked:
        reader.resume()
        done = reader.ended
    else:
        done = sent
    return Stopped(at, locked, sent, done - sent)


def one_round(
    stage: Stage,
    shelf: Shelf,
    embedder: EmbedServer,
    places: list[str],
    locked: bool,
    most: float,
    found: Report,
) -> list[Stopped]:
    """Bring answers to their stages and stop them concurrently; report violations."""
    keep_unread(stage, shelf)
    embedder.mood = "wait"
    # a new token: recording its first use must not make Stop wait for the lock
    token = stage.service.post("/api/auth/tokens", {"name": "stops"}).json["token"]
    with ThreadPoolExecutor(ROUND) as pool:
        readers = begin_all(stage, shelf, places, pool)
        with write_lock(stage) if locked else contextlib.nullcontext():
            began = time.monotonic()
            stops = list(
                pool.map(
                    lambda pair: stop(stage, pair[0], pair[1], locked, token),
                    zip(readers, places, strict=True),
                )
            )
            if locked:
                time.sleep(max(0.0, began + LOCK_SECONDS - time.monotonic()))
    embedder.mood = ""
    embedder.gate.set()
    embedder.gate.clear()
    for reader, stopped in zip(readers, stops, strict=True):
        at, name = stopped.stage, f"{stopped.stage}{' under the lock' if locked else ''}"
        try:
            stored = check(stage, reader)
        except AssertionError as fault:
            found.broken.append(f"{name}: {fault}")
            continue
        asked = [request.t_start for request in stage.requests(reader.question)]
        if at in ENDING and len(asked) > int(at in ASKED) and asked[-1] < stopped.sent + most:
            continue  # on a busy machine the stage had ended by itself before Stop arrived
        if (stored["status"], len(asked)) != ("stopped", int(at in ASKED)):
            found.broken.append(
                f"{name}: {stored['status']}, the model was asked {len(asked)} times"
            )
    return stops


def run(times: int, seed: int) -> Report:
    """Stop this many answers, on a stage of its own."""
    with (
        EmbedServer() as embedder,
        Stage(new_home("stops"), workers=2, pulse=False, embedder=embedder) as stage,
    ):
        return on(stage, times, seed)


def on(stage: Stage, times: int, seed: int, most: float = CLOSE_SECONDS) -> Report:
    """Stop this many answers on a stage with two workers and an embedder.

    Each stop may take `most` seconds. One that needed the write lock would never end: the lock is
    held until all have.
    """
    assert stage.embedder is not None
    chance = random.Random(seed)
    found = Report(f"{times} answers stopped through the worker that does not write them")
    stops: list[Stopped] = []
    shelf = make_shelf(stage)
    size = min(ROUND, -(-times // 2))
    for number in range(-(-times // size)):
        places = [*STAGES, *chance.choices(STAGES, k=size)][: min(size, times - number * size)]
        stops += one_round(stage, shelf, stage.embedder, places, number % 2 == 1, most, found)
    for at in STAGES:
        for locked in (False, True):
            times_of = [each.seconds for each in stops if (each.stage, each.locked) == (at, locked)]
            found.seconds(f"{at}, {'write lock taken' if locked else 'free'}", times_of, most)
    found.say("stopped", len(stops), str(times), len(stops) == times)
    return found


if __name__ == "__main__":
    report.main(__doc__, run, "times", 100)
