"""Kills of the product's processes: answers go on, /readyz names what is missing."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from chatapp.home import address
from chatapp.processes.helpers import expected
from chatapp.settings import BUILTIN, Settings
from tests.support import documents
from tests.support.modelserver import ModelServer
from tests.support.service import APP, GUNICORN, PATIENCE_SECONDS, Service, Streamed, wait_for

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]
TURN = {"supplier": "openai", "model": "typewriter-400-40"}
LONG = {"supplier": "openai", "model": "typewriter-4000-40"}
WORKER = "chatapp.processes.worker"
MODULES = {
    "chroma": "chromadb_rust_bindings",
    "embedder": "chatapp.processes.embedder",
}
SUPERVISOR = "chatapp.processes.supervisor"
RUNS = [
    (APP, 1, (), signal.SIGTERM),
    (APP, 2, ("--preload",), signal.SIGKILL),
    (GUNICORN, 2, (), signal.SIGKILL),
]


def missing(service: Service) -> list[str] | None:
    with contextlib.suppress(OSError):  # no web worker just now
        found: list[str] = service.get("/readyz").json["missing"]
        return found
    return None


def processes(service: Service, word: str = "") -> set[int]:
    """Return the processes of a service whose command line contains a word."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            ours = f"CHATAPP_HOME={service.home}\0".encode() in (process / "environ").read_bytes()
            # the environment of a parser has no settings
            if word.encode() in command and (ours or bytes(service.home) in command):
                found.add(int(process.name))
    return found


def the_one(service: Service, name: str) -> int:
    found: int = wait_for(lambda: processes(service, MODULES[name]), name).pop()
    return found


def kill(service: Service, name: str) -> None:
    """Kill a process and wait until it is replaced and nothing is missing."""
    before = the_one(service, name)
    os.kill(before, signal.SIGKILL)
    wait_for(
        lambda: processes(service, MODULES[name]) - {before} and missing(service) == [],
        f"{name} is back",
    )
    assert len(processes(service, MODULES[name])) == 1


def in_background(work: Callable[[], Streamed]) -> Callable[[], Streamed]:
    """Start a thread; return a function that waits for its result."""
    results: list[Streamed] = []
    thread = Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()

    def result() -> Streamed:
        thread.join(PATIENCE_SECONDS)
        return results[0]

    return result


@pytest.mark.parametrize(("command", "workers", "arguments", "number"), RUNS, ids=str)
def test_killed_processes_are_replaced_and_answers_go_on(
    tmp_path: Path,
    model_server: ModelServer,
    command: tuple[str, ...],
    workers: int,
    arguments: tuple[str, ...],
    number: signal.Signals,
) -> None:
    environ: dict[str, Any] = {
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "CHATAPP_EMBEDDER": BUILTIN,
    }
    with Service(
        tmp_path, workers=workers, arguments=arguments, command=command, **environ
    ) as service:
        wait_for(
            lambda: missing(service) == [] and len(service.workers()) == workers,
            "everything is there",
        )
        kill_the_document_worker_at_work(service)
        read = in_background(lambda: service.stream({"question": "q", "llm_config": TURN}))
        for name in expected(Settings(home=tmp_path)):
            kill(service, name)
        streamed = read()
        assert streamed.last["type"] == "done"
        assert len(streamed.text().split()) == 400

        before = {
            name: the_one(service, name) for name in MODULES if processes(service, MODULES[name])
        }
        web = set(service.workers())
        os.kill(min(web), signal.SIGKILL)
        wait_for(
            lambda: set(service.workers()) - web and missing(service) == [],
            "the web worker is back",
        )
        web = set(service.workers())
        assert service.process is not None
        service.process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: not set(service.workers()) & web and missing(service) == [],
            "a reload",
        )
        assert {name: the_one(service, name) for name in before} == before

        base_id = upload_many(service)
        wait_for(lambda: statuses(service, base_id) - {"queued"}, "it has begun")
        service.end(number)
        wait_for(lambda: not processes(service), "nothing runs any more")
        assert "Traceback" not in service.output()


@pytest.mark.parametrize(("workers", "arguments"), [(1, ()), (2, ("--preload",))], ids=str)
def test_killed_helpers_under_gunicorn_are_named_and_a_reload_brings_them_back(
    tmp_path: Path, model_server: ModelServer, workers: int, arguments: tuple[str, ...]
) -> None:
    environ: dict[str, Any] = {
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "CHATAPP_EMBEDDER": BUILTIN,
    }
    with Service(tmp_path, workers=workers, arguments=arguments, **environ) as service:
        wait_for(lambda: missing(service) == [], "everything is there")
        read = in_background(lambda: service.stream({"question": "q", "llm_config": TURN}))
        wait_for(lambda: model_server.requests, what="an answer is being written")
        (supervisor,) = processes(service, SUPERVISOR)
        os.kill(supervisor, signal.SIGKILL)
        gone = ["helpers", *expected(Settings(home=tmp_path))]
        helpers = [SUPERVISOR, WORKER, *MODULES.values()]
        wait_for(
            lambda: not any(processes(service, module) for module in helpers),
            "the helpers are gone",
        )
        assert missing(service) == gone
        streamed = read()
        assert streamed.last["type"] == "done"
        assert len(streamed.text().split()) == 400
        assert service.process is not None
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: missing(service) == [], "everything is back")
        assert processes(service, SUPERVISOR) - {supervisor}


