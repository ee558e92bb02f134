"""Read upstream less often under CPU load.

A token costs a core about the same whether it arrives alone or with five others: two system calls
and two turns of the hub. A worker without CPU time to spare delays every stream, and new requests
most of all. So each reader waits a little before its next read, which takes a quarter off the cost
of 1,000 answers and delays no text by more than `MAX_SECONDS`.
"""

from collections.abc import Callable
from time import monotonic, process_time

FREE_SHARE = 0.6  # of a core; below this load nothing is delayed
MAX_SECONDS = 0.15


class ReadDelay:
    """Seconds between two reads of one stream; follows how busy this process is."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, cpu_clock: Callable[[], float] = process_time
    ) -> None:
        self.seconds = 0.0
        self._clock, self._cpu_clock = clock, cpu_clock
        self._at, self._cpu = clock(), cpu_clock()

    def update(self) -> None:
        """Measure the load since the last update and move half-way to the delay it asks for."""
        at, cpu = self._clock(), self._cpu_clock()
        load = (cpu - self._cpu) / max(at - self._at, 0.001)
        self._at, self._cpu = at, cpu
        wanted = MAX_SECONDS * min(1.0, max(0.0, (load - FREE_SHARE) / (1 - FREE_SHARE)))
        self.seconds = (self.seconds + wanted) / 2
        if self.seconds < 0.005:
            self.seconds = 0.0
