"""The alternative: the same work inside a web process, beside greenlets at 20 words a second.

Runs in a process of its own with gevent, like a web worker. All work goes through gevent's thread
pool, as a web process would do it. Chroma is called as chromadb's embedded client calls it
(`chromadb_rust_bindings`, without the package around it), the embedding model as our embedder
runs it. Prints one line of JSON for each variant.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.documents import page_text
from bench.load import Gaps, Seen, gaps
from bench.processes import helper
from chatapp.home import model_folder
from chatapp.processes.embedder import Model

QUIET_SECONDS = 2
CALM_SECONDS = 0.2  # before and after each variant
DIMENSION = 384
EMBEDDED_PART = 10  # one vector in so many is computed, to save time
ADDED_AT_ONCE = 100  # vectors in one call, as our worker sends them


@dataclass(frozen=True, slots=True)
class Way:
    """One variant of the work, and the gaps of the greenlets beside it."""

    name: str
    amount: str
    seconds: float
    gaps: Gaps


def measure_inside(streams: int, rate: int, vectors: int) -> list[Way]:
    """Measure the variants in a process of their own."""
    with helper("inside", str(streams), str(rate), str(vectors)) as (process, said):
        ways = [json.loads(line) for line in said]
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, "bench.inside")
    return [Way(**{**way, "gaps": Gaps(**way["gaps"])}) for way in ways]


class _Tickers:
    """Greenlets that record when they ran, like streams that record their pieces."""

    def __init__(self, count: int, rate: int) -> None:
        import gevent

        self._seen = [Seen(time.monotonic(), [], None) for _ in range(count)]
        for number, seen in enumerate(self._seen):
            gevent.spawn(self._tick, seen, 1 / rate, number / count / rate)

    def beside(self, name: str, amount: str, work: Callable[[], object]) -> Way:
        """Run the work; return the greenlets' gaps during it and just after."""
        time.sleep(CALM_SECONDS)
        start = time.monotonic()
        work()
        seconds = time.monotonic() - start
        time.sleep(CALM_SECONDS)
        return Way(name, amount, seconds, gaps(self._seen, start, time.monotonic()))

    def _tick(self, seen: Seen, every: float, offset: float) -> None:
        """Run at even intervals; missed intervals are skipped."""
        time.sleep(offset)
        due = time.monotonic()
        while True:
            now = time.monotonic()
            seen.arrivals.append(now)
            due = max(due + every, now)
            time.sleep(due - now)


def _ways(tickers: _Tickers, vectors: int) -> Iterator[Way]:
    from gevent import get_hub

    def in_thread(work: Callable[[], object]) -> Callable[[], object]:
        return lambda: get_hub().threadpool.apply(work)

    yield tickers.beside("nothing else", "", lambda: time.sleep(QUIET_SECONDS))
    if (there := model_folder()) is not None:
        model = Model(there)
        texts = [
            "\n".join(page_text(0, page)[1][:2])
            for page in range(1, 1 + max(1, vectors // EMBEDDED_PART))
        ]
        amount = f"{len(texts):,} chunks"
        yield tickers.beside(
            "the built-in embedder inside, in a thread",
            amount,
            in_thread(lambda: model.embed(texts)),
        )
    with tempfile.TemporaryDirectory(prefix="chatapp-bench-", ignore_cleanup_errors=True) as folder:
        add = _adder(Path(folder))
        chance = random.Random(1)
        made = [[chance.gauss(0, 1) for _ in range(DIMENSION)] for _ in range(vectors)]

        def add_all() -> None:
            for first in range(0, vectors, ADDED_AT_ONCE):
                add(first, made[first : first + ADDED_AT_ONCE])

        yield tickers.beside(
            "Chroma inside, in a thread", f"{vectors:,} vectors", in_thread(add_all)
        )


def _adder(folder: Path) -> Callable[[int, list[list[float]]], None]:
    """Return a function that adds vectors to a new collection, numbered from a first id."""
    import chromadb_rust_bindings as chroma

    database = chroma.SqliteDBConfig(
        hash_type=chroma.MigrationHash.MD5,
        migration_mode=chroma.MigrationMode.Apply,
        url=str(folder / "chroma.sqlite3"),
    )
    inside = chroma.Bindings(
        allow_reset=False, sqlite_db_config=database, persist_path=str(folder), hnsw_cache_size=100
    )
    place = ("default_tenant", "default_database")
    made = inside.create_collection(
        "benchmark", None, None, {"hnsw:space": "cosine"}, False, *place
    )

    def add(first: int, vectors: list[list[float]]) -> None:
        ids = [str(first + number) for number in range(len(vectors))]
        inside.upsert(
            str(made.id), ids, vectors, [{"md5": "0" * 32}] * len(ids), None, None, *place
        )

    return add


def main(streams: int, rate: int, vectors: int) -> None:
    """Measure and print."""
    for way in _ways(_Tickers(streams, rate), vectors):
        print(json.dumps(asdict(way)), flush=True)


if __name__ == "__main__":
    from chatapp.storage.native_locks import patch_all

    patch_all()
    main(*(int(argument) for argument in sys.argv[1:]))
