"""Whether text can be recognised here: the switch, the models, and the memory of this machine."""

from contextlib import suppress
from pathlib import Path

from chatapp.home import RECOGNITION_FOLDER
from chatapp.settings import MB, Settings

NEEDED_BYTES = 600 * MB
_CGROUPS = Path("/sys/fs/cgroup")


def why_not(settings: Settings, folder: Path = RECOGNITION_FOLDER) -> str | None:
    """Return why no text can be recognised, as the end of an error's key; None where it can."""
    if not settings.ocr:
        return "recognition_off"
    if not (folder / "model.json").is_file():
        return "recognition_missing"
    if total_bytes() < NEEDED_BYTES:
        return "recognition_memory"
    return None


def total_bytes() -> int:
    """Return the memory of this machine, or of this container."""
    return min(_machine("MemTotal"), _container()[0])


def free_bytes() -> int:
    """Return the memory that is available now, including what the system would give back."""
    limit, used = _container()
    return min(_machine("MemAvailable"), limit - used)


def _machine(name: str) -> int:
    """Return a value of /proc/meminfo; where there is none, enough."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 1 << 62


def _container() -> tuple[int, int]:
    """Return the limit and the use of this process's control group (version 2)."""
    with suppress(OSError, ValueError, IndexError):
        own = Path("/proc/self/cgroup").read_text("utf-8").strip().rpartition("::/")[2]
        folder = _CGROUPS / own if (_CGROUPS / own / "memory.max").is_file() else _CGROUPS
        limit = int((folder / "memory.max").read_text("ascii"))  # "max" where there is none
        used = int((folder / "memory.current").read_text("ascii"))
        pairs = (row.split() for row in (folder / "memory.stat").read_text("ascii").splitlines())
        cached = next(int(value) for name, value in pairs if name == "inactive_file")
        return limit, used - cached
    return 1 << 62, 0
