"""Quality and speed of retrieval, by keywords only and with vectors: `chatapp eval` on the files of
BENCH_DATA.

BENCH_DATA names a folder of files in SQuAD's format. Both ways are measured on the same random
sample of each file's questions, among all its paragraphs; `chatapp eval` itself asks all questions.
"""

import json
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.processes import helper
from bench.tables import Cell, Skipped, Table, say

VARIABLE = "BENCH_DATA"
WAYS = ("words only", "words and vectors")
MARKS = (  # compared figures: name, field, factor
    ("mean reciprocal rank", "mrr", 1),
    ("a search, p50, ms", "p50_ms", 1),
    ("a search, p95, ms", "p95_ms", 1),
    ("the built-in model's answer holds the gold string, %", "answered", 100),
    ("declines foreign questions, %", "declined", 100),
)


@dataclass(frozen=True, slots=True)
class Size:
    """The folder of files (BENCH_DATA by default) and the number of questions from each."""

    folder: Path | None = None
    questions: int = 500


def measure(size: Size = Size()) -> Iterator[Table]:
    """Measure each file both ways; yield one table per file."""
    folder = size.folder or Path(os.environ.get(VARIABLE) or os.devnull)
    files = [file for file in sorted(folder.glob("*.json")) if _is_squad(file)]
    if not files:
        raise Skipped(
            f"Set {VARIABLE} to a folder of files in SQuAD's format (*.json) to measure how well "
            f"passages are found."
        )
    with tempfile.TemporaryDirectory(prefix="chatapp-bench-") as sampled:
        for file in files:
            part = Path(sampled, file.name)
            total = _sample(file, part, size.questions)
            yield _table(file, total, *(_evaluated(part, way) for way in WAYS))


def _is_squad(file: Path) -> bool:
    try:
        entries = json.loads(file.read_text("utf-8"))["data"]
        return bool(entries) and all("paragraphs" in entry for entry in entries)
    except (ValueError, KeyError, TypeError):
        return False


def _sample(file: Path, part: Path, most: int) -> int:
    """Write a file with all paragraphs and a sample of the answerable questions; return their
    total."""
    whole = json.loads(file.read_text("utf-8"))
    paragraphs = [paragraph for entry in whole["data"] for paragraph in entry["paragraphs"]]
    for paragraph in paragraphs:
        paragraph["qas"] = [
            asked
            for asked in paragraph["qas"]
            if asked.get("answers") and not asked.get("is_impossible")
        ]
    places = [
        (number, asked["question"])
        for number, paragraph in enumerate(paragraphs)
        for asked in paragraph["qas"]
    ]
    kept = set(random.Random(1).sample(places, min(most, len(places))))
    for number, paragraph in enumerate(paragraphs):
        paragraph["qas"] = [
            asked for asked in paragraph["qas"] if (number, asked["question"]) in kept
        ]
    part.write_text(json.dumps(whole), "utf-8")
    return len(places)


def _evaluated(file: Path, way: str) -> dict[str, Any]:
    """Evaluate in a process of its own, which can be killed at any moment."""
    say(f"{file.name}, {way}")
    with helper("retrieval", str(file), way, TMPDIR=str(file.parent)) as (_, said):
        line = said.readline()
        if not line:
            raise RuntimeError(f"{file.name} could not be evaluated; see the output above")
        report: dict[str, Any] = json.loads(line)
        return report


def _table(file: Path, total: int, words: dict[str, Any], vectors: dict[str, Any]) -> Table:
    pairs = [
        (
            f"found among the first {depth}, %" if depth != "1" else "found first, %",
            100 * share,
            100 * vectors["recall"][depth],
        )
        for depth, share in words["recall"].items()
    ]
    pairs += [(name, times * words[field], times * vectors[field]) for name, field, times in MARKS]
    there = vectors["embedder"] is not None
    rows: list[tuple[Cell, ...]] = [
        (name, one, other if there else None, other - one if there else None)
        for name, one, other in pairs
    ]
    note = (
        f"Vectors by {vectors['embedder']}."
        if there
        else "No embedder is set up here: keywords only."
    )
    asked = (
        f"{words['questions']:,} of {total:,} questions"
        if words["questions"] < total
        else f"{total:,} questions"
    )
    title = (
        f"{file.name}: {words['paragraphs']:,} paragraphs, {asked}, {words['foreign']} foreign ones"
    )
    return Table(title, ("", *WAYS, "difference"), tuple(rows), (note,))


def main(file: Path, way: str) -> None:
    """Evaluate one file and print the report as JSON; exit when stdin closes."""
    from chatapp.knowledge.evaluate import evaluate

    def leave_with_parent() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    # unwinds, so that temporary files are deleted
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=leave_with_parent, daemon=True).start()
    report = evaluate(file, with_embedder=way != WAYS[0])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # do not interrupt the exit
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
