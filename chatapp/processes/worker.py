"""`python -m chatapp.processes.worker`: reads, indexes and embeds waiting files; ends when idle.

Any number may run, here or on other machines with the same database and folder: files are claimed,
and the claim of a killed worker expires within a minute. No gevent here; every file is parsed in a
child process with limits. Only this process writes to Chroma. `--heartbeat FD` names the pipe for
heartbeats (heartbeat.py).
"""

import logging
import math
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType

from chatapp import logs
from chatapp.child import OwnHelper, embedder_command
from chatapp.errors import DatabaseBusy, DatabaseUnusable, DiskFull, StorageUnavailable
from chatapp.home import CHROMA, host_id, url
from chatapp.knowledge.chroma import VectorIndex
from chatapp.knowledge.embedders import configured_embedder
from chatapp.knowledge.ingest.chroma_sync import ChromaSync
from chatapp.knowledge.ingest.embedding import Embedding
from chatapp.knowledge.ingest.jobs import (
    EMBEDDING,
    RECOGNISING,
    Job,
    are_queued,
    release,
    write_with_retry,
)
from chatapp.knowledge.ingest.originals import Originals
from chatapp.knowledge.ingest.pipeline import Ingest, has_pending, release_dead_leases
from chatapp.knowledge.ingest.recognising import Recognising, are_recognised
from chatapp.knowledge.ingest.remove import Remover
from chatapp.knowledge.ingest.sandbox import parse_limited
from chatapp.knowledge.ingest.splitting import Splitter
from chatapp.knowledge.recognition.available import why_not
from chatapp.knowledge.recognition.machine import Machine
from chatapp.knowledge.reindex import delete_all_stale_vectors, finish_reindex, queue_missing
from chatapp.knowledge.retokenise import Retokeniser
from chatapp.knowledge.search.lexical import index_for
from chatapp.knowledge.web_pages.download import Downloads
from chatapp.knowledge.web_pages.fetching import Fetching
from chatapp.metrics import figures
from chatapp.metrics.published import Published
from chatapp.processes.heartbeat import Heartbeat
from chatapp.settings import Settings, SettingsError
from chatapp.storage.database import open_database
from chatapp.storage.message_index import MessageIndexer
from chatapp.storage.models import File
from chatapp.storage.presence import is_lost
from chatapp.storage.slow_statements import log_slow_statements

log = logging.getLogger("chatapp.processes.worker")

