"""A log that may still grow, the event that wakes its readers, and how each reader reads it.

Readers wait without a time-out. Waking them without news is the heartbeat: one loop per worker
wakes the readers of silent logs, so no reader needs a timer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic

import gevent
from gevent.event import Event as Bell

from chatapp.core.answer import AnswerLog
from chatapp.core.events import (
    Chunk,
    Done,
    Error,
    Ping,
    Read,
    Reasoning,
    Reset,
    Status,
    WasThinking,
)
from chatapp.errors import Interrupted

PING_SECONDS = 10
CHUNK_SECONDS = 1 / 60  # at most 60 chunks a second per reader
CHUNK_CHARACTERS = 64 * 1024  # of a backlog: a stalled reader must not hold a copy of the answer


@dataclass(eq=False)
class Live:
    """A log and the event that wakes its readers; call `ring` after appending."""

    log: AnswerLog = field(default_factory=AnswerLog)
    status: Status | None = None
    disconnected: bool = False  # this process is ending; readers continue in another worker
    rung: float = field(default_factory=monotonic)
    _bell: Bell = field(default_factory=Bell)
    _awaited: bool = False

    def ring(self) -> None:
        """Wake all waiting readers."""
        self.rung = monotonic()
        if self._awaited:  # replaced instead of cleared, so no reader misses it
            bell, self._bell, self._awaited = self._bell, Bell(), False
            bell.set()

    def disconnect(self) -> None:
        """End the readers without a terminal event: they reconnect to another worker."""
        self.disconnected = True
        self.ring()

    def tail(self, position: int = 0) -> Iterator[tuple[int, Read]]:
        """Yield (position, event) to the end: the first piece at once, then at most 60 a second."""
        # Another worker's log may not have come this far yet. An ended log that is shorter lost
        # its last moment in a crash.
        while position > self.log.position and not self.log.ended:
            yield 0, Ping()
            self._wait()
            if self.disconnected:
                return
        if (
            position > self.log.position
            or (position == self.log.position and self._has_lost_text())
            or 0 < position < self.log.revised
        ):
            yield 0, Reset()
            position = 0
        revised = self.log.revised  # what is read from here on is right up to there
        if position and not self.log.ended and not self._has_more(position, None):
            yield position, Ping()  # immediately on reconnect: it shows that the stream is open
        status: Status | None = None
        given = 0.0
        while True:
            if (
                self.status is not None
                and self.status is not status
                and position
                and not self.log.ended
            ):
                status = self.status
                yield position, status
            for end, event in self.log.read(position, CHUNK_CHARACTERS):
                position = end
                if isinstance(event, WasThinking):
                    if end > revised and event.since < end - 1:
                        yield 0, Reset()
                        position, revised = 0, self.log.revised
                        break
                    continue
                yield end, event
                if isinstance(event, Done | Error):
                    return
                if isinstance(event, Chunk | Reasoning):  # other events must not delay the text
                    given = monotonic()
            while not self._has_more(position, status):
                if self.disconnected or self.log.ended:
                    return
                self._wait()
                if not self.disconnected and not self._has_more(position, status):
                    yield position, Ping()
            if not self.log.ended and (early := given + CHUNK_SECONDS - monotonic()) > 0:
                gevent.sleep(early)

    def _has_lost_text(self) -> bool:
        """Return whether a crash may have lost text that readers have seen."""
        if not self.log.ended:
            return False
        [(_, end)] = self.log.read(self.log.position - 1)
        return isinstance(end, Error) and end.code == Interrupted.code

    def _has_more(self, position: int, status: Status | None) -> bool:
        return position < self.log.position or (self.status is not status and not self.log.ended)

    def _wait(self) -> None:
        self._awaited = True
        self._bell.wait()