def kill_the_document_worker_at_work(service: Service) -> None:
    base_id = upload_many(service)
    before = wait_for(lambda: processes(service, WORKER), "a document worker")
    wait_for(lambda: statuses(service, base_id) - {"queued"}, "it has begun")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: processes(service, WORKER) - before, "another document worker")
    assert missing(service) == []


def upload_many(service: Service) -> str:
    base_id = str(service.post("/api/knowledge", {"name": "Many"}).json["id"])
    files = [service.home / f"{number}.txt" for number in range(10)]
    for number, file in enumerate(files):
        file.write_text(f"Line {number} of a long text about nothing.\n" * 500)
    service.upload(base_id, *files)
    return base_id


def statuses(service: Service, base_id: str) -> set[str]:
    return {item["status"] for item in service.get(f"/api/knowledge/{base_id}/files").json["items"]}


def test_ctrl_c_saves_the_answer_and_ends_quietly(
    tmp_path: Path, model_server: ModelServer
) -> None:
    environ: dict[str, Any] = {
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
    }
    with Service(tmp_path, **environ) as service:
        started = service.stream(
            {"question": "q", "llm_config": LONG}, until=lambda streamed: len(streamed.text()) > 40
        )
        assert service.process is not None
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(PATIENCE_SECONDS) == 0
        assert "Traceback" not in service.output()
        assert not processes(service)
        service.start()
        stored = service.get(f"/api/messages/{started.message_id}").json
        assert stored["status"] == "interrupted"
        assert stored["content"].startswith(started.text())


def stop(service: Service) -> None:
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)


def stop_all(service: Service) -> None:
    """As systemd does it: each process gets the signal by itself, here the parser first."""
    for pid in sorted(processes(service), reverse=True):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def kill_the_arbiter(service: Service) -> None:
    arbiter = service.arbiter()
    assert arbiter is not None
    os.kill(arbiter, signal.SIGKILL)


@pytest.mark.parametrize(
    ("command", "end"), [(APP, stop), (APP, stop_all), (GUNICORN, kill_the_arbiter)]
)
def test_a_file_that_was_being_read_is_read_after_the_restart(
    tmp_path: Path, command: tuple[str, ...], end: Callable[[Service], None]
) -> None:
    large = tmp_path / "large.xlsx"
    row = b"<row>" + b"<c><v>12345.678</v></c>" * 10 + b"</row>"
    large.write_bytes(documents.sheet_of(row * 1000 for _ in range(20)))
    with Service(tmp_path / "home", command=command) as service:
        base_id = str(service.post("/api/knowledge", {"name": "Large"}).json["id"])
        assert service.upload(base_id, large).status == 202
        wait_for(lambda: processes(service, large.name), "a parser")
        end(service)
        assert service.process is not None
        service.process.wait(PATIENCE_SECONDS)
        wait_for(lambda: not processes(service), "an end of all processes")
        service.start()
        over = {"ready", "failed"}
        wait_for(lambda: statuses(service, base_id) <= over, "a file that is read")
        assert statuses(service, base_id) == {"ready"}


def test_a_chroma_that_does_not_answer_is_missing(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        wait_for(lambda: missing(service) == [])
        pid = the_one(service, "chroma")
        os.kill(pid, signal.SIGSTOP)
        assert service.get("/readyz").json == {"status": "ready", "missing": ["chroma"]}
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: missing(service) == [])


class HeartbeatOnly(BaseHTTPRequestHandler):
    """A server that answers only Chroma's heartbeat."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/v2/heartbeat" else 404)
        self.end_headers()
        self.wfile.write(b'{"nanosecond heartbeat": 1}')

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def test_chroma_url_replaces_the_helper(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
        with Service(tmp_path, CHROMA_URL=f"http://127.0.0.1:{port}") as service:
            assert missing(service) == ["chroma"]  # it accepts connections and never answers
            reserved.close()
            assert missing(service) == ["chroma"]
            with HTTPServer(("127.0.0.1", port), HeartbeatOnly) as server:
                thread = Thread(target=server.serve_forever, daemon=True)
                thread.start()
                wait_for(lambda: missing(service) == [])
                server.shutdown()
                thread.join()
            assert not processes(service, MODULES["chroma"])
            assert address(tmp_path, "chroma") is None
