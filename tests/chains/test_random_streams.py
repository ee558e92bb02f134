"""A short version of the campaign with random byte streams, which `make soak` runs at length."""

import random

from tests.faults import streams

TIMES = 5_000


def test_random_streams_are_read_as_plainly_as_slowly() -> None:
    seed = random.randrange(1_000_000)
    report = streams.run(TIMES, seed)
    assert not report.broken, f"seed {seed}\n{report}"
