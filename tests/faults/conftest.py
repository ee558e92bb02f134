"""One service per number of workers, shared by the tests; tests that kill it run last."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults import kills
from tests.faults.report import Report
from tests.faults.stage import DRAIN_SECONDS, Stage
from tests.support.embedserver import EmbedServer

KILLS = 4  # one of each kind, and one more
WITHOUT = 9  # the place of tests without a shared service: last
# from harmless to destructive
ORDER = (
    "test_rows",
    "test_proxy",
    "test_campaigns",
    "test_script",
    "test_shutdown",
    "test_limits",
    "test_slow_bodies",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order these tests so that they can share a service."""
    places = [
        place for place, item in enumerate(items) if item.path.parent == Path(__file__).parent
    ]
    for place, item in zip(
        places, sorted((items[place] for place in places), key=_turn), strict=True
    ):
        items[place] = item


def _turn(item: pytest.Item) -> tuple[int, int]:
    workers = item.callspec.params.get("stage", WITHOUT) if hasattr(item, "callspec") else WITHOUT
    return workers, ORDER.index(item.path.stem)


@pytest.fixture(scope="session", params=[1, 2], ids=["one-worker", "two-workers"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A service with short limits and short draining, whose health is polled."""
    home = tmp_path_factory.mktemp("faults")
    drain = str(DRAIN_SECONDS)
    with (
        EmbedServer() as embedder,
        Stage(home, workers=request.param, embedder=embedder, FAULTS_DRAIN_SECONDS=drain) as stage,
    ):
        yield stage


@pytest.fixture(scope="session", autouse=True)
def killed(request: pytest.FixtureRequest) -> Iterator[Future[Report] | None]:
    """The short campaign of kills. It mostly waits, so it starts first, if it was selected."""
    wanted = any(
        item.name == "test_kills_of_workers_and_of_everything" for item in request.session.items
    )
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(kills.run, KILLS, 1, None) if wanted else None
