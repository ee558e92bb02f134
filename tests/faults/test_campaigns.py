"""Short versions of the campaigns, which run a hundred times as long as programs."""

from concurrent.futures import Future

import pytest

from tests.faults import disks, hosts, locks, mutants, readings, resumes, stops
from tests.faults.report import Report
from tests.faults.stage import Stage
from tests.support.network import NEEDS_NETWORKS
from tests.support.nginx import needs_nginx
from tests.support.postgres import NEEDS_POSTGRES
from tests.support.service import PATIENCE_SECONDS
from tests.support.small_disk import NEEDS_MOUNT

pytestmark = pytest.mark.server
DAMAGED, DAMAGED_SEED = 40, 1  # always the same files
STRIKES = 5
DISKS = 3  # two full disks of a service, one of an upgrade
SEED = 20261130  # `make soak` takes others


@pytest.fixture
def seed() -> int:
    return SEED


def keeps_its_promises(report: Report, seed: int = 0) -> None:
    assert not report.broken, f"{report.broken[0]}, seed {seed}\n{report}"


@pytest.mark.parametrize("stage", [2], indirect=True, ids=["two-workers"])
def test_stops_through_the_other_worker_with_the_lock_free_and_taken(
    stage: Stage, seed: int
) -> None:
    # one second is asked for in `make soak`, on a machine with nothing else to do
    keeps_its_promises(stops.on(stage, 12, seed, PATIENCE_SECONDS), seed)


@pytest.mark.parametrize("stage", [1], indirect=True, ids=["one-worker"])
def test_the_write_lock_delays_no_piece_of_a_running_answer(stage: Stage) -> None:
    # A piece that waited for the lock would come almost as late as it is held. 100 ms are asked for
    # in `make soak`, on a machine with nothing else to do.
    keeps_its_promises(locks.on(stage, 1, locks.LOCK_SECONDS / 2))


@pytest.mark.parametrize("stage", [2], indirect=True, ids=["two-workers"])
def test_resumes_at_random_points_give_the_stored_text(stage: Stage, seed: int) -> None:
    """A worker is killed meanwhile."""
    with stage.unwatched():
        keeps_its_promises(resumes.on(stage, 60, seed), seed)


def test_kills_of_workers_and_of_everything(killed: Future[Report]) -> None:
    keeps_its_promises(killed.result(PATIENCE_SECONDS))


def test_damaged_files_are_read_or_refused_for_a_true_reason() -> None:
    keeps_its_promises(mutants.run(DAMAGED, DAMAGED_SEED), DAMAGED_SEED)


def test_stops_and_kills_while_files_are_read_cost_none(seed: int) -> None:
    keeps_its_promises(readings.run(STRIKES, seed), seed)


@NEEDS_NETWORKS
@NEEDS_POSTGRES
@needs_nginx
def test_strikes_at_several_hosts_lose_nothing(seed: int) -> None:
    keeps_its_promises(hosts.run(len(hosts.KINDS), seed), seed)


@NEEDS_MOUNT
def test_a_disk_that_fills_up_costs_nothing_that_was_acknowledged(seed: int) -> None:
    keeps_its_promises(disks.run(DISKS, seed), seed)
