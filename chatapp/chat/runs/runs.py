"""Live answers: start, attach, stop, flush, follow, reap, drain.

One greenlet drives a chain and appends to a log (writer.py); readers read from a position
(live.py). For an answer of another worker the log is followed from the database, for an ended one
it is rebuilt from its row (answers.py): the same `tail` serves all.

Every 200 ms one transaction stores what this worker's live answers gained (saver.py). The final
state is committed before the terminal event is sent. Each write names its owner: if it changes no
row, another worker has reaped the run; it is reclaimed (chat/reaping.py) or ends here.
"""

import functools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import gevent

from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chat import answers, reaping
from chatapp.chat.runs.live import PING_SECONDS, Live
from chatapp.chat.runs.saver import Saver
from chatapp.chat.runs.stops import Stops
from chatapp.chat.runs.writer import SAVE_SECONDS, Job, Lost, ShutDown, Stopped, Writer
from chatapp.core.answer import LIVE, State
from chatapp.core.events import Logged
from chatapp.errors import DatabaseBusy, DatabaseUnusable, DiskFull, Overloaded, Restarting
from chatapp.open_files import streams_allowed
from chatapp.settings import MB, Settings
from chatapp.storage.database import Database

__all__ = ["Job", "Live", "Reader", "Runs"]

log = logging.getLogger("chatapp.runs")

READ_DELAY_SECONDS = 0.1  # between two measurements of the load
QUIET_SECONDS = 60  # after a failure was logged
FULL_SECONDS = 1  # between two attempts on a full disk
FLUSH_SECONDS = 0.2  # between two saves of new text
WATCH_SECONDS = 0.25  # between two reads of stop requests and other workers' answers
TICK_SECONDS = 1
REAP_SECONDS = 2  # between two searches for runs of dead workers
STALE_SECONDS = 30  # without a heartbeat, after which a run's worker counts as dead
PAUSED_SECONDS = 15  # between two searches: this worker itself was held up


@dataclass(eq=False, slots=True)
class Reader:
    """A reader's connection: how to cut it, and since when (monotonic) data waits for it."""

    cut: Callable[[], None]
    given: float = 0.0


