"""The stage of the fault tests: a model server, the product on real workers, and views of both."""

import atexit
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.embedserver import EmbedServer
from tests.support.modelserver import ModelServer
from tests.support.modelwire import Logged
from tests.support.service import ROOT, Service, free_port, wait_for

DRAIN_SECONDS = 4
CONF = Path(__file__).parent / "inside.conf.py"
KEY = "sk-canary-of-the-fault-tests"
HEALTHZ_SECONDS = 0.2
ESTABLISHED = "01"
# Short limits keep the tests short.
LIMITS = {
    "CHATAPP_CONNECT_SECONDS": "2",
    "CHATAPP_FIRST_TOKEN_SECONDS": "4",
    "CHATAPP_IDLE_SECONDS": "3",
    "CHATAPP_READER_SECONDS": "2",
    "CHATAPP_ANSWERS_PER_USER": "0",
    "CHATAPP_EMBEDDER": "off",
}

# Tests may have rate-limited the service's own supplier, so this one has another address too.
PATIENT = "patient"
PATIENT_LIMITS = {"first_token_seconds": 3600, "idle_seconds": 3600, "answer_seconds": 3600}


@dataclass(frozen=True)
class Beat:
    """One response of /healthz: start, seconds, seconds of waiting for a core, success."""

    began: float
    took: float
    held_up: float
    answered: bool


class Pulse:
    """Polls /healthz from a process of its own."""

    def __init__(self, service: Service) -> None:
        assert service.process is not None
        command = [
            sys.executable,
            "-m",
            "tests.faults.pulse",
            str(service.port),
            str(service.arbiter()),
        ]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._beats: list[Beat] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            began, took, held_up, answered = line.split()
            self._beats.append(Beat(float(began), float(took), float(held_up), answered == "1"))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def between(self, began: float, ended: float) -> list[Beat]:
        """Return the beats that overlap a period."""
        return [
            beat
            for beat in list(self._beats)
            if beat.began + beat.took >= began and beat.began <= ended
        ]


class Stage:
    """A service with its model server and a Pulse; `with Stage(home, workers=2) as stage:`."""

    def __init__(
        self,
        home: Path,
        workers: int = 1,
        pulse: bool = True,
        embedder: EmbedServer | None = None,
        arguments: tuple[str, ...] = (),
        **more: str,
    ) -> None:
        self.models = ModelServer()
        self.embedder = embedder
        if embedder is not None:
            more = {
                "CHATAPP_EMBEDDER": "words",
                "CHATAPP_EMBEDDER_URL": embedder.base_url,
                "CHATAPP_EMBEDDER_KEY": KEY,
                **more,
            }
        names = {
            "OPENAI_BASE_URL": self.models.base_url,
            "OPENAI_API_KEY": KEY,
            "OPENAI_MODELS": "echo",
        }
        self.workers = workers
        options = ("-c", str(CONF), *arguments)
        self.service = Service(
            home, workers=workers, arguments=options, **{**LIMITS, **names, **more}
        )
        self.home = home
        self.pulse: Pulse | None = None
        self._beats = pulse

    def __enter__(self) -> "Stage":
        self.models.__enter__()
        try:
            self.service.__enter__()
            wait_for(lambda: len(self.inside()) == self.workers, what="all workers")
            self.add_supplier(PATIENT, self.models.other_url, PATIENT_LIMITS)
            wait_for(self._is_warm, what="each worker has loaded what an answer needs")
        except BaseException:
            self.__exit__()
            raise
        if self._beats:
            self.pulse = Pulse(self.service)
        return self

    def _is_warm(self) -> bool:
        """Ask a few questions; return whether the answers came as fast as later ones will."""
        began = time.monotonic()
        for _ in range(2 * self.workers):
            assert (
                self.service.post(
                    "/chat", {"question": "warm", "llm_config": self.config("echo")}
                ).status
                == 200
            )
        return time.monotonic() - began < self.workers

    def __exit__(self, *_: Any) -> None:
        if self.pulse is not None:
            self.pulse.end()
        self.service.__exit__(None, None, None)
        self.models.stop()

    def config(self, model: str) -> dict[str, str]:
        """Return the configuration that asks this model of the model server."""
        return {"supplier": "openai", "model": model}

    def patient(self, model: str) -> dict[str, str]:
        """Like `config`, of a supplier whose limits no answer reaches on a busy machine."""
        return {"supplier": PATIENT, "model": model}

    def add_supplier(self, name: str, base_url: str, options: dict[str, Any] | None = None) -> None:
        supplier = {"name": name, "base_url": base_url, "models": ["m"], "options": options or {}}
        made = self.service.post("/api/suppliers", supplier)
        assert made.status == 201, made.body

    def sql(self, query: str, *values: Any) -> list[Any]:
        """Query the database file directly."""
        with closing(
            sqlite3.connect(f"file:{self.home / 'chatapp.db'}?mode=ro", uri=True, timeout=10)
        ) as connection:
            return connection.execute(query, values).fetchall()

    def requests(self, question: str) -> list[Logged]:
        """Return the model server's requests that contain a question."""
        asked = [
            each
            for each in list(self.models.requests)
            if isinstance(each.body, dict) and each.body.get("messages")
        ]
        return [each for each in asked if question in str(each.body["messages"][-1].get("content"))]

    def inside(self) -> dict[int, dict[str, Any]]:
        """Return what each worker reports (inside.conf.py)."""
        found = {}
        for pid in self.service.workers():
            with socket.socket(socket.AF_UNIX) as asker:
                try:
                    asker.connect(str(self.home / f"inside-{pid}.sock"))
                    asker.settimeout(10)
                    said = b""
                    while data := asker.recv(65536):
                        said += data
                    found[pid] = json.loads(said)
                except (OSError, ValueError):
                    continue
        return found

    def sockets(self) -> list[tuple[int, str, int, int]]:
        """Return (worker, state, own port, other port) of the workers' TCP sockets."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        by_inode = {row[9]: (row[3], _port(row[1]), _port(row[2])) for row in rows}
        return [
            (pid, *by_inode[inode])
            for pid in self.service.workers()
            for inode in _inodes(pid)
            if inode in by_inode
        ]

    def worker_of(self, port: int) -> int | None:
        """Return the worker that holds the other end of a reader's port."""
        return next(
            (
                pid
                for pid, _, own, other in self.sockets()
                if own == self.service.port and other == port
            ),
            None,
        )

    def writer_of(self, message_id: str) -> int | None:
        """Return the worker that writes an answer."""
        rows = self.sql("SELECT owner FROM runs WHERE message_id = ?", message_id)
        return int(re.split(":", rows[0][0])[1]) if rows else None

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Pause the polling of /healthz while workers are killed."""
        if self.pulse is not None:
            self.pulse.end()
        watched, self.pulse = self.pulse is not None, None
        try:
            yield
        finally:
            self.pulse = Pulse(self.service) if watched else None

    def kill_all(self) -> None:
        """Send SIGKILL to arbiter and workers; the helpers end with them."""
        assert self.service.process is not None
        for pid in (self.service.process.pid, *self.service.workers()):
            os.kill(pid, signal.SIGKILL)
        self.service.process.wait()
        self.service.process = None


def dead_port_url() -> str:
    """Return a URL at which nothing listens."""
    return f"http://127.0.0.1:{free_port()}/v1"


def new_home(name: str = "faults") -> Path:
    """Create a home folder for a campaign; it is deleted at exit."""
    home = Path(tempfile.mkdtemp(prefix=f"chatapp-{name}-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def _inodes(pid: int) -> list[str]:
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.append(target[8:-1])
    return found
