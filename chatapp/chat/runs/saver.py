"""Stores live answers: new events of all in one transaction a tick, and their ends in batches.

Ends that arrive during a transaction share the next one: a thousand answers that end at once take a
few transactions. Each write names its owner; a reaped answer is reclaimed first (chat/reaping.py).
While nothing can be stored, all is kept in memory and saved as soon as possible.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import gevent
from gevent.event import AsyncResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from chatapp.chat import answers, reaping
from chatapp.chat.answers import Ending
from chatapp.chat.runs.writer import SAVE_SECONDS, Lost, Stopped, Writer
from chatapp.chat.usage import add_use
from chatapp.errors import ChatAppError, Deleted, NotSaved, StorageUnavailable
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

    def __init__(
        self, database: Database, most_unsaved: int, seconds: float = SAVE_SECONDS
    ) -> None:
        """`most_unsaved`: characters of answers to keep that were not saved within `seconds`."""
        self._database = database
        self._most_unsaved = most_unsaved
        self._seconds = seconds
        self._heartbeat_at = 0.0
        self._waiting: list[_Waiting] = []
        self._saves = False
        self.late: dict[str, Ending] = {}  # that could not be saved in time

    def reclaim(self, writers: Mapping[str, Writer], message_ids: Collection[str]) -> None:
        """Reclaim reaped answers and store them from the start; interrupt those that are lost.

        Idempotent: a commit may succeed without an acknowledgement.
        """
        own = {
            name: writer
            for name in message_ids
            if (writer := writers.get(name)) is not None and not writer.ending
        }
        whole = {name: writer.rewind() for name, writer in own.items()}

        def take(t: Transaction) -> tuple[set[str], Mapping[str, ChatAppError | None]]:
            reaping.lock(t, own)
            # One that has begun to end is reclaimed with its end.
            names = {name for name, writer in own.items() if not writer.ending}
            reaping.reclaim(t, answers.owner(), names)
            mine = answers.save_anew(t, answers.owner(), {name: whole[name] for name in names})
            return mine, reaping.lost(t, answers.owner(), names - mine)

        mine, lost = self._database.write(take)
        for name in mine:
            own[name].flushed = whole[name].end
            log.info("answer reclaimed message=%s", name)
        for name, fault in lost.items():
            own[name].interrupt(Lost if fault else Stopped)

    def flush(self, writers: Mapping[str, Writer]) -> None:
        """Store new events and heartbeats in one transaction."""
        beat = time.monotonic() - self._heartbeat_at > answers.HEARTBEAT_SECONDS
        growing = {name: writer for name, writer in writers.items() if not writer.ending}
        gains = {
            name: writer.since(writer.flushed)
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
        for name in mine:  # Runs notices that the others were deleted or reaped
            growing[name].flushed = gains[name].end

    def save_ending(self, ending: Ending) -> ChatAppError | None:
        """Wait until an ending is saved; return why it was not.

        Deleted means that the answer is gone, Interrupted that it was reaped and cannot be
        reclaimed. NotSaved comes after ten seconds of retries: the ending is kept, and saved by
        `save_late`.
        """
        waiting = _Waiting(ending, time.monotonic() + self._seconds)
        self._waiting.append(waiting)
        if not self._saves:
            self._saves = True
            gevent.spawn(self._save_waiting)
        fault: ChatAppError | None = waiting.fault.get()
        return fault

    def save_late(self) -> None:
        """Save the endings that were given up; raise StorageUnavailable."""
        for message_id, ending in list(self.late.items()):
            try:
                refused = self._write([ending])
                log.info("answer saved late message=%s refused=%s", message_id, bool(refused))
            except StorageUnavailable:
                raise
            except Exception:
                log.exception("answer not saved message=%s", message_id)
            self.late.pop(message_id, None)  # `_keep` may have dropped it

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
        except StorageUnavailable:
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
            if others := [each for each in endings if each.message_id not in mine]:
                names = {each.message_id for each in others}
                reaping.lock(t, names)
                reaping.reclaim(t, answers.owner(), names)
                back = [replace(each, reclaimed=True) for each in others]
                mine |= answers.save_endings(t, back, answers.owner())
            faults = answers.why_refused(t, {ending.message_id for ending in endings} - mine)
            # A deleted answer is ended by nobody else, and has used what it has.
            gone = {name for name, fault in faults.items() if isinstance(fault, Deleted)}
            add_use(t, [each.used for each in endings if each.message_id in gone and each.used])
            return faults

        return self._database.write(save)

    def _try_again(self, together: Sequence[_Waiting]) -> None:
        """Requeue endings whose time is not up, after a pause; a deleted answer needs none."""
        lost = self._lost([each.ending.message_id for each in together])
        kept: list[_Waiting] = []
        for each in together:
            if each.ending.message_id in lost:
                each.fault.set(lost[each.ending.message_id])
            elif time.monotonic() < each.until:
                kept.append(each)
            else:
                self._keep(each.ending)
                each.fault.set(NotSaved())
        self._waiting = kept + self._waiting
        gevent.sleep(SAVE_AGAIN_SECONDS)

    def _keep(self, ending: Ending) -> None:
        """Keep an ending that could not be saved in time; drop the oldest above the limit."""
        self.late[ending.message_id] = ending
        while sum(each.log.position for each in self.late.values()) > self._most_unsaved:
            message_id = next(iter(self.late))
            del self.late[message_id]
            log.error("answer dropped, too many cannot be saved message=%s", message_id)

    def _lost(self, message_ids: Sequence[str]) -> dict[str, ChatAppError | None]:
        try:
            return self._database.read(lambda t: reaping.lost(t, answers.owner(), message_ids))
        except StorageUnavailable:
            return {}