class Runs:
    """The live answers of one worker."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        read_delay: ReadDelay,
        chores: Mapping[Callable[[], None], float] | None = None,
    ) -> None:
        """`chores` are repeated beside the answers, each after its seconds."""
        self._chores = dict(chores or {})
        self._database = database
        self._read_delay = read_delay
        self._settings = settings
        self.most_streams = streams_allowed(settings.max_streams)
        # A burst of questions must not keep running answers from being saved or stopped.
        self._reserved = database.reserved
        self._saver = Saver(self._reserved, settings.unsaved_mb * MB)
        self._stops = Stops(self._reserved, settings.home)
        self._writers: dict[str, Writer] = {}
        self._followed: dict[str, Live] = {}
        self._readers: set[Reader] = set()
        self._reaped: set[str] = set()  # answers written here that other workers have reaped
        self._loops: list[gevent.Greenlet] = []
        # Heartbeats of all live answers, each with when (monotonic) it was first seen.
        self._beats: dict[str, tuple[datetime, float]] = {}
        self._looked_at = 0.0  # monotonic
        self._drain_until: float | None = None

    def begin(self) -> None:
        """Start this worker's loops, which also reap the runs of dead workers."""
        if not self._loops:
            rhythm = [
                (self._read_delay.update, READ_DELAY_SECONDS),
                (self._flush, FLUSH_SECONDS),
                (self._watch, WATCH_SECONDS),
                (self._tick, TICK_SECONDS),
                (self._reap, REAP_SECONDS),
                *self._chores.items(),
            ]
            self._loops = [gevent.spawn(_every, seconds, step) for step, seconds in rhythm]

    def start(self, job: Job) -> Live:
        """Start an answer whose row is stored; its context is readable at once."""
        self.begin()
        message_id = job.context.message_id
        forget = functools.partial(self._writers.pop, message_id, None)
        writer = Writer(
            job=job, save_ending=self._saver.save_ending, forget=forget, settings=self._settings
        )
        self._writers[message_id] = writer
        writer.start()
        return writer

    def attach(self, user_id: str, message_id: str) -> Live:
        """Return the log of the user's answer, live or ended; raise NotFound."""
        row = self._database.read(lambda t: answers.owned_answer(t, user_id, message_id))
        live = self._writers.get(message_id) or self._followed.get(message_id)
        if live is not None:
            return live
        if late := self._saver.late.get(message_id):
            return Live(late.log)
        if State(row.status) not in LIVE:
            return Live(answers.log_of(row))
        if self.draining:  # this worker ends before the answer does
            raise Restarting
        self.begin()
        return self._followed.setdefault(message_id, Live())

    def stop(self, user_id: str, message_id: str) -> None:
        """Stop an answer in whichever worker writes it; idempotent. Raise NotFound."""
        row = self._reserved.read(lambda t: answers.owned_answer(t, user_id, message_id))
        if message_id in self._writers or State(row.status) in LIVE:
            self._stop(message_id)
        elif row.status == State.INTERRUPTED:  # perhaps reaped, and about to be reclaimed
            self._reserved.write_deletion(lambda t: reaping.keep_interrupted(t, message_id))

    def stop_all(self, user_id: str) -> None:
        """Stop the live answers of a user, in whichever workers write them."""
        for message_id in self._reserved.read(lambda t: answers.live_answers(t, user_id)):
            self._stop(message_id)

    def stop_here(self, message_id: str) -> None:
        """Stop an answer if this worker writes it."""
        if writer := self._writers.get(message_id):
            writer.interrupt(Stopped)

    def _stop(self, message_id: str) -> None:
        if writer := self._writers.get(message_id):
            writer.interrupt(Stopped)
        else:
            self._stops.ask(message_id)

    def admit(self, cut: Callable[[], None]) -> Reader:
        """Admit a reader; raise Overloaded if no place is left, Restarting when draining.

        The place is held until `dismiss`. `cut` closes the connection of a stalled reader.
        """
        if self.draining:
            raise Restarting
        if self.streams >= self.most_streams:
            raise Overloaded(self.most_streams)
        reader = Reader(cut)
        self._readers.add(reader)
        return reader

    def dismiss(self, reader: Reader) -> None:
        """Release the place; idempotent."""
        self._readers.discard(reader)

    @property
    def streams(self) -> int:
        """Answers written or readers served here, whichever is more."""
        return max(len(self._readers), len(self._writers))

    @property
    def live_answers(self) -> int:
        """Answers that are written here."""
        return len(self._writers)

    @property
    def readers(self) -> int:
        """Readers that are served here."""
        return len(self._readers)

    @property
    def draining(self) -> bool:
        """Whether this worker is ending and starts nothing new."""
        return self._drain_until is not None

    def drain(self, seconds: float) -> None:
        """Wait this long for live answers, then interrupt the others; a second call joins in."""
        if self._drain_until is None:
            self._drain_until = time.monotonic() + seconds
            for live in self._followed.values():
                live.disconnect()
        while self._writers and time.monotonic() < self._drain_until:
            gevent.sleep(0.05)
        unfinished = list(self._writers.values())
        for writer in unfinished:
            writer.interrupt(ShutDown)
        for writer in unfinished:
            writer.join(SAVE_SECONDS)

    def close(self) -> None:
        """End the loops of this worker."""
        gevent.killall(self._loops)
        self._loops.clear()

    def _flush(self) -> None:
        self._saver.save_late()
        if self._reaped:
            self._saver.reclaim(self._writers, self._reaped)
            self._reaped.clear()
        self._saver.flush(self._writers)

    def _watch(self) -> None:
        """Read, for all answers at once, requested stops and what other workers wrote."""
        if not self._writers and not self._followed:
            return
        for message_id in self._stops.take():
            if writer := self._writers.get(message_id):
                writer.interrupt(Stopped)
                self._stops.forget(message_id)
        followed = {message_id: live.log.position for message_id, live in self._followed.items()}
        written = dict(self._writers)
        flags, grown = self._reserved.read(
            lambda t: (answers.stop_flags(t, answers.owner()), answers.new_events(t, followed))
        )
        for message_id, writer in written.items():
            if flags.get(message_id):
                writer.interrupt(Stopped)
        if gone := [name for name in written.keys() - flags.keys() if not written[name].ending]:
            lost = self._reserved.read(lambda t: reaping.lost(t, answers.owner(), gone))
            self._reaped.update(set(gone) - lost.keys())
            for message_id, fault in lost.items():
                written[message_id].interrupt(Lost if fault else Stopped)
        for message_id, events in grown.items():
            self._follow(message_id, events)

    def _tick(self) -> None:
        """Send heartbeats to readers of silent answers, cut stalled readers, measure pauses."""
        now = time.monotonic()
        for writer in self._writers.values():
            writer.note_pause(now)
        for live in [*self._writers.values(), *self._followed.values()]:
            if now - live.rung >= PING_SECONDS:
                live.ring()
        for reader in [*self._readers]:
            if reader.given and now - reader.given > self._settings.reader_seconds:
                reader.cut()

    def _follow(self, message_id: str, events: list[Logged] | None) -> None:
        live = self._followed[message_id]
        if events is None:  # reclaimed and stored from the start
            del self._followed[message_id]
            live.disconnect()
            return
        for event in events:
            live.log.append(event)
        if events:
            live.ring()
        if live.log.ended:
            del self._followed[message_id]

    def _reap(self) -> None:
        """Interrupt runs whose heartbeat has not changed for 30 s, by the monotonic clock."""
        if self._database.watch_disk() is not None:  # then no worker can show that it lives
            self._beats = {}
            return
        # Forgotten if the read fails or this worker was held up: no heartbeat could arrive then.
        before, self._beats = self._beats, {}
        beats = self._reserved.read(reaping.heartbeats)
        now = time.monotonic()
        before = before if now - self._looked_at < PAUSED_SECONDS else {}
        self._looked_at = now
        since = {
            name: before[name][1] if name in before and before[name][0] == beat else now
            for name, beat in beats.items()
        }
        self._beats = {name: (beat, since[name]) for name, beat in beats.items()}
        lost = {
            name: beat
            for name, beat in beats.items()
            if now - since[name] >= STALE_SECONDS and name not in self._writers
        }
        if lost:
            for message_id in self._reserved.write(lambda t: reaping.reap(t, lost)):
                log.warning("answer interrupted message=%s", message_id)
        self._stops.sweep()


def _every(seconds: float, step: Callable[[], None]) -> None:
    """Repeat a step; log its failures at most once a minute."""
    quiet_until = 0.0
    while True:
        try:
            step()
        except (DatabaseUnusable, DiskFull):  # logged when it began
            gevent.sleep(FULL_SECONDS)
        except Exception as fault:
            if time.monotonic() > quiet_until:
                quiet_until = time.monotonic() + QUIET_SECONDS
                if isinstance(fault, DatabaseBusy):
                    log.warning("the database is busy; %s waits", step.__name__)
                else:
                    log.exception("%s failed", step.__name__)
        gevent.sleep(seconds)