HOST = socket.gethostname()
IDLE_SECONDS = 30  # on SQLite; elsewhere another host may add files, and cannot wake this one
PROCESS = figures.PROCESSES.sample("", ("worker",))
POLL_SECONDS = 0.25
FULL_SECONDS = 1  # between two looks at a full disk
QUIET_SECONDS = 1  # between two checks for other work than files, when there was none
SYNC_SECONDS = 5  # between two updates of Chroma while files wait
NICENESS = 10
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class Worker:
    """The loop of one process."""

    def __init__(self, settings: Settings, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._database = open_database(settings.sql_url)
        log_slow_statements(self._database.engine, settings.slow_statement_ms)
        self._published = Published(settings.home, lambda: {PROCESS: 1})
        index = index_for(self._database.sqlite)
        self._originals = Originals.of(settings)
        self._own_embedder = OwnHelper(embedder_command)
        self._embedder = configured_embedder(settings, self._own_embedder)
        vectors = VectorIndex.of(settings, lambda: url(settings, CHROMA))
        self._sync = ChromaSync(self._database, vectors, host_id(settings.home))
        self._synced_at = time.monotonic()
        self._quiet_until = 0.0
        self._remover = Remover(self._database, index, self._originals, self._sync)
        self._retokeniser = Retokeniser(self._database, index, self._is_stopping)
        self._message_indexer = MessageIndexer(self._database)
        self._ingest = Ingest(
            self._database,
            index,
            self._originals,
            lambda path, name, beat, charset="": parse_limited(
                path, name, settings, self._progress(beat), charset
            ),
            self._is_stopping,
            self._embedder,
            partial(why_not, settings),
        )
        self._embedding = Embedding(self._database, self._embedder, self._is_stopping)
        self._recognising = Recognising(
            self._database,
            index,
            self._originals,
            Splitter(self._embedder),
            Machine.of(settings),
            self._is_stopping,
            self._ingest.following,
        )
        self._steps = {EMBEDDING: self._embedding.run, RECOGNISING: self._recognising.run}
        self._owner = _new_owner()
        self._stopping = False
        self._fetching = Fetching(
            self._database,
            self._originals,
            self._remover,
            Downloads(settings),
            lambda: self._stopping,
        )

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Stop soon; the current file goes back to the queue."""
        self._stopping = True

    def _is_stopping(self) -> bool:
        """Return whether to stop; called between all steps of long work."""
        self._heartbeat.progress()
        return self._stopping

    def _progress(self, beat: Callable[[], None]) -> Callable[[], None]:
        """Return a callback for a parsing child that also records progress of this process."""

        def both() -> None:
            self._heartbeat.progress()
            beat()

        return both

    def run(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Work until stopped, or until idle for this long."""
        self._originals.delete_abandoned()
        with suppress(DiskFull, DatabaseUnusable):
            self._requeue_lost()
        self._fetching.start(_new_owner)
        idle_since = time.monotonic()
        while not self._is_stopping() and time.monotonic() - idle_since < idle_seconds:
            try:
                worked = self._step()
            except DatabaseBusy:
                log.warning("the database has been busy for too long; trying again")
                worked = False
            except DiskFull:
                self._wait_for_space()
                worked = True
            except DatabaseUnusable:  # logged when it began
                self._wait_for_repair()
                worked = True
            if worked or self._fetching.busy:
                idle_since = time.monotonic()
            if not worked:
                time.sleep(POLL_SECONDS)
        self._stopping = True
        self._recognising.pause()
        self._sync.close()
        self._own_embedder.close()
        self._published.close()
        self._database.close()

    def _requeue_lost(self) -> None:
        """Requeue files that a killed worker of this machine had claimed, or that lack vectors."""
        if self._database.sqlite:  # then all workers are on this machine
            write_with_retry(self._database, lambda t: release_dead_leases(t, HOST))
        embedder = self._embedder
        if embedder is not None:
            write_with_retry(self._database, lambda t: queue_missing(t, embedder))
        delete_all_stale_vectors(self._database)

    def _step(self) -> bool:
        """Do a piece of the deletions and of what is indexed again, and read or embed one file;
        return whether there was any."""
        quiet = time.monotonic() < self._quiet_until
        removed = not quiet and self._remover.run_step()
        # Embedding a file can take long: it comes after both.
        if not quiet and self._index_step() and not self._database.read(are_queued):
            return True
        job = self._claim() if self._database.read(has_pending) else None
        if job is not None:
            self._work_on(job)
        elif quiet:
            return False
        busy = removed or job is not None
        if (job is None or job.is_read) and finish_reindex(self._database):
            return True
        if not busy or time.monotonic() - self._synced_at > SYNC_SECONDS:
            self._synced_at = time.monotonic()
            if self._sync.run_step() or busy:
                return True
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            return False
        return True

    def _index_step(self) -> bool:
        """Do a piece of what a new version has to index again; return whether there was any."""
        return self._retokeniser.run_step() or self._message_indexer.run_step()

    def _claim(self) -> Job | None:
        """Claim a file; pages are recognised where nothing else waits."""
        job = self._ingest.claim(self._owner)
        if job is None and self._database.read(are_recognised) and self._recognising.may_begin():
            job = self._ingest.claim(self._owner, recognises=True)
        if job is None or job.step != RECOGNISING:
            self._recognising.pause()
        return job

    def _wait_for_space(self) -> None:
        """Do nothing but deletions until the disk takes writes again."""
        while not self._is_stopping():
            time.sleep(FULL_SECONDS)
            if self._database.watch_disk() is None:
                return
            with suppress(StorageUnavailable):
                self._remover.run_step()

    def _wait_for_repair(self) -> None:
        """Do nothing until the database can be used again."""
        while not self._is_stopping():
            time.sleep(FULL_SECONDS)
            with suppress(StorageUnavailable):
                self._database.read(has_pending)
                return

    def _work_on(self, job: Job) -> None:
        began = time.monotonic()
        try:
            status = self._steps.get(job.step, self._ingest.read)(job)
        except DiskFull:  # not the file's fault: it waits for its turn again
            self._wait_for_space()
            status = release(self._database, job, File.attempts - 1)
        seconds = time.monotonic() - began
        log.info("file %s %s in %d ms", job.file_id, status, round(seconds * 1000))
        figures.DOCUMENTS.record(1, status)
        figures.DOCUMENT_SECONDS.record(seconds)
        self._published.publish()


def _new_owner() -> str:
    return f"{HOST}:{os.getpid()}:{secrets.token_hex(4)}"


def main() -> int:
    """Run one worker in the foreground."""
    arguments = sys.argv[1:]
    descriptor = int(arguments[1]) if arguments[:1] == ["--heartbeat"] else None
    heartbeat = Heartbeat(descriptor)
    try:
        settings = Settings.from_env()
    except SettingsError as fault:
        sys.exit(str(fault))
    logs.set_up(settings.log_level, settings.log_format)
    if os.nice(0) < NICENESS:
        os.nice(NICENESS - os.nice(0))
    if is_lost(settings):  # opening it would make an empty one
        log.error("the database %s is gone", settings.sqlite_file)
        return 1
    worker = Worker(settings, heartbeat)
    for number in STOP_SIGNALS:
        signal.signal(number, worker.stop)
    try:
        worker.run(IDLE_SECONDS if settings.sqlite_file else math.inf)
    except OSError as fault:
        log.error("files cannot be read: %s", fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
