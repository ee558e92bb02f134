"""How often text is moved on: as it comes, until this worker nears what one core can do; then less often, more at a time.

A token costs a core about the same whether it comes alone or with five others: two system calls and two turns of the hub.
A worker that has no time left would serve everybody late, and who asks just then latest of all. So it waits a little before
it reads on, which takes a quarter off what 1,000 answers cost, and holds no text back for longer than `MOST_SECONDS`.
"""

from collections.abc import Callable
from time import monotonic, process_time

FREE = 0.6  # of a core: below this nothing is held back
MOST_SECONDS = 0.15


class Pace:
    """How long after a read a supplier's text may wait for the next one, in seconds; follows how busy this process is."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, cpu_clock: Callable[[], float] = process_time
    ) -> None:
        self.seconds = 0.0
        self._clock, self._cpu_clock = clock, cpu_clock
        self._at, self._cpu = clock(), cpu_clock()

    def look(self) -> None:
        """See how busy this process has been since the last look, and go half the way to what that asks for."""
        at, cpu = self._clock(), self._cpu_clock()
        busy = (cpu - self._cpu) / max(at - self._at, 0.001)
        self._at, self._cpu = at, cpu
        wanted = MOST_SECONDS * min(1.0, max(0.0, (busy - FREE) / (1 - FREE)))
        self.seconds = (self.seconds + wanted) / 2
        if self.seconds < 0.005:
            self.seconds = 0.0
