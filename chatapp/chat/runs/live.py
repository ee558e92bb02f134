"""A log that may still grow, the bell that rings when it has, and how it is read: by everybody in the same way.

A reader waits for the bell and for nothing else. A bell that rings without anything new is a heartbeat: whoever keeps the
logs of a worker rings those that have been silent, so that no reader needs a timer of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic

import gevent
from gevent.event import Event as Bell

from chatapp.core.answer import AnswerLog
from chatapp.core.events import Chunk, Done, Error, Event, Ping, Reasoning, Reset, Status
from chatapp.errors import Interrupted

PING_SECONDS = 10
CHUNK_SECONDS = 1 / 60  # a reader is given at most so many chunks a second
CHUNK_CHARACTERS = (
    64 * 1024
)  # of a backlog at once: a reader that takes nothing must not hold a copy of the answer


@dataclass(eq=False)
class Live:
    """A log and its bell. Whoever appends rings."""

    log: AnswerLog = field(default_factory=AnswerLog)
    status: Status | None = None
    left: bool = (
        False  # nothing more will come here: the process ends, and readers find the rest elsewhere
    )
    rung: float = field(default_factory=monotonic)
    _bell: Bell = field(default_factory=Bell)
    _awaited: bool = False

    def ring(self) -> None:
        """Wake all who wait."""
        self.rung = monotonic()
        if self._awaited:  # a bell that has rung is replaced, so that nobody has to take it back
            bell, self._bell, self._awaited = self._bell, Bell(), False
            bell.set()

    def leave(self) -> None:
        """Send the readers away without an end: they come back, and go on elsewhere."""
        self.left = True
        self.ring()

    def tail(self, position: int = 0) -> Iterator[tuple[int, Event]]:
        """Yield (position, event) from a position on until the end: the first piece at once, then at most 60 a second."""
        # A log that another worker writes may not have come this far yet; one that has ended lost its last moment in a crash.
        while position > self.log.position and not self.log.ended:
            yield 0, Ping()
            self._wait()
            if self.left:
                return
        if position > self.log.position or (
            position == self.log.position and self._has_lost_text()
        ):
            yield 0, Reset()
            position = 0
        if position and not self.log.ended and not self._has_more(position, None):
            yield (
                position,
                Ping(),
            )  # at once: until something is sent, whoever came back does not know that he is connected
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
                yield end, event
                if isinstance(event, Done | Error):
                    return
                if isinstance(
                    event, Chunk | Reasoning
                ):  # what comes before the text must not hold its first piece back
                    given = monotonic()
            while not self._has_more(position, status):
                if self.left or self.log.ended:
                    return
                self._wait()
                if not self.left and not self._has_more(position, status):
                    yield position, Ping()
            if not self.log.ended and (early := given + CHUNK_SECONDS - monotonic()) > 0:
                gevent.sleep(early)

    def _has_lost_text(self) -> bool:
        """Say whether text may have stood where now the end is: a crash took what had not been saved yet."""
        if not self.log.ended:
            return False
        [(_, end)] = self.log.read(self.log.position - 1)
        return isinstance(end, Error) and end.code == Interrupted.code

    def _has_more(self, position: int, status: Status | None) -> bool:
        return position < self.log.position or (self.status is not status and not self.log.ended)

    def _wait(self) -> None:
        self._awaited = True
        self._bell.wait()
