"""`make bench` at a small size: every benchmark runs, gives plausible figures and cleans up."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import databases, grown, ingest, memory, real, retrieval, scaling, search, streams
from bench.documents import page_text, pdfs, subject
from bench.figures import Cost, Figures, combined, done_after, figures, percentile, promise_table
from bench.grown_home import Grown
from bench.load import Seen, gaps
from bench.picture import Bar, Chart, svg
from bench.tables import Skipped, Table
from bench.trial import Workload, field
from tests.support.postgres import NEEDS_POSTGRES
from tests.support.question_sets import write_excerpts, write_towns
from tests.support.service import PATIENCE_SECONDS, ROOT, wait_for


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


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (
        51,
        100,
        7,
    )
    assert percentile([], 0.5) == 0


def test_streams_come_to_figures_and_what_is_missing_counts_until_the_time_was_over() -> None:
    whole = Seen(10.0, [10.1, 10.2, 10.4], 10.5, 4)
    found = figures(
        [whole], 4, 99.0, Cost(service=0.002, model=0.05, reader=0.1, rest_mb=50, peak_mb=60)
    )
    assert (found.cpu_us, found.seconds, found.missing) == pytest.approx((500, 0.5, 0))
    assert (found.first_p99, found.gap_p99) == pytest.approx((100, 200))
    assert (found.model_share, found.reader_share) == pytest.approx((0.1, 0.2))
    stuck, silent, short = (
        Seen(10.0, [10.1], None, 1),
        Seen(10.0, [], None),
        Seen(10.0, [10.1], 10.2, 3),
    )
    late = figures([whole, stuck, silent, short], 4, 20.0, Cost(0, 0, 0, 0, 0))
    assert (late.missing, late.seconds, late.first_p99, late.gap_p99) == pytest.approx(
        (3, 10, 10_000, 9900)
    )


FIGURES = Figures(100, 10, 20, 60, 11, 100, 200, 0, 0.1, 0.1)


def test_runs_are_combined_by_medians_that_hide_no_failure() -> None:
    runs = [
        replace(FIGURES, cpu_us=cpu, peak_mb=cpu, missing=missing)
        for cpu, missing in ((1, 0), (9, 0), (3, 2))
    ]
    found = combined(runs)
    assert (found.cpu_us, found.peak_mb, found.missing) == (3, 9, 2)


def test_when_it_was_done_is_a_time_or_what_kept_it_from_it() -> None:
    assert done_after(FIGURES, 60) == "11.00"
    assert done_after(replace(FIGURES, missing=5.0, seconds=60.2), 60) == "> 60"
    assert done_after(replace(FIGURES, missing=5.0), 60) == "5 missing"


def test_promises_are_compared_with_what_was_measured_and_nothing_else() -> None:
    assert promise_table({"200x20": {"ours": FIGURES}, "quiet": {"floor": FIGURES}}) is None
    floor, slow = replace(FIGURES, cpu_us=50), replace(FIGURES, cpu_us=400)
    table = promise_table(
        {"200x20": {"ours": FIGURES, "floor": floor}, "1000x20": {"ours": FIGURES, "astream": slow}}
    )
    assert table is not None
    assert [row[1:] for row in table.rows] == [
        (100, 50, 2.0, "at most 2.5 times", "yes"),
        (20, 20, 1.0, "at most 4 times", "yes"),
        (200, None, None, "at most 350", "yes"),
        (100, 400, 4.0, "at least 5 times less", "no"),
        (11, 11, 1.0, "at least 6 times less", "no"),
    ]
    lost = promise_table({"200x20": {"ours": replace(FIGURES, missing=1), "floor": floor}})
    assert lost is not None and set(lost.column("kept")) == {"no"}


def test_a_picture_is_svg_with_a_bar_for_each_value() -> None:
    root = ElementTree.fromstring(
        svg([Chart("Time & cost", [Bar("ours", 2, "2 s", True), Bar("a < b", 8, "8 s")])])
    )
    name = "{http://www.w3.org/2000/svg}"
    widths = [float(bar.get("width", "")) for bar in root.iter(f"{name}rect")]
    assert widths[1] == pytest.approx(4 * widths[0])
    assert [text.text for text in root.iter(f"{name}text")] == [
        "Time & cost",
        "ours",
        "2 s",
        "a < b",
        "8 s",
    ]


def test_the_picture_of_streams_says_what_was_not_done_in_time() -> None:
    slow, ours = (
        replace(FIGURES, missing=9, seconds=150.2),
        replace(FIGURES, cpu_us=60, seconds=11.6),
    )
    designs = {"astream": slow, "tutorial": FIGURES, "ours": ours, "floor": FIGURES}
    drawn = streams.picture({"200x20": designs, "1000x20": designs})
    assert "&gt; 150 s<" in drawn and ">12 s<" in drawn and ">60 µs<" in drawn
    assert drawn.count('class="bar ours"') == 2


def test_options_choose_a_part_which_draws_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    part = streams.choose(["--loads", "200x20,growth", "--designs", "ours,floor", "--runs", "2"])
    assert part == streams.Size(("200x20", "growth"), ("ours", "floor"), 2, None)
    assert streams.choose(["--quick"]).runs_of("ours", "200x20") == 1
    assert [
        streams.Size().runs_of(*each)
        for each in (("ours", "200x20"), ("astream", "200x20"), ("ours", "quiet"))
    ] == [5, 1, 1]
    with pytest.raises(SystemExit):
        streams.choose(["--loads", "200x21"])
    assert "there is no 200x21" in capsys.readouterr().err


@pytest.mark.server
def test_streams_measures_waits_gaps_and_costs() -> None:
    load = Workload("small", "", 5, 10, 20, after_seconds=0)
    with field([load.model]) as ground:
        served, direct = (ground.trial(name, load) for name in ("floor", "direct"))
    for found in (served, direct):
        assert found.missing == 0
        assert found.seconds > 0.45
        assert found.gap_p99 > 0
        assert 0 < found.first_p50 <= found.first_p99
        assert found.model_share > 0 and found.reader_share > 0
    assert served.cpu_us > direct.cpu_us == 0
    assert 10 < served.rest_mb <= served.peak_mb < 500


@NEEDS_POSTGRES
@pytest.mark.server
def test_databases_are_compared_with_one_user_and_with_many() -> None:
    tables = list(databases.measure(databases.Size(answers=(4,), tokens=10, runs=1)))
    assert [table.column("") for table in tables] == [["SQLite", "PostgreSQL"]] * 2
    for table in tables:
        assert number(table, "PostgreSQL", "web: CPU a token, µs") > 0
        assert "loses 0 answers" in table.notes[0]


@NEEDS_POSTGRES
@pytest.mark.server
def test_what_larger_numbers_need_is_simulated_from_what_was_measured() -> None:
    size = scaling.Size((20, 2, 20), (20, 80, 40), (10, 100, 200), ((25, 15, 20),), runs=1)
    costs, compared, needed = scaling.measure(size)
    assert number(costs, "a question, ms", "web worker") > 0
    # such small loads do not always tell apart what the database does in them
    databases_share = [costs.rows[place][2] for place in (0, 1, 3)]
    assert any(isinstance(cell, float) and cell > 0 for cell in databases_share)
    assert len(compared.rows) == 3 and "Aim: within 20%" in compared.notes[0]
    workers = [cell for cell in needed.column("web workers") if isinstance(cell, int)]
    assert 0 < workers[0] < workers[1] < workers[2]


def test_a_table_is_text_that_markdown_reads() -> None:
    table = Table(
        "Sizes", ("what", "MB"), (("one", 1234.5), ("another", 0.123), ("none", None)), ("A note.",)
    )
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
    size = ingest.Size(
        streams=2, direct=1, files=1, pages=3, quiet_seconds=1, settle_seconds=0.2, most_seconds=60
    )
    felt, times, costs, otherwise = ingest.measure(size)
    for phase in ("quiet", "ingesting", "quiet again"):
        assert (
            0
            < number(felt, phase, "p50")
            <= number(felt, phase, "p99")
            <= number(felt, phase, "largest")
        )
        assert number(costs, "the service together", phase) > 0
    order = [
        number(times, str(stage), "seconds after the upload began") for stage in times.column("")
    ]
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


def test_retrieval_measures_each_set_in_both_ways(tmp_path: Path) -> None:
    write_towns(tmp_path / "towns.json")
    (tmp_path / "other.json").write_text("[1]", "utf-8")
    write_excerpts(tmp_path / "excerpts", {"a": "Tom is a cat."}, {"Tom?": ("a", ["Tom"])})
    excerpts, towns = retrieval.measure(retrieval.Size(tmp_path))
    assert excerpts.title == "excerpts: 1 documents, 1 questions"
    assert number(excerpts, "share of the excerpts in five passages, %", "words only") == 100
    assert towns.title == "towns.json: 8 paragraphs, 8 questions"
    assert number(towns, "found first, %", "words only") == 100
    assert number(towns, "a search, p50, ms", "words only") > 0


def test_search_measures_bases_of_all_sizes_and_draws_them(tmp_path: Path) -> None:
    drawn = tmp_path / "search.svg"
    tables = list(search.measure(search.Size((40, 120), 3, drawn)))
    assert [table.title for table in tables] == ["English: 3 questions", "Chinese: 3 questions"]
    for table in tables:
        assert table.column("chunks") == ["40", "120"]
        assert number(table, "40", "CPU, p95, ms") >= number(table, "40", "CPU, p50, ms") > 0
        assert number(table, "40", "p95, to the first") == 1
    assert drawn.read_text("utf-8").count('class="bar ours"') == 4
    assert not list(tmp_path.glob("chatapp-bench-*"))


def test_a_grown_home_is_compared_with_smaller_ones() -> None:
    size = grown.Size(Grown(3, 60, 600, 600, 0.5), Grown(1, 30, 300, 300), 1)
    sizes, lists, searches = grown.measure(size)
    assert number(sizes, "all tables", "to the first") < 1
    assert number(sizes, "passages", "once") > 0
    assert lists.columns == ("", "empty", "1,000 messages", *lists.columns[3:])
    assert number(lists, "chats", "grown, most") > 0
    assert number(searches, "a rare word", "most, to the first") > 0
    assert {"nothing that is there", "the next files"} <= set(searches.column(""))


def test_retrieval_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    with pytest.raises(Skipped, match="BENCH_DATA"):
        list(retrieval.measure())


def test_a_name_that_is_none_is_told_which_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "speed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "ingest, memory, search, grown, retrieval" in done.stderr


def test_a_failed_check_of_the_real_server_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    def check(scene: real.Scene) -> str:
        """The model answers."""
        if scene.product is None:
            raise AssertionError("no answer")
        return "4 tokens"

    assert not real.passes(check, real.Scene(None, None))  # type: ignore[arg-type]
    assert real.passes(check, real.Scene("running", None))  # type: ignore[arg-type]
    said = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert said[:2] == [["FAILED", "The model answers."], ["AssertionError:", "no answer"]]
    assert said[2:] == [["ok", "The model answers."], ["4", "tokens"]]


@pytest.mark.server
def test_ctrl_c_ends_everything_that_was_started(tmp_path: Path) -> None:
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "bench", "memory"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as bench:
        wait_for(lambda: len(living(tmp_path)) > 2, what="a service runs")
        bench.send_signal(signal.SIGINT)
        said = bench.communicate(timeout=PATIENCE_SECONDS)
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
