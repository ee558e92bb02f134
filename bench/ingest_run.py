"""The run behind the ingestion benchmark: answers are read while files are uploaded and indexed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.documents import subject
from bench.load import Group
from bench.model import model_name
from bench.processes import CpuMeter
from bench.tables import say
from tests.support.service import TOKEN, Service

WORDS = 1_000_000  # more than a run takes: the answers are cut off at the end
POLL_SECONDS = 0.25
REPORT_SECONDS = 15
FOUND = ("embedding", "ready")  # states in which keyword search finds a file
BACKGROUND = ("document worker", "embedder", "chroma")
CALM_SHARE = 0.05  # of a core; below this the background is idle


@dataclass(frozen=True, slots=True)
class Size:
    """The size of the measurement."""

    streams: int = 50
    direct: int = 5  # streams from the model itself
    rate: int = 20  # words a second per stream
    files: int = 5
    pages: int = 300
    quiet_seconds: float = 30
    settle_seconds: float = 3  # after the start, and before the second quiet phase
    most_seconds: float = 180  # limit for ingestion


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of the run: start, end, and CPU seconds by process."""

    name: str
    start: float
    end: float
    cpu: dict[str, float]


@dataclass
class Files:
    """The files' progress with its times."""

    began: float = 0.0
    sent: float = 0.0
    searchable: list[float] = field(default_factory=list)
    ready: float | None = None
    done: float | None = None
    vectors: str = "off"
    chunks: int = 0


def supplier(size: Size, port: int) -> dict[str, str]:
    """Return the environment that makes the model server the supplier."""
    return {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_API_KEY": "none",
        "OPENAI_MODELS": _model(size),
    }


def _model(size: Size) -> str:
    return model_name(WORDS, size.rate)


def groups(size: Size, running: Service, port: int) -> list[Group]:
    """Return the streams: through the service, and from the model itself."""
    # Spaces the streams' words evenly.
    apart = 1 / size.rate / size.streams
    ask: dict[str, Any] = {
        "question": "Tell me.",
        "llm_config": {"supplier": "openai", "model": _model(size)},
    }
    raw: dict[str, Any] = {
        "model": _model(size),
        "stream": True,
        "messages": [{"role": "user", "content": "Tell me."}],
    }
    headers = {"Authorization": f"Bearer {TOKEN}", "Connection": "close"}
    return [
        Group("service", running.port, "/chat/stream", ask, size.streams, apart, headers),
        Group("direct", port, "/v1/chat/completions", raw, size.direct, apart),
    ]


def run(
    size: Size, running: Service, meter: CpuMeter, paths: Sequence[Path]
) -> tuple[list[Phase], Files]:
    """Go through the three phases; return them and the files' progress."""
    phases: list[Phase] = []
    time.sleep(size.settle_seconds)
    say(f"quiet for {size.quiet_seconds:.0f} s")
    with _phase("quiet", meter, phases):
        time.sleep(size.quiet_seconds)
    say(f"{size.files} PDFs of {size.pages} pages are uploaded, read, indexed and embedded")
    with _phase("ingesting", meter, phases):
        files = _ingest(size, running, meter, paths)
    time.sleep(size.settle_seconds)
    say(f"quiet again for {size.quiet_seconds:.0f} s")
    with _phase("quiet again", meter, phases):
        time.sleep(size.quiet_seconds)
    return phases, files


@contextmanager
def _phase(name: str, meter: CpuMeter, phases: list[Phase]) -> Iterator[None]:
    before, start = meter.read(), time.monotonic()
    yield
    end, after = time.monotonic(), meter.read()
    phases.append(
        Phase(name, start, end, {kind: after[kind] - before.get(kind, 0.0) for kind in after})
    )


def _ingest(size: Size, running: Service, meter: CpuMeter, paths: Sequence[Path]) -> Files:
    """Upload the files and wait until all are ready and the background is idle, or time is up."""
    base = running.post("/api/knowledge", {"name": "Benchmark"}).json["id"]
    files = Files(began=time.monotonic())
    reply = running.upload(base, *paths)
    if reply.status != 202:
        raise RuntimeError(f"the upload was refused: {reply.body.decode()}")
    files.sent = time.monotonic()
    missing = {item["id"]: subject(number) for number, item in enumerate(reply.json["items"])}
    end, report = files.began + size.most_seconds, files.sent + REPORT_SECONDS
    while files.ready is None and time.monotonic() < end:
        states = _look(running, base, missing, files)
        if (
            not missing
            and set(states) == {"ready"}
            and _vectors(running, base, files) != "building"
        ):
            files.ready = time.monotonic()
        if time.monotonic() > report:
            say(f"after {time.monotonic() - files.began:.0f} s the files are: {', '.join(states)}")
            report += REPORT_SECONDS
        meter.read()
        time.sleep(POLL_SECONDS)
    _vectors(running, base, files)
    while files.ready and not files.done and time.monotonic() < end:
        if _is_calm(meter):
            files.done = time.monotonic()
    return files


def _look(running: Service, base: str, missing: dict[str, str], files: Files) -> list[str]:
    """Record which files a search now finds; return the states of all."""
    items = running.get(f"/api/knowledge/{base}/files").json["items"]
    for item in items:
        if item["status"] == "failed":
            raise RuntimeError(f"a file failed: {item['error']}")
        if (
            item["id"] in missing
            and item["status"] in FOUND
            and _is_found(running, base, item["id"], missing[item["id"]])
        ):
            files.searchable.append(time.monotonic())
            del missing[item["id"]]
    return [item["status"] for item in items]


def _is_found(running: Service, base: str, file_id: str, name: str) -> bool:
    items = running.post(f"/api/knowledge/{base}/search", {"query": f"the {name} procedure"}).json[
        "items"
    ]
    return any(item["file_id"] == file_id for item in items)


def _vectors(running: Service, base: str, files: Files) -> str:
    """Record and return the state of the base's vectors."""
    kept = running.get(f"/api/knowledge/{base}").json
    files.chunks = kept["chunks"]
    files.vectors = (kept.get("vectors") or {"state": "off"})["state"]
    return files.vectors


def _is_calm(meter: CpuMeter) -> bool:
    before = meter.read()
    time.sleep(1)
    after = meter.read()
    return sum(after.get(kind, 0.0) - before.get(kind, 0.0) for kind in BACKGROUND) < CALM_SHARE
