"""How large files and folders are, and how that is shown."""

import os
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR

from chatapp.settings import MB


def size_of(path: Path) -> int:
    """Return the size of a file, or of all files below a folder; 0 if there is none."""
    try:
        status = path.lstat()
    except OSError:
        return 0
    if not S_ISDIR(status.st_mode):
        return status.st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # deleted meanwhile
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def shown(size: int) -> str:
    """Return a size for people."""
    return f"{size / MB:,.1f} MB" if size < 1024 * MB else f"{size / MB / 1024:,.2f} GB"
