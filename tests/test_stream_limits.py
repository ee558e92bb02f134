"""Streams and other requests allowed under real limits of open files."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import PATIENCE_SECONDS

ROOT = Path(__file__).parent.parent
SCRIPT = """
import resource, sys
from chatapp.open_files import other_requests_allowed, raise_file_limit, streams_allowed
soft, hard, streams = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
raise_file_limit(streams)
print(streams_allowed(streams), other_requests_allowed(streams))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "streams", "expected"),
    [
        (1024, 16384, 2000, (2000, 200)),  # a usual machine: the limit is raised
        (8192, 16384, 2000, (2000, 200)),
        (256, 256, 2000, (64, 64)),
        (1024, 1024, 2000, (384, 128)),
        (1024, 1024, 3, (3, 200)),
    ],
)
def test_streams_and_other_requests_share_the_open_files(
    soft: int, hard: int, streams: int, expected: tuple[int, int]
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(soft), str(hard), str(streams)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )
    assert tuple(map(int, done.stdout.split())) == expected
