"""A fixed part of the campaign with random byte streams, which `make soak` runs at length."""

from tests.faults import streams

TIMES = 1_500
SEED = 1


def test_random_streams_are_read_as_plainly_as_slowly() -> None:
    report = streams.run(TIMES, SEED)
    assert not report.broken, report
