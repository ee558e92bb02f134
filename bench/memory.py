"""Memory of all processes, at rest and after work, with one web worker and more; disk size.

Memory is the proportional set size (PSS): shared pages count by share, so figures can be added.
Each row is a service of its own on an empty home. The work is one PDF, uploaded and ready, then
answers from it until every web worker has given some.
"""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from bench.documents import pdfs, subject
from bench.processes import MB, family, memory, require_linux, service
from bench.tables import Cell, Table, say
from tests.support.service import Service

ROOT = Path(__file__).parent.parent
KINDS = ("web", "document worker", "embedder", "chroma", "supervisor", "arbiter")
LEAVES = "document worker"  # ends when idle for half a minute
WAIT_SECONDS = 90
COME_BACK_SECONDS = 1.0
STEADY_SECONDS = 0.5
STEADY_SHARE = 0.01  # less change in that time counts as steady
ASKED_AT_ONCE = 4  # times the web workers
ANSWERED_SECONDS = 0.05  # of CPU: a worker that has used more since has answered
TARGETS = {"at rest": 350, "after work": 500, "each further worker": 220}  # MB


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    workers: tuple[int, ...] = (1, 2, 4)
    pages: int = 30


@dataclass(frozen=True, slots=True)
class _Held:
    """Memory of one service by kind of process, in MB."""

    workers: int
    at_rest: dict[str, float]
    after: dict[str, float]


def measure(size: Size = Size()) -> Iterator[Table]:
    """Measure once; yield the tables of memory and of disk."""
    require_linux()
    (file,) = pdfs(1, size.pages, say)
    held = [_held(workers, file) for workers in size.workers]
    yield _process_table(size, held[0])
    yield _worker_table(held)
    yield _disk_table()


def _held(workers: int, file: Path) -> _Held:
    """Start a service; measure before and after work."""
    say(f"a service with {workers} web worker{'s' if workers > 1 else ''}")
    with service(workers, {"CHATAPP_ANSWERS_PER_USER": "0"}) as running:
        _wait(lambda: len(running.workers()) == workers, "all web workers run")
        at_rest = _at_rest(running)
        base = running.add_documents("Benchmark", file)
        _answer_everywhere(running, base)
        return _Held(workers, at_rest, _steady(running))


def _at_rest(running: Service) -> dict[str, float]:
    """Return the memory once everything runs and the document worker has been ended."""
    _wait(lambda: running.get("/readyz").json["missing"] == [], "nothing is missing")
    _wait(lambda: _pids(running, LEAVES), "the document worker runs")

    def is_away() -> bool:
        for pid in _pids(running, LEAVES):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        _wait(lambda: not _pids(running, LEAVES), "the document worker has left")
        time.sleep(COME_BACK_SECONDS)  # if it was woken just before, it is started again
        return not _pids(running, LEAVES)

    _wait(is_away, "the document worker stays away")
    return _steady(running)


def _steady(running: Service) -> dict[str, float]:
    """Return the memory once it has stopped changing."""
    assert running.process is not None
    last = memory(running.process.pid)
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(STEADY_SECONDS)
        now = memory(running.process.pid)
        if now.keys() == last.keys() and abs(
            sum(now.values()) - sum(last.values())
        ) < STEADY_SHARE * sum(last.values()):
            return now
        last = now
    return last


def _answer_everywhere(running: Service, base: str) -> None:
    """Ask questions, many at a time, until every web worker has answered."""
    before = _web_seconds(running)
    question = {
        "question": f"What does the {subject(0)} checklist ask for?",
        "knowledge_config": {"knowledge_base_id": base},
    }

    def ask(_: int) -> None:
        streamed = running.stream(question)
        if (
            "done" not in streamed.kinds()
            or not streamed.text()
            or not streamed.first("sources")["data"]
        ):
            raise RuntimeError(
                f"an answer without sources or text: {streamed.messages or streamed.status}"
            )

    def all_answered() -> bool:
        with ThreadPoolExecutor(ASKED_AT_ONCE * len(before)) as pool:
            list(pool.map(ask, range(ASKED_AT_ONCE * len(before))))
        now = _web_seconds(running)
        return all(now[pid] - seconds > ANSWERED_SECONDS for pid, seconds in before.items())

    _wait(all_answered, "every web worker has answered")


