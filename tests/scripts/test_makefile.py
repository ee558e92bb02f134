"""`make test` runs every test once."""

import re
import subprocess
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = re.compile(r"-m tests(?: --measure \S+)? (.+?) \|\|")


def test_every_test_is_in_one_part() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    runs = [run.split() for run in RUN.findall(shown.stdout.replace("\\\n", " "))]
    seen = Counter(file for run in runs for file in _files(run))
    assert len(runs) > 5 and seen == Counter(_below(ROOT / "tests"))


def _files(arguments: list[str]) -> set[Path]:
    """Return the test files that pytest finds for these arguments."""
    ignored = [a.partition("=")[2] for a in arguments if a.startswith("--ignore=")]
    named = [a for a in arguments if not a.startswith("-")]
    found = {file for name in named for place in ROOT.glob(name) for file in _below(place)}
    return found - {file for name in ignored for file in _below(ROOT / name)}


def _below(place: Path) -> list[Path]:
    return sorted(place.rglob("test_*.py")) if place.is_dir() else [place]
