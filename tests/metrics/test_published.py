"""The counts of several processes: summed, kept when one ends, and readable by Prometheus."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chatapp.child import die_with_parent
from chatapp.metrics import figures
from chatapp.metrics.counting import WIDTH, Counts
from chatapp.metrics.exposition import written
from chatapp.metrics.published import ENDED, FOLDER, Published

ROOT = Path(__file__).parents[2]
OTHER = """
import sys, time
from pathlib import Path
from chatapp.metrics import figures
from chatapp.metrics.published import Published
published = Published(Path(sys.argv[1]), lambda: {figures.LIVE_ANSWERS.name: 2})
for _ in range(int(sys.argv[2])):
    figures.ANSWERS.record(1, "complete")
    figures.FIRST_TOKEN.record(0.2)
published.publish()
print("published", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Published]:
    figures.records.clear()
    published = Published(tmp_path, lambda: {figures.LIVE_ANSWERS.name: 1})
    yield published
    published.close()


def other(home: Path, answers: int) -> subprocess.Popen[str]:
    """Start a process that has counted so many answers."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(home), str(answers)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL),
    )
    assert process.stdout is not None and process.stdout.readline() == "published\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def samples(counts: Counts) -> dict[str, float]:
    """Return what Prometheus reads."""
    return {
        f"{sample.name}{sample.labels or ''}": sample.value
        for family in text_string_to_metric_families(written(counts))
        for sample in family.samples
    }


COMPLETE = f"{figures.ANSWERS.name}{{'state': 'complete'}}"


def test_processes_are_summed_and_one_that_was_killed_still_counts(
    tmp_path: Path, mine: Published
) -> None:
    figures.ANSWERS.record(1, "complete")
    first, second = other(tmp_path, 3), other(tmp_path, 4)
    found = samples(mine.all())
    assert found[COMPLETE] == 8
    assert found["chatapp_live_answers"] == 5
    kill(first)
    found = samples(mine.all())
    assert (found[COMPLETE], found["chatapp_live_answers"]) == (8, 3)
    mine.sweep()
    assert len(list((tmp_path / FOLDER).glob("[0-9]*.json"))) == 2
    found = samples(mine.all())
    assert (found[COMPLETE], found["chatapp_live_answers"]) == (8, 3)
    assert found["chatapp_first_token_seconds_count"] == 7
    kill(second)
    mine.sweep()
    assert samples(mine.all())[COMPLETE] == 8


def test_a_process_that_is_killed_while_it_merges_counts_nothing_twice(
    tmp_path: Path, mine: Published
) -> None:
    first = other(tmp_path, 3)
    mine.all()
    kill(first)
    [file] = (tmp_path / FOLDER).glob(f"{first.pid}-*.json")
    kept = file.read_bytes()
    mine.sweep()
    assert not file.exists()
    file.write_bytes(kept)  # as if it had not been removed yet
    assert samples(mine.all())[COMPLETE] == 3
    mine.sweep()
    assert not file.exists()
    assert samples(mine.all())[COMPLETE] == 3


def test_damaged_files_are_left_out(tmp_path: Path, mine: Published) -> None:
    figures.ANSWERS.record(1, "complete")
    mine.publish()
    (tmp_path / FOLDER / "1-00000000.json").write_bytes(b"00000000\n{}")
    (tmp_path / FOLDER / ENDED).write_text("{")
    assert samples(mine.all())[COMPLETE] == 1
    mine.sweep()
    assert samples(mine.all())[COMPLETE] == 1


def test_a_disk_that_takes_no_writes_costs_no_figures(tmp_path: Path) -> None:
    figures.records.clear()
    (tmp_path / FOLDER).write_text("not a folder")
    published = Published(tmp_path, dict)
    figures.ANSWERS.record(1, "complete")
    published.publish()
    published.sweep()
    assert samples(published.all())[COMPLETE] == 1


def test_rows_of_another_version_are_left_out(tmp_path: Path, mine: Published) -> None:
    theirs = Counts(minutes={1: [1.0] * (WIDTH + 1), 2: [1.0] * WIDTH})
    total = Counts()
    total.add(theirs)
    total.add(theirs)
    assert total.minutes == {2: [2.0] * WIDTH}


def test_buckets_are_cumulative_and_complete() -> None:
    counts = Counts()
    counts.count([(figures.DATABASE_WAIT, ("read",), value) for value in (0.001, 0.3, 9)], 1)
    families = {each.name: each for each in text_string_to_metric_families(written(counts))}
    family = families[figures.DATABASE_WAIT.name]
    buckets = [each.value for each in family.samples if each.name.endswith("_bucket")]
    assert buckets == [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert family.type == "histogram"
    assert json.loads(json.dumps(counts.to_json()))["samples"]
