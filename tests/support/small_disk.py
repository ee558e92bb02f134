"""A small disk of its own for a folder, and filling it; needs root."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MB = 1024 * 1024


def _can_mount() -> bool:
    """Return whether this process may mount, in a container for instance."""
    if os.geteuid() != 0:
        return False
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


NEEDS_MOUNT = pytest.mark.skipif(not _can_mount(), reason="this process may not mount disks")


@contextmanager
def small_disk(folder: Path, megabytes: int, *options: str) -> Iterator[Path]:
    """Mount a disk of this size on a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = ",".join([f"size={megabytes}m", "mode=700", *options])
    subprocess.run(["mount", "-t", "tmpfs", "-o", wanted, "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Fill a disk to its last byte with a file of this folder, and return the file."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as file:
        while True:
            file.write(b"\0" * MB)
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 512)
    return filler
