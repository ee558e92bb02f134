"""What is measured at the moment of asking: of this process, and of the documents that wait."""

import threading
from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from chatapp.chat.runs.runs import Runs
from chatapp.errors import ChatAppError
from chatapp.knowledge.ingest.waiting import waiting
from chatapp.metrics import figures
from chatapp.storage.database import Database

READ_SECONDS = 2  # a database that is away can take longer than Prometheus waits
PROCESS = figures.PROCESSES.sample("", ("web",))


def gauges_of(runs: Runs, database: Database) -> Mapping[str, float]:
    """Return the gauges of this process."""
    pool = database.engine.pool
    found: dict[str, float] = {
        PROCESS: 1,
        figures.LIVE_ANSWERS.name: runs.live_answers,
        figures.READERS.name: runs.readers,
    }
    if isinstance(pool, QueuePool):
        found[figures.CONNECTIONS.name] = pool.checkedout()
        found[figures.CONNECTIONS_LIMIT.name] = pool.size() + pool._max_overflow
    return found


def waiting_documents(database: Database) -> Mapping[str, float]:
    """Return the gauges of documents that wait; none if the database does not answer in time."""
    found: dict[str, float] = {}

    def read() -> None:
        with suppress(ChatAppError, OperationalError):
            counts, oldest = database.read(waiting)
            found.update({figures.WAITING.sample("", (state,)): n for state, n in counts.items()})
            found[figures.OLDEST.name] = oldest

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(READ_SECONDS)
    return dict(found)
