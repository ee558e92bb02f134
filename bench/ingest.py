"""How ingestion affects live answers: gaps between the pieces of 50 answers before, during and
after the upload of five 300-page PDFs.

One run of the service as `make run` starts it. The model sends 20 words a second to each answer. A
few more streams read from the model directly: their gaps are those of the machine, the model and
the reader.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.documents import pdfs
from bench.ingest_run import Files, Phase, Size, groups, run, supplier
from bench.inside import measure_inside
from bench.load import LONG_MS, Gaps, Seen, gaps, load
from bench.model import model_server
from bench.processes import WAITING, CpuMeter, memory, require_linux, service
from bench.tables import Cell, Table, say

KINDS = ("web", "document worker", "embedder", "chroma", "supervisor", "arbiter")
CHUNKS_A_PAGE = 2
_SIZE = Size()


def measure(size: Size = _SIZE) -> Iterator[Table]:
    """Measure once; yield the tables of gaps, times, costs and alternatives."""
    require_linux()
    paths = pdfs(size.files, size.pages, say)
    with ExitStack() as stack:
        port, model = stack.enter_context(model_server())
        running = stack.enter_context(
            service(1, {"CHATAPP_ANSWERS_PER_USER": "0", **supplier(size, port)})
        )
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chatapp-bench-"))
        say(f"{size.streams} answers begin")
        reading = stack.enter_context(load(groups(size, running, port), Path(folder, "seen.json")))
        assert running.process is not None
        meter = CpuMeter(running.process.pid, model=model, reader=reading.pid)
        phases, files = run(size, running, meter, paths)
        held = memory(running.process.pid)
        seen = reading.end()
    if any(stream.ended is not None for stream in seen["service"]):
        raise RuntimeError("answers ended before their time")
    yield _gap_table(size, phases, files, seen)
    yield _time_table(size, files)
    yield _cost_table(phases, held)
    yield _inside_table(size)


def _gap_table(
    size: Size, phases: Sequence[Phase], files: Files, seen: dict[str, list[Seen]]
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


def _time_table(size: Size, files: Files) -> Table:
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


def _cost_table(phases: Sequence[Phase], held: dict[str, float]) -> Table:
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
