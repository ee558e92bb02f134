"""The designs under comparison: small apps in one worker each, and the product.

All use the same model server and answer the same request. For a fair comparison each one reuses its
model client, writes no access log and accepts all streams.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import service
from tests.support.service import TOKEN, free_port

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60
MOST_STREAMS = 4000
OURS_PATH = "/chat/stream"
MODELS_PATH = "/v1/chat/completions"
GUNICORN = (
    "gunicorn",
    "-c",
    os.devnull,
    "-k",
    "gevent",
    "-w",
    "1",
    "--worker-connections",
    str(MOST_STREAMS),
)
UVICORN = ("uvicorn", "--no-access-log", "--log-level", "warning")


@dataclass(frozen=True, slots=True)
class Running:
    """A running design: its address, its request, its first process (none for the model server).

    `people` are the headers of each who asks.
    """

    port: int
    path: str
    pid: int | None
    body: Callable[[str], dict[str, object]]
    people: Sequence[Mapping[str, str]] = ({},)


@dataclass(frozen=True, slots=True)
class Design:
    """One design; `command` starts its app, None if it has none of its own."""

    name: str
    label: str
    short: str
    command: tuple[str, ...] | None = None


DESIGNS = {
    design.name: design
    for design in (
        Design(
            "astream",
            "FastAPI, uvicorn, chain.astream, one JSON a token",
            "FastAPI + astream",
            (*UVICORN, "bench.designs.astream:app", "--port"),
        ),
        Design(
            "tutorial",
            "Flask, gevent, chain.stream as in a tutorial",
            "Flask, tutorial",
            (*GUNICORN, "bench.designs.tutorial:app", "-b"),
        ),
        Design("ours", "this service, with its database", "this service"),
        Design(
            "floor",
            "floor: gevent, bytes passed through unread",
            "floor",
            (*GUNICORN, "bench.designs.floor:app", "-b"),
        ),
        Design("direct", "no server: the generator reads from the model", "no server"),
    )
}


@contextmanager
def running(design: Design, model_port: int, models: Sequence[str]) -> Iterator[Running]:
    """Start a design with a model server that knows these models; end it at once."""
    if design.name == "direct":
        yield Running(model_port, MODELS_PATH, None, _model_body)
    elif design.command is None:
        with _ours(model_port, models) as found:
            yield found
    else:
        with _app(design.command, model_port) as found:
            yield found


@contextmanager
def _ours(model_port: int, models: Sequence[str]) -> Iterator[Running]:
    variables = {
        "CHATAPP_ANSWERS_PER_USER": "0",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
        "OPENAI_API_KEY": "none",
        "OPENAI_MODELS": ",".join(models),
    }
    with service(1, variables) as made:
        deadline = time.monotonic() + START_SECONDS
        while made.get("/readyz").json["missing"] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert made.process is not None
        headers = {"Authorization": f"Bearer {TOKEN}", "Connection": "close"}
        yield Running(made.port, OURS_PATH, made.process.pid, ask_ours, (headers,))


@contextmanager
def _app(command: tuple[str, ...], model_port: int) -> Iterator[Running]:
    port = free_port()
    address = str(port) if command[0] == "uvicorn" else f"127.0.0.1:{port}"
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    environ |= {"OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1", "OPENAI_API_KEY": "none"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, address],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_it_listens(process, port)
            people = ({"Connection": "close"},)
            yield Running(port, OURS_PATH, process.pid, _small_body, people)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return
        time.sleep(0.05)
    raise RuntimeError(f"did not start: {process.args!r}")


def _answers(port: int) -> bool:
    """Return whether the app answers; a socket may listen before any worker runs."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def _model_body(model: str) -> dict[str, object]:
    return {"model": model, "stream": True, "messages": [{"role": "user", "content": "Tell me."}]}


def ask_ours(model: str) -> dict[str, object]:
    """Return the body of a question to this service."""
    return {"question": "Tell me.", "llm_config": {"supplier": "openai", "model": model}}


def _small_body(model: str) -> dict[str, object]:
    return {"question": "Tell me.", "model": model}