def _web_seconds(running: Service) -> dict[int, float]:
    assert running.process is not None
    return {
        process.pid: process.seconds
        for process in family(running.process.pid)
        if process.kind == "web"
    }


def _pids(running: Service, kind: str) -> list[int]:
    assert running.process is not None
    return [process.leader for process in family(running.process.pid) if process.kind == kind]


def _wait(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {WAIT_SECONDS} s: {what}")
        time.sleep(0.05)


def _process_table(size: Size, held: _Held) -> Table:
    kinds = [kind for kind in KINDS if kind in held.at_rest or kind in held.after]
    rows: list[tuple[Cell, ...]] = [
        _row(kind, held.at_rest.get(kind, 0.0), held.after.get(kind, 0.0)) for kind in kinds
    ]
    rows.append(_row("together", sum(held.at_rest.values()), sum(held.after.values())))
    rows.append(("target", TARGETS["at rest"], TARGETS["after work"], None))
    notes = ["The document worker exits after half a minute without work and frees its memory."]
    if "embedder" not in held.after:
        notes.append("No embedder is set up here.")
    return Table(
        f"Memory with {held.workers} web worker, in MB (PSS)",
        ("process", "at rest", f"after a PDF of {size.pages} pages and answers", "difference"),
        tuple(rows),
        (" ".join(notes),),
    )


def _row(name: str, before: float, after: float) -> tuple[Cell, ...]:
    return name, before, after, after - before


def _worker_table(held: Sequence[_Held]) -> Table:
    """Compare services by number of web workers, without the one document worker."""
    rows: list[tuple[Cell, ...]] = []
    first = held[0]
    for each in held:
        further = each.workers - first.workers
        at_rest, after = _lasting(each.at_rest), _lasting(each.after)
        rest_cost = (at_rest - _lasting(first.at_rest)) / further if further else None
        cost = (after - _lasting(first.after)) / further if further else None
        rows.append((each.workers, at_rest, rest_cost, after, cost))
    rows.append(
        (
            "target",
            None,
            TARGETS["each further worker"],
            None,
            TARGETS["each further worker"],
        )
    )
    return Table(
        "Memory by web workers, all processes but the document worker, in MB (PSS)",
        (
            "web workers",
            "at rest",
            "each further worker at rest",
            "after answers",
            "each further worker after answers",
        ),
        tuple(rows),
    )


def _lasting(sizes: dict[str, float]) -> float:
    return sum(size for kind, size in sizes.items() if kind != LEAVES)


def _disk_table() -> Table:
    packages = _packages()
    largest = sorted(packages, key=lambda name: packages[name], reverse=True)[:5]
    parts = {
        f"Python packages ({len(packages)} of requirements.txt)": sum(packages.values()),
        **{f"    of these {name}": packages[name] for name in largest},
        "the embedder's model": _folder(ROOT / "models"),
        "the page's libraries": _folder(ROOT / "static" / "vendor"),
        "our own code": sum(
            _folder(ROOT / name) for name in ("chatapp", "templates", "migrations", "docs/manual")
        )
        + _folder(ROOT / "static")
        - _folder(ROOT / "static" / "vendor"),
    }
    whole = sum(size for name, size in parts.items() if not name.startswith(" "))
    rows: list[tuple[Cell, ...]] = [
        (name, size, 100 * size / whole) for name, size in parts.items()
    ]
    note = "Without Python and pip; packages include their compiled files."
    return Table(
        "Installed size", ("part", "MB", "% of all"), (*rows, ("together", whole, 100.0)), (note,)
    )


def _packages() -> dict[str, float]:
    """Return the installed size in MB of each package in requirements.txt."""
    found: dict[str, float] = {}
    for name in re.findall(
        r"^([\w.-]+)(?:\[\w+\])?==", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE
    ):
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue
        paths = {Path(file.locate()) for file in files}
        found[name] = sum(path.stat().st_size for path in paths if path.is_file()) / MB
    return found


def _folder(folder: Path) -> float:
    return (
        sum(
            path.stat().st_size
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )
        / MB
    )
