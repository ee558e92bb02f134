"""The document worker as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.service import ROOT


@contextmanager
def worker(home: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker that leads a process group, as under the supervisor; kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chatapp.processes.worker"],
        cwd=ROOT,
        env={**os.environ, "CHATAPP_HOME": str(home), "CHATAPP_EMBEDDER": "off"} | settings,
        process_group=0,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
