"""`python -m chatapp.worker`: reads the files that wait, one after the other, and leaves when there has been nothing to do.

Any number may run, here or on other machines with the same database and folder: files are claimed, and whoever is killed
loses its claim within a minute. No gevent here; every file is parsed in a child process with limits.
"""

import logging
import os
import secrets
import signal
import socket
import sys
import time
from types import FrameType

from chatapp import logs
from chatapp.database import open_database
from chatapp.errors import DatabaseBusy
from chatapp.knowledge.ingest import Ingest, is_due
from chatapp.knowledge.lexical import index_for
from chatapp.knowledge.originals import Originals
from chatapp.knowledge.remove import Remover
from chatapp.knowledge.sandbox import parse_limited
from chatapp.settings import Settings

log = logging.getLogger("chatapp.worker")

IDLE_SECONDS = 30
POLL_SECONDS = 0.25
NICENESS = 10


class Worker:
    """One process's loop."""

    def __init__(self, settings: Settings) -> None:
        self._database = open_database(settings.sql_url)
        index = index_for(self._database.sqlite)
        self._originals = Originals(settings.home / "originals", settings.upload_bytes)
        self._remover = Remover(self._database, index, self._originals)
        self._ingest = Ingest(
            self._database,
            index,
            self._originals,
            lambda path, name, alive: parse_limited(path, name, settings, alive),
            lambda: self._leaving,
        )
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._leaving = False

    def leave(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """End soon: what is being read goes back to the queue."""
        self._leaving = True

    def run(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Work until asked to leave, or until there was nothing to do for a while."""
        self._originals.sweep()
        idle_since = time.monotonic()
        while not self._leaving and time.monotonic() - idle_since < idle_seconds:
            try:
                worked = self._step()
            except DatabaseBusy:
                log.warning("the database has been busy for too long; trying again")
                worked = False
            if worked:
                idle_since = time.monotonic()
            else:
                time.sleep(POLL_SECONDS)
        self._database.close()

    def _step(self) -> bool:
        if self._remover.go_on():
            return True
        job = self._ingest.claim(self._owner) if self._database.read(is_due) else None
        if job is None:
            return False
        began = time.monotonic()
        status = self._ingest.read(job)
        log.info("file %s %s in %d ms", job.file_id, status, round((time.monotonic() - began) * 1000))
        return True


def main() -> int:
    """Run one worker in the foreground."""
    settings = Settings.from_env()
    logs.set_up(settings.log_level)
    if os.nice(0) < NICENESS:
        os.nice(NICENESS - os.nice(0))
    worker = Worker(settings)
    signal.signal(signal.SIGTERM, worker.leave)
    signal.signal(signal.SIGINT, worker.leave)
    worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
