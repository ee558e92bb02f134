"""How ingestion affects live answers: gaps between the pieces of 50 answers before, during and
after the upload of five 300-page PDFs.

One run of the service as `make run` starts it. The model sends 20 words a second to each answer. A
few more streams read from the model directly: their gaps are those of the machine, the model and
the reader.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.documents import pdfs, subject
from bench.inside import measure_inside
from bench.load import LONG_MS, Gaps, Group, Seen, gaps, load
from bench.model import model_name, model_server
from bench.processes import WAITING, CpuMeter, memory, require_linux, service
from bench.tables import Cell, Table, say
from tests.support.service import TOKEN, Service

WORDS = 1_000_000  # more than a run takes: the answers are cut off at the end
POLL_SECONDS = 0.25
REPORT_SECONDS = 15
FOUND = ("embedding", "ready")  # states in which keyword search finds a file
KINDS = ("web", "document worker", "embedder", "chroma", "supervisor", "arbiter")
BACKGROUND = ("document worker", "embedder", "chroma")
CALM_SHARE = 0.05  # of a core; below this the background is idle
CHUNKS_A_PAGE = 2


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
class _Phase:
    """A phase of the run: start, end, and CPU seconds by process."""

    name: str
    start: float
    end: float
    cpu: dict[str, float]


@dataclass
class _Files:
    """The files' progress with its times."""

    began: float = 0.0
    sent: float = 0.0
    searchable: list[float] = field(default_factory=list)
    ready: float | None = None
    done: float | None = None
    vectors: str = "off"
    chunks: int = 0


def measure(size: Size = Size()) -> Iterator[Table]:
    """Measure once; yield the tables of gaps, times, costs and alternatives."""
    require_linux()
    paths = pdfs(size.files, size.pages, say)
    with ExitStack() as stack:
        port, model = stack.enter_context(model_server())
        running = stack.enter_context(
            service(1, {"CHATAPP_ANSWERS_PER_USER": "0", **_supplier(size, port)})
        )
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chatapp-bench-"))
        say(f"{size.streams} answers begin")
        reading = stack.enter_context(load(_groups(size, running, port), Path(folder, "seen.json")))
        assert running.process is not None
        meter = CpuMeter(running.process.pid, model=model, reader=reading.pid)
        phases, files = _run(size, running, meter, paths)
        held = memory(running.process.pid)
        seen = reading.end()
    if any(stream.ended is not None for stream in seen["service"]):
        raise RuntimeError("answers ended before their time")
    yield _gap_table(size, phases, files, seen)
    yield _time_table(size, files)
    yield _cost_table(phases, held)
    yield _inside_table(size)


# the run


def _supplier(size: Size, port: int) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_API_KEY": "none",
        "OPENAI_MODELS": _model(size),
    }


def _model(size: Size) -> str:
    return model_name(WORDS, size.rate)


def _groups(size: Size, running: Service, port: int) -> list[Group]:
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


def _run(
    size: Size, running: Service, meter: CpuMeter, paths: Sequence[Path]
) -> tuple[list[_Phase], _Files]:
    phases: list[_Phase] = []
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
def _phase(name: str, meter: CpuMeter, phases: list[_Phase]) -> Iterator[None]:
    before, start = meter.read(), time.monotonic()
    yield
    end, after = time.monotonic(), meter.read()
    phases.append(
        _Phase(name, start, end, {kind: after[kind] - before.get(kind, 0.0) for kind in after})
    )


def _ingest(size: Size, running: Service, meter: CpuMeter, paths: Sequence[Path]) -> _Files:
    """Upload the files and wait until all are ready and the background is idle, or time is up."""
    base = running.post("/api/knowledge", {"name": "Benchmark"}).json["id"]
    files = _Files(began=time.monotonic())
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


def _look(running: Service, base: str, missing: dict[str, str], files: _Files) -> list[str]:
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


def _vectors(running: Service, base: str, files: _Files) -> str:
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


# the tables


