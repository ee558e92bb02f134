"""The seven invariants that hold after every fault, checked by one function.

I1 the question is stored once. I2 it has exactly one answer, whose final status fits the end
that the reader got. I3 what is stored is what was sent. I4 the reader got an end, or gets one on
reconnect. I5 nothing remains: no row of a live answer, no connection. I6 /healthz always
answered in time. I7 no event reveals a secret, a path or a stack trace.
"""

import json
import os
import sqlite3
from contextlib import closing
from functools import partial
from typing import Any

from tests.faults.reader import ANSWERS, Reader
from tests.faults.stage import ESTABLISHED, HEALTHZ_SECONDS, KEY, Stage
from tests.support.service import ROOT, TOKEN, wait_for

LEAKS = (
    "Traceback",
    'File \\"',
    "site-packages",
    "sqlalchemy",
    "urllib3",
    "gevent",
    "langchain",
    "sk-leak",
    KEY,
    TOKEN,
    str(ROOT),
)
RESTARTING = 503
HELD = ("greenlets", "streams", "connections")
UNSEEN = 2  # factor on the measured wait for a core: a loaded machine also delays disk and caches
ENDS = {"done": ("complete", "stopped"), "error": ("failed", "interrupted")}


def check(stage: Stage, reader: Reader) -> dict[str, Any]:
    """Let a cut-off reader reconnect, check all seven, and return the stored answer."""
    if reader.end is None:
        reader.follow()  # I4
    assert reader.end is not None
    stored = reader.stored()
    _question_and_answer_once(stage, reader, stored)
    _stored_as_sent(reader, stored)
    _nothing_left(stage, reader)
    _healthy(stage, reader)
    shown = json.dumps([reader.seen, stored])
    assert not [leak for leak in (*LEAKS, str(stage.home)) if leak in shown], f"I7: {shown}"
    return stored


def _question_and_answer_once(stage: Stage, reader: Reader, stored: dict[str, Any]) -> None:
    asked = stage.sql(
        "SELECT id FROM messages WHERE role = 'user' AND content = ?", reader.question
    )
    assert len(asked) == 1, f"I1: {asked}"
    answers = stage.sql(
        "SELECT id, status FROM messages WHERE role = 'assistant' AND parent_id = ?", asked[0][0]
    )
    assert [row[0] for row in answers] == [reader.message_id], f"I2: {answers}"
    assert answers[0][1] in ANSWERS, f"I2: {answers}"
    assert reader.end is not None and stored["status"] in ENDS[reader.end["type"]], (
        f"I2: {stored['status']} after {reader.end}"
    )


def _stored_as_sent(reader: Reader, stored: dict[str, Any]) -> None:
    assert (stored["content"], stored["reasoning"] or "") == (reader.text, reader.reasoning), (
        f"I3: {reader!r}"
    )
    again = wait_for(partial(_accepted, reader), "a worker that is not just ending")
    assert (again.text, again.reasoning, again.end) == (
        reader.text,
        reader.reasoning,
        reader.end,
    ), f"I3: {again!r} {reader!r}"


def _accepted(reader: Reader) -> Reader | None:
    """Read an answer again; None if the worker refuses since it ends."""
    again = reader.another().resume()
    return again if again.status != RESTARTING else None


def _nothing_left(stage: Stage, reader: Reader) -> None:
    for table in ("runs", "segments"):
        left = stage.sql(f"SELECT count(*) FROM {table} WHERE message_id = ?", reader.message_id)
        assert left == [(0,)], f"I5: {left} {table}"
    wait_for(
        lambda: all(each.t_end for each in stage.requests(reader.question)),
        what="I5: the model's connection is free",
    )
    wait_for(
        lambda: not _open(stage, set(reader.ports)), what="I5: the reader's connections are closed"
    )


def _open(stage: Stage, ports: set[int]) -> list[Any]:
    return [each for each in stage.sockets() if each[2] == stage.service.port and each[3] in ports]


def _healthy(stage: Stage, reader: Reader) -> None:
    if stage.pulse is None:
        return
    beats = stage.pulse.between(reader.began, reader.ended)
    # A loaded machine delays responses by more than the measured wait for a core.
    limit = HEALTHZ_SECONDS * (1 + os.getloadavg()[0] / (os.cpu_count() or 1))
    slow = [beat for beat in beats if beat.took - UNSEEN * beat.held_up > limit]
    assert not slow, f"I6: {slow}"
    lost = [beat for beat in beats if not beat.answered]
    assert not lost, f"I6: {lost}"


def held(stage: Stage) -> dict[int, dict[str, Any]]:
    """Return counts of what the workers hold, which must not grow."""
    counts = {pid: {name: said[name] for name in HELD} for pid, said in stage.inside().items()}
    for pid, count in counts.items():
        ours = [each for each in stage.sockets() if each[0] == pid and each[1] == ESTABLISHED]
        count["readers' sockets"] = sum(own == stage.service.port for _, _, own, _ in ours)
    return counts


def nothing_grew(stage: Stage, before: dict[int, dict[str, Any]]) -> None:
    """Check I5 for the service: wait until no worker holds more than before."""

    def same() -> bool:
        after = held(stage)
        return all(
            after[pid][name] <= count
            for pid in after
            if pid in before
            for name, count in before[pid].items()
        )

    try:
        wait_for(same, what="I5")
    except AssertionError:
        raise AssertionError(f"I5: {before} before, {stage.inside()} {held(stage)} after") from None
    assert stage.sql("SELECT count(*) FROM runs") == [(0,)]
    busy, *_ = checkpoint(stage)
    assert not busy, "I5: a transaction is open"


def checkpoint(stage: Stage) -> tuple[int, ...]:
    """Checkpoint SQLite's WAL; the result shows whether an old reader blocks it."""
    with closing(sqlite3.connect(stage.home / "chatapp.db", timeout=10)) as connection:
        found: tuple[int, ...] = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        return found
