"""The fault matrix with one and two real workers: all rows run concurrently, each checked alone.

Rows here are those that the service survives. The seven invariants (invariants.py) are checked
after each. The rows of the matrix and their places:

1, 3 to 21, 23, 26 to 30, 41, 43   here, by their numbers (rows.py)
2     an unknown name: here; a host that swallows packets: tests/chains/test_completions.py
22    tests/knowledge/test_embedders.py, tests/knowledge/search/test_dense_faults.py: keyword
      search continues
24, 25   here (lost.py)
31, 33, 44   test_shutdown.py
32, 34   kills.py, by test_campaigns.py; also tests/server/test_workers.py and test_processes.py
45    test_limits.py
35 to 39   not about streaming: tests/server/test_documents.py, tests/web/test_ops.py,
      tests/knowledge/search/test_dense_faults.py
40, 42   tests/server/test_documents.py, tests/server/test_odd_files.py
46    test_proxy.py
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from tests.faults import lost  # noqa: F401 (registers rows)
from tests.faults.invariants import check, held, nothing_grew
from tests.faults.reader import Reader
from tests.faults.rows import BUSY, ROWS
from tests.faults.stage import Stage, dead_port_url
from tests.support.service import PATIENCE_SECONDS

pytestmark = pytest.mark.server
APART_SECONDS = 0.03  # between two starts: fifty at once would be a load test
WARM = 16  # questions that fill the pools before the first count


class Acted:
    """A stage on which all rows run."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        stage.add_supplier("away", dead_port_url())
        stage.add_supplier("nameless", "http://no-such-host.invalid/v1")
        with ThreadPoolExecutor(WARM) as pool:
            list(
                pool.map(
                    lambda _: Reader(stage.service, "warm", llm_config=stage.config("echo")).ask(),
                    range(WARM),
                )
            )
        self.before = held(stage)
        self._pool = ThreadPoolExecutor(len(ROWS))
        self.rows: dict[str, Future[list[Reader]]] = {}
        for name in sorted(ROWS, key=lambda name: ROWS[name].alone):
            if ROWS[name].alone:
                wait(self.rows.values())
            self.rows[name] = self._pool.submit(ROWS[name].act, stage)
            time.sleep(APART_SECONDS)

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def acted(stage: Stage) -> Iterator[Acted]:
    acted = Acted(stage)
    yield acted
    acted.end()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_row(acted: Acted, name: str) -> None:
    row = ROWS[name]
    readers = acted.rows[name].result(PATIENCE_SECONDS)
    for reader in readers:
        stored = check(acted.stage, reader)
        assert reader.end is not None
        assert (stored["status"], reader.end.get("code", "")) == (row.status, row.code), reader
        assert row.text(reader.text), reader
        assert row.more(reader), reader
        least, most = row.within
        took = reader.ended - reader.began
        assert least <= took <= most * BUSY, (took, reader)
        asked = acted.stage.requests(reader.question)
        assert len(asked) <= row.requests, f"the model was asked {len(asked)} times"


def test_nothing_is_left_behind(acted: Acted) -> None:
    for future in acted.rows.values():
        future.exception(PATIENCE_SECONDS)
    nothing_grew(acted.stage, acted.before)
    said = acted.stage.service.output()
    assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:4000]