def _gap_table(
    size: Size, phases: Sequence[_Phase], files: _Files, seen: dict[str, list[Seen]]
) -> Table:
    quiet, ingesting, again = phases
    spans = [("quiet", quiet.start, quiet.end), ("ingesting", ingesting.start, ingesting.end)]
    if files.vectors != "off" and files.searchable:
        spans.append(
            ("  of this until all are found by keywords", ingesting.start, files.searchable[-1])
        )
        spans.append(("  of this embedding", files.searchable[-1], ingesting.end))
    spans.append(("quiet again", again.start, again.end))
    ours = {name: gaps(seen["service"], start, end) for name, start, end in spans}
    direct = {name: gaps(seen["direct"], start, end) for name, start, end in spans}
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            end - start,
            ours[name].p50,
            ours[name].p99,
            ours[name].long,
            ours[name].largest,
            at,
            direct[name].largest,
        )
        for name, start, end in spans
        for at in [ours[name].largest_at]
    ]
    p50, p99, largest = (_added(ours, each) for each in ("p50", "p99", "largest"))
    rows.append(
        ("added by ingesting", None, p50, p99, None, largest, None, _added(direct, "largest"))
    )
    title = (
        f"Gaps between the pieces of {size.streams} answers at {size.rate} words a second, "
        f"{1000 / size.rate:.0f} ms apart, with one web worker (ms)"
    )
    columns = (
        "",
        "seconds",
        "p50",
        "p99",
        f"of {LONG_MS} ms and more",
        "largest",
        "at second",
        "largest from the model itself",
    )
    notes = [
        "Added: ingesting less the larger of the two quiet times. The aim is less than 100 ms "
        "added to the largest gap."
    ]
    if files.done is None:
        notes.append(
            "Ingestion was not finished by then, so the figures of the last phase and the "
            "difference are invalid."
        )
    return Table(title, columns, tuple(rows), tuple(notes))


def _added(found: dict[str, Gaps], name: str) -> float:
    before, middle, after = (
        getattr(found[phase], name) for phase in ("quiet", "ingesting", "quiet again")
    )
    return float(middle - max(before, after))


def _time_table(size: Size, files: _Files) -> Table:
    pages = size.files * size.pages
    found = files.searchable
    stages: tuple[tuple[str, float | None, int], ...] = (
        ("uploaded", files.sent, pages),
        ("the first file found by keywords", found[0] if found else None, size.pages),
        ("all found by keywords", found[-1] if len(found) == size.files else None, pages),
        ("all ready", files.ready, pages),
        ("background idle", files.done, pages),
    )
    rows = [
        (stage, at and at - files.began, at and many / (at - files.began))
        for stage, at, many in stages
    ]
    notes = [f"{files.chunks:,} chunks; vectors: {files.vectors}."]
    if files.vectors == "off":
        notes.append("No embedder is set up here: this is keyword indexing only.")
    if files.done is None:
        notes.append(f"Stopped after {size.most_seconds:.0f} s.")
    title = (
        f"{size.files} PDFs of {size.pages} pages, uploaded together while {size.streams} "
        f"answers are written"
    )
    return Table(
        title,
        ("", "seconds after the upload began", "pages a second"),
        tuple(rows),
        (" ".join(notes),),
    )


def _cost_table(phases: Sequence[_Phase], held: dict[str, float]) -> Table:
    ours = [kind for kind in KINDS if any(kind in phase.cpu for phase in phases)]
    rows: list[tuple[Cell, ...]] = []
    others = [(kind, [kind]) for kind in (WAITING, "model", "reader")]
    for name, kinds in [
        *((kind, [kind]) for kind in ours),
        ("the service together", ours),
        *others,
    ]:
        seconds = [sum(phase.cpu.get(kind, 0.0) for kind in kinds) for phase in phases]
        shares = [
            100 * each / (phase.end - phase.start)
            for each, phase in zip(seconds, phases, strict=True)
        ]
        size = sum(held.get(kind, 0.0) for kind in kinds)
        rows.append((name, *shares, seconds[1], size or None))
    title = "What it costs: CPU in % of one core, and memory at the end in MB (PSS)"
    columns = ("process", *(phase.name for phase in phases), "ingesting, in CPU seconds", "memory")
    return Table(title, columns, tuple(rows))


def _inside_table(size: Size) -> Table:
    say("the same work inside a web process, for comparison")
    ways = measure_inside(size.streams, size.rate, CHUNKS_A_PAGE * size.files * size.pages)
    rows = [
        (
            way.name,
            way.amount,
            way.seconds,
            way.gaps.p99,
            way.gaps.long,
            way.gaps.largest,
            way.gaps.largest - ways[0].gaps.largest,
        )
        for way in ways
    ]
    title = (
        f"The alternative: {size.streams} greenlets, {size.rate} words a second, in the process "
        f"that does the work (ms)"
    )
    columns = (
        "work",
        "amount",
        "seconds",
        "p99",
        f"of {LONG_MS} ms and more",
        "largest",
        "added to the largest",
    )
    note = "Greenlets alone, without HTTP: no answer can be more even than these."
    return Table(title, columns, tuple(rows), (note,))
