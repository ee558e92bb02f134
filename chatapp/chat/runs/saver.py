"""Stores live answers: new events of all in one transaction a tick, and their ends in batches.

Ends that arrive during a transaction share the next one: a thousand answers that end at once take a
few transactions. Each write names its owner, so an answer that was reaped is not overwritten. While
the disk is full or the database is away, all is kept in memory and saved as soon as possible.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import gevent
from gevent.event import AsyncResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from chatapp.chat import answers
from chatapp.chat.answers import Ending
from chatapp.chat.runs.writer import SAVE_SECONDS, Lost, Writer
from chatapp.errors import ChatAppError, DatabaseBusy, DiskFull, NotSaved
from chatapp.storage.database import Database

log = logging.getLogger("chatapp.runs")

SAVE_AGAIN_SECONDS = 0.2


@dataclass(eq=False, slots=True)
class _Waiting:
    """An ending to save, and where its answer waits for the result."""

    ending: Ending
    until: float
    fault: "AsyncResult[ChatAppError | None]" = field(default_factory=AsyncResult)


class Saver:
    """Stores the live answers of one worker."""

    def __init__(self, database: Database, seconds: float = SAVE_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._heartbeat_at = 0.0
        self._waiting: list[_Waiting] = []
        self._saves = False
        self.late: dict[str, Ending] = {}  # that could not be saved in time

    def flush(self, writers: Mapping[str, Writer]) -> None:
        """Store new events and heartbeats in one transaction; interrupt reaped answers."""
        beat = time.monotonic() - self._heartbeat_at > answers.HEARTBEAT_SECONDS
        growing = {name: writer for name, writer in writers.items() if not writer.ending}
        gains = {
            name: answers.Increment(
                writer.flushed,
                writer.log.position,
                [event for _, event in writer.log.read(writer.flushed)],
            )
            for name, writer in growing.items()
            if writer.log.position > writer.flushed
        }
        if not gains and not (beat and growing):
            return
        alive = list(writers) if beat else []
        try:
            mine = self._database.write(
                lambda t: answers.save_increments(t, answers.owner(), gains, alive)
            )
        except IntegrityError:  # PostgreSQL: one was deleted meanwhile; the next tick drops it
            return
        if beat:
            self._heartbeat_at = time.monotonic()
        for name, gain in gains.items():
            growing[name].flushed = gain.end
            if name not in mine:
                growing[name].interrupt(Lost)

    def save_ending(self, ending: Ending) -> ChatAppError | None:
        """Wait until an ending is saved; return why it was not.

        Deleted means that the answer is gone, Interrupted that another worker has reaped the run.
        NotSaved comes after ten seconds of retries: the ending is kept, and saved by `save_late`.
        """
        waiting = _Waiting(ending, time.monotonic() + self._seconds)
        self._waiting.append(waiting)
        if not self._saves:
            self._saves = True
            gevent.spawn(self._save_waiting)
        fault: ChatAppError | None = waiting.fault.get()
        return fault

    def save_late(self) -> None:
        """Save the endings that were given up; raise DatabaseBusy or DiskFull."""
        for message_id, ending in list(self.late.items()):
            try:
                refused = self._write([ending])
                log.info("answer saved late message=%s refused=%s", message_id, bool(refused))
            except (DatabaseBusy, DiskFull):
                raise
            except Exception:
                log.exception("answer not saved message=%s", message_id)
            del self.late[message_id]

    def _save_waiting(self) -> None:
        """Save everything that waits, in as many rounds as it takes."""
        try:
            while self._waiting:
                together, self._waiting = self._waiting, []
                self._save(together)
        finally:
            self._saves = False

    def _save(self, together: Sequence[_Waiting]) -> None:
        try:
            refused = self._write([each.ending for each in together])
        except (DatabaseBusy, DiskFull):
            self._try_again(together)
        except Exception:
            if len(together) > 1:  # one that cannot be stored must not fail the others
                for each in together:
                    self._save([each])
                return
            log.exception("answer not saved message=%s", together[0].ending.message_id)
            together[0].fault.set(NotSaved())
        else:
            for each in together:
                each.fault.set(refused.get(each.ending.message_id))

    def _write(self, endings: Sequence[Ending]) -> dict[str, ChatAppError]:
        """Save endings; return why some were refused."""

        def save(t: Transaction) -> dict[str, ChatAppError]:
            mine = answers.save_endings(t, endings, answers.owner())
            return answers.why_refused(t, {ending.message_id for ending in endings} - mine)

        return self._database.write(save)

    def _try_again(self, together: Sequence[_Waiting]) -> None:
        """Requeue endings whose time is not up, after a pause; a deleted answer needs none."""
        lost = self._lost([each.ending.message_id for each in together])
        kept: list[_Waiting] = []
        for each in together:
            if fault := lost.get(each.ending.message_id):
                each.fault.set(fault)
            elif time.monotonic() < each.until:
                kept.append(each)
            else:
                self.late[each.ending.message_id] = each.ending
                each.fault.set(NotSaved())
        self._waiting = kept + self._waiting
        gevent.sleep(SAVE_AGAIN_SECONDS)

    def _lost(self, message_ids: Sequence[str]) -> dict[str, ChatAppError]:
        try:
            return self._database.read(lambda t: answers.lost(t, message_ids, answers.owner()))
        except (DatabaseBusy, DiskFull):
            return {}
