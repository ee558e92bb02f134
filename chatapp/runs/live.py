"""A log that may still grow, the bell that rings when it has, and how it is read: by everybody in the same way."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import gevent
from gevent.event import Event as Bell

from chatapp.core.answer import AnswerLog
from chatapp.core.events import Done, Error, Event, Ping, Reset, Status

PING_SECONDS = 10
MOST_CHUNKS_A_SECOND = 60


@dataclass(eq=False)
class Live:
    """A log and its bell. Whoever appends rings; a bell that has rung is replaced, so that nobody has to take it back."""

    log: AnswerLog = field(default_factory=AnswerLog)
    status: Status | None = None
    bell: Bell = field(default_factory=Bell)

    def ring(self) -> None:
        """Wake all who wait."""
        bell, self.bell = self.bell, Bell()
        bell.set()

    def tail(self, position: int = 0) -> Iterator[tuple[int, Event]]:
        """Yield (position, event) from a position on until the end: the first piece at once, then at most 60 a second."""
        # A log that another worker writes may not have come this far yet; one that has ended lost its last moment in a crash.
        while position > self.log.position and not self.log.ended:
            if not self.bell.wait(PING_SECONDS):
                yield 0, Ping()
        if position > self.log.position:
            yield 0, Reset()
            position = 0
        status: Status | None = None
        while True:
            bell = self.bell
            if self.status is not status and self.status is not None and position and not self.log.ended:
                status = self.status
                yield position, status
            events = self.log.read(position)
            for end, event in events:
                position = end
                yield end, event
                if isinstance(event, Done | Error):
                    return
            if self.log.ended and position >= self.log.position:
                return
            if events:
                gevent.sleep(1 / MOST_CHUNKS_A_SECOND)
            elif bell is self.bell and not bell.wait(PING_SECONDS):
                yield position, Ping()
