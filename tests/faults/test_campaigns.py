"""Short versions of the campaigns, which run a hundred times as long as programs."""

import random
from concurrent.futures import Future

import pytest

from tests.faults import locks, mutants, readings, resumes, stops
from tests.faults.report import Report
from tests.faults.stage import Stage
from tests.support.service import PATIENCE_SECONDS

pytestmark = pytest.mark.server
DAMAGED, DAMAGED_SEED = 40, 1  # always the same files
STRIKES = 5


@pytest.fixture
def seed() -> int:
    return random.randrange(1_000_000)


def keeps_its_promises(report: Report, seed: int = 0) -> None:
    assert not report.broken, f"seed {seed}\n{report}"


@pytest.mark.parametrize("stage", [2], indirect=True, ids=["two-workers"])
def test_stops_through_the_other_worker_with_the_lock_free_and_taken(
    stage: Stage, seed: int
) -> None:
    # one second is asked for in `make soak`, on a machine with nothing else to do
    keeps_its_promises(stops.on(stage, 12, seed, PATIENCE_SECONDS), seed)


@pytest.mark.parametrize("stage", [1], indirect=True, ids=["one-worker"])
def test_the_write_lock_delays_no_piece_of_a_running_answer(stage: Stage) -> None:
    """Measured twice: a busy machine may delay one measurement, a fault delays both."""
    report = locks.on(stage, 2)
    assert len([each for each in report.broken if "added" in each]) < 2, report
    assert not [each for each in report.broken if "added" not in each], report


@pytest.mark.parametrize("stage", [2], indirect=True, ids=["two-workers"])
def test_resumes_at_random_points_give_the_stored_text(stage: Stage, seed: int) -> None:
    """A worker is killed meanwhile."""
    with stage.unwatched():
        keeps_its_promises(resumes.on(stage, 60, seed), seed)


def test_kills_of_workers_and_of_everything(killed: Future[Report]) -> None:
    keeps_its_promises(killed.result(240))


def test_damaged_files_are_read_or_refused_for_a_true_reason() -> None:
    keeps_its_promises(mutants.run(DAMAGED, DAMAGED_SEED), DAMAGED_SEED)


def test_stops_and_kills_while_files_are_read_cost_none(seed: int) -> None:
    keeps_its_promises(readings.run(STRIKES, seed), seed)
