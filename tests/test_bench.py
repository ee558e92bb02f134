"""`make bench` in small: every benchmark runs end to end and yields figures that can be; what it starts, it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import ingest, memory, retrieval
from bench.documents import page_text, pdfs, subject
from bench.load import Seen, gaps
from bench.tables import Skipped, Table
from tests.service import ROOT, wait_for

TOWNS = ("Bonn", "Ulm", "Jena", "Kiel", "Trier", "Essen", "Hagen", "Celle")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is made out of the machine's folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def number(table: Table, row: str, column: str) -> float:
    found = next(cells for cells in table.rows if cells[0] == row)[table.columns.index(column)]
    assert isinstance(found, int | float), (row, column, found)
    return found


def test_gaps_are_counted_where_they_end_and_a_stall_is_seen_before_it_does() -> None:
    even = Seen(0.0, [0.05 * n for n in range(1, 40)], None)
    stalled = Seen(0.0, [0.5, 1.0, 1.3], None)
    assert gaps([even], 0.5, 1.0).largest == pytest.approx(50)
    found = gaps([even, stalled], 0.9, 1.9)
    assert (found.largest, found.largest_at) == (pytest.approx(600), pytest.approx(1.0))
    assert found.long == 3
    assert gaps([Seen(0.0, [0.1], 0.2)], 1.0, 2.0).pieces == 0


def test_a_table_is_text_that_markdown_reads() -> None:
    table = Table("Sizes", ("what", "MB"), (("one", 1234.5), ("another", 0.123), ("none", None)), ("A note.",))
    assert list(table.lines()) == [
        "Sizes",
        "",
        "| what    |      MB |",
        "|---------|--------:|",
        "| one     | 1,234.5 |",
        "| another |    0.12 |",
        "| none    |       – |",
        "\nA note.",
    ]


def test_every_page_and_every_file_reads_differently() -> None:
    pages = {"".join(page_text(file, page)[1]) for file in range(3) for page in range(1, 11)}
    assert len(pages) == 30
    assert len({subject(file) for file in range(50)}) == 50
    (first,) = pdfs(1, 2)
    assert first.read_bytes().startswith(b"%PDF") and pdfs(1, 2) == [first]


@pytest.mark.server
def test_ingest_measures_gaps_times_and_costs() -> None:
    size = ingest.Size(streams=2, direct=1, files=1, pages=3, quiet_seconds=1, settle_seconds=0.2, most_seconds=60)
    felt, times, costs, otherwise = ingest.measure(size)
    for phase in ("quiet", "ingesting", "quiet again"):
        assert 40 < number(felt, phase, "p50") < 200
        assert number(felt, phase, "p50") <= number(felt, phase, "p99") <= number(felt, phase, "largest")
        assert number(costs, "the service together", phase) > 0
    order = [number(times, str(stage), "seconds after the upload began") for stage in times.column("")]
    assert order == sorted(order) and order[0] > 0
    assert number(costs, "web", "memory") > 20
    assert {"nothing else", "Chroma inside, in a thread"} <= set(otherwise.column("work"))


@pytest.mark.server
def test_memory_measures_processes_workers_and_disk() -> None:
    processes, workers, disk = memory.measure(memory.Size(workers=(1, 2), pages=3))
    after = next(column for column in processes.columns if column.startswith("after"))
    assert 20 < number(processes, "web", "at rest") <= number(processes, "together", "at rest")
    assert number(processes, "together", "at rest") < number(processes, "together", after) < 2000
    assert "document worker" in processes.column("process")
    two = workers.rows[1]
    assert two[0] == 2 and all(isinstance(cell, float) and cell > 10 for cell in two[1:])
    assert number(disk, "together", "MB") > number(disk, "our own code", "MB") > 0


def test_retrieval_measures_each_file_in_both_ways(tmp_path: Path) -> None:
    articles = []
    for town in TOWNS:
        asked = [{"question": f"What does the mayor of {town} collect?", "answers": [{"text": "stamps"}]}]
        articles.append({"paragraphs": [{"context": f"The mayor of {town} collects stamps at home.", "qas": asked}]})
    (tmp_path / "towns.json").write_text(json.dumps({"data": articles}), "utf-8")
    (tmp_path / "other.json").write_text("[1]", "utf-8")
    (table,) = retrieval.measure(retrieval.Size(tmp_path))
    assert table.title == "towns.json: 8 paragraphs, 8 questions, 8 foreign ones"
    assert number(table, "found first, %", "words only") == 100
    assert number(table, "a search, p50, ms", "words only") > 0


def test_retrieval_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    with pytest.raises(Skipped, match="BENCH_DATA"):
        list(retrieval.measure())


def test_a_name_that_is_none_is_told_which_there_are() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "speed"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "ingest, memory, retrieval" in done.stderr


@pytest.mark.server
def test_ctrl_c_ends_everything_that_was_started(tmp_path: Path) -> None:
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "bench", "memory"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bench:
        wait_for(lambda: len(living(tmp_path)) > 2, 30, "a service runs")
        bench.send_signal(signal.SIGINT)
        said = bench.communicate(timeout=30)
    assert bench.returncode == 130, said
    assert living(tmp_path) == []
    assert not list(tmp_path.glob("chatapp-bench-????????"))


def living(folder: Path) -> list[str]:
    """Return the commands of the processes whose environment names a folder."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder).encode() in environ.read_bytes():
                found.append((environ.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found
