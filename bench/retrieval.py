"""Quality and speed of retrieval, by keywords only and as configured: `chatapp eval` on the sets of
BENCH_DATA.

BENCH_DATA names a folder of files in SQuAD's format, and of folders in the format of Chroma's
chunking evaluation. Both ways are asked the same random sample of each set's questions, among all
its paragraphs or documents; `chatapp eval` itself asks all questions.
"""

import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import helper
from bench.tables import Cell, Skipped, Table, say

VARIABLE = "BENCH_DATA"
COLUMNS = ("", "words only", "words and vectors", "difference", "from", "to")
ROWS = (  # name, group, figure, factor
    ("found first, %", "retrieval", "recall_at_1", 100),
    ("found among the first 5, %", "retrieval", "recall_at_5", 100),
    ("found among the first 10, %", "retrieval", "recall_at_10", 100),
    ("mean reciprocal rank", "retrieval", "mrr", 1),
    ("the built-in model answers correctly, %", "answers", "right", 100),
    ("declines questions about another subject, %", "foreign", "declined", 100),
    ("declines questions about the same subject, %", "in_topic", "declined", 100),
    ("share of the excerpts in five passages, %", "excerpts", "recall", 100),
    ("share of these passages that is excerpts, %", "excerpts", "precision", 100),
    ("overlap (IoU), %", "excerpts", "iou", 100),
)
NOTE = "95 % of the differences between such samples lie between the last two columns."


@dataclass(frozen=True, slots=True)
class Size:
    """The folder of sets (BENCH_DATA by default) and the number of questions from each."""

    folder: Path | None = None
    questions: int = 500


def measure(size: Size = Size()) -> Iterator[Table]:
    """Measure each set both ways; yield one table per set."""
    folder = size.folder or Path(os.environ.get(VARIABLE) or os.devnull)
    sets = [path for path in sorted(folder.glob("*")) if _is_set(path)]
    if not sets:
        raise Skipped(
            f"Set {VARIABLE} to a folder of files in SQuAD's format (*.json) to measure how well "
            f"passages are found."
        )
    for path in sets:
        yield _table(_evaluated(path, size.questions))


def _is_set(path: Path) -> bool:
    if path.is_dir():
        return (path / "questions_df.csv").is_file()
    try:
        entries = json.loads(path.read_text("utf-8"))["data"] if path.suffix == ".json" else []
        return bool(entries) and all("paragraphs" in entry for entry in entries)
    except (ValueError, KeyError, TypeError):
        return False


def _evaluated(path: Path, questions: int) -> dict[str, Any]:
    """Evaluate in a process of its own, which can be killed at any moment."""
    say(path.name)
    with (
        tempfile.TemporaryDirectory(prefix="chatapp-bench-") as scratch,
        helper("retrieval", str(path), str(questions), TMPDIR=scratch) as (_, said),
    ):
        line = said.readline()
        if not line:
            raise RuntimeError(f"{path.name} could not be evaluated; see the output above")
        report: dict[str, Any] = json.loads(line)
        return report


def _table(report: dict[str, Any]) -> Table:
    vectors, words = report, report["against"] or report
    rows: list[tuple[Cell, ...]] = []
    for name, group, figure, times in ROWS:
        if group in words["figures"]:
            value = words["figures"][group][figure]["value"] * times
            rows.append((name, value, *_compared(report, group, figure, times)))
    there = report["against"] is not None
    for mark in ("p50", "p95"):
        one = words["latency_ms"][mark]
        other = vectors["latency_ms"][mark]
        more: tuple[Cell, ...] = (other, other - one) if there else (None, None)
        rows.append((f"a search, {mark}, ms", one, *more, None, None))
    note = (
        f"Vectors by {vectors['embedder']}."
        if there
        else "No embedder is set up here: keywords only."
    )
    files = "documents" if report["kind"] == "excerpts" else "paragraphs"
    title = f"{report['name']}: {report['files']:,} {files}, {report['questions']:,} questions"
    return Table(title, COLUMNS, tuple(rows), (note, NOTE) if there else (note,))


def _compared(report: dict[str, Any], group: str, figure: str, times: int) -> tuple[Cell, ...]:
    """Return the figure with vectors, its difference, and the bounds of that."""
    if report["against"] is None:
        return None, None, None, None
    found = report["figures"][group][figure]["value"]
    difference = report["differences"][group][figure]
    return found * times, *(difference[name] * times for name in ("value", "low", "high"))


def main(path: Path, questions: int) -> None:
    """Evaluate one set and print the report as JSON; exit when stdin closes."""
    from dataclasses import replace

    from chatapp.knowledge.embedders import configured_embedder
    from chatapp.knowledge.evaluation.evaluate import evaluate
    from chatapp.settings import OFF, Settings

    def leave_with_parent() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    # unwinds, so that temporary files are deleted
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=leave_with_parent, daemon=True).start()
    settings = Settings.from_env()
    words = replace(settings, embedder=OFF)
    there = configured_embedder(settings) is not None
    report = evaluate(path, settings, words if there else None, sample=questions)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # do not interrupt the exit
    print(json.dumps(report.to_json()), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
