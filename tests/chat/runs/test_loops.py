"""The loops of a worker: a failure is logged at most once a minute."""

import gevent
import pytest

from chatapp.chat.runs.runs import _every
from chatapp.errors import DatabaseBusy


@pytest.mark.parametrize("fault", [DatabaseBusy(), ValueError("a bug")])
def test_a_step_that_keeps_failing_is_logged_once(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    steps: list[int] = []

    def step() -> None:
        steps.append(1)
        raise fault

    loop = gevent.spawn(_every, 0, step)
    while len(steps) < 50:
        gevent.sleep(0)
    loop.kill()
    assert len(caplog.records) == 1
    assert bool(caplog.records[0].exc_info) == isinstance(fault, ValueError)
