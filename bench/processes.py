"""Processes: those of a service with their memory and CPU time, as Linux tells them, and helpers of our own that end with us."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.tables import Skipped
from tests.support.service import Service

ROOT = Path(__file__).parent.parent
PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
CPU_CLOCK = 2  # CPUCLOCK_SCHED: how clock_getcpuclockid(3) makes a clock of a process's number
MB = 1024 * 1024
END_SECONDS = 5
# What a process is, by what its command holds; the first that fits. A process that fits none is what its parent is.
KINDS = (
    ("chatapp.processes.supervisor", "keeper"),
    ("chatapp.processes.worker", "document worker"),
    ("chatapp.processes.embedder", "embedder"),
    ("chroma", "chroma"),
    ("gunicorn", "web"),
)
ARBITER = "arbiter"
WAITING = "web, waiting for a core"
REPLACED = (
    "arbiter",
    "keeper",
)  # whose dead children were processes of other kinds, so their time is not theirs


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a service."""

    pid: int
    kind: str
    leader: int  # the first process of its kind on the way down to it
    seconds: float  # of CPU, its own
    reaped: float  # of CPU, its dead children's


def require_linux() -> None:
    """Raise Skipped where there is no /proc to read."""
    if not (PROC / "self" / "smaps_rollup").exists():
        raise Skipped("This benchmark reads what Linux keeps in /proc, which is not here.")


def family(root: int) -> list[Process]:
    """Return a service's processes: the arbiter and all below it, parents before children."""
    rows = dict(_rows())
    if root not in rows:
        return []
    found = [Process(root, ARBITER, root, *rows[root][1:])]
    for above in found:
        for pid in [child for child, row in rows.items() if row[0] == above.pid]:
            kind = _kind(pid, above.kind)
            found.append(
                Process(pid, kind, above.leader if kind == above.kind else pid, *rows[pid][1:])
            )
    return found


def memory(root: int) -> dict[str, float]:
    """Return the memory of a service by kind of process: MB of PSS, in which shared pages count by share."""
    sizes: dict[str, float] = {}
    for process in family(root):
        with contextlib.suppress(OSError):  # it has just ended
            sizes[process.kind] = sizes.get(process.kind, 0.0) + pss(process.pid)
    return sizes


def pss(pid: int) -> float:
    """Return a process's proportional set size in MB."""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / MB
    return 0.0


def peak(pid: int) -> float:
    """Return the most memory that a process has held since it began or since `reset_peak`, in MB (RSS)."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / MB
    return 0.0


def reset_peak(pid: int) -> None:
    """Count the peak anew."""
    (PROC / str(pid) / "clear_refs").write_text("5")


class CpuMeter:
    """CPU seconds by kind of process. What a process used after the last look before its end is not seen."""

    def __init__(self, root: int, **others: int) -> None:
        self._root = root
        self._others = others  # kind: process
        self._seen: dict[tuple[str, int], float] = {}

    def look(self) -> dict[str, float]:
        """Return the seconds used so far; and under WAITING, how long web workers were ready to run but others had the cores."""
        now: dict[tuple[str, int], float] = {}
        for process in family(self._root):
            key = process.kind, process.leader
            reaped = 0.0 if process.kind in REPLACED else process.reaped
            now[key] = now.get(key, 0.0) + process.seconds + reaped
            if process.kind == "web" and process.pid == process.leader:
                now[WAITING, process.pid] = _waited(process.pid)
        rows = dict(_rows())
        now |= {
            (kind.replace("_", " "), pid): rows[pid][1]
            for kind, pid in self._others.items()
            if pid in rows
        }
        self._seen |= {key: max(seconds, self._seen.get(key, 0.0)) for key, seconds in now.items()}
        totals: dict[str, float] = {}
        for (kind, _), seconds in self._seen.items():
            totals[kind] = totals.get(kind, 0.0) + seconds
        return totals


@contextmanager
def service(workers: int, variables: Mapping[str, str]) -> Iterator[Service]:
    """The product as `make run` starts it, on a free port and an empty home; it ends at once, live answers or not."""
    with ExitStack() as stack:
        home = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="chatapp-bench-", ignore_cleanup_errors=True)
        )
        made = Service(Path(home), workers=workers)
        made.environ.update(variables)
        stack.push(made)
        stack.callback(_end, made)
        made.start()
        yield made


@contextmanager
def helper(
    module: str, *arguments: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A process of this package, and what it says. It leaves when its stdin ends, so also when we are killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for us, who end it
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _end(running: Service) -> None:
    """End a service, and see that what it had started is gone too: that leaves by itself, a moment later."""
    left = [process.pid for process in family(running.process.pid)] if running.process else []
    running.end(signal.SIGINT)  # SIGTERM would let answers end first
    deadline = time.monotonic() + END_SECONDS
    while (
        left := [pid for pid in left if _serves(pid, running.home)]
    ) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _serves(pid: int, home: Path) -> bool:
    """Say whether a process runs and belongs to a home folder: numbers of processes are used again."""
    try:
        return f"CHATAPP_HOME={home}\0".encode() in (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False


def _rows() -> Iterator[tuple[int, tuple[int, float, float]]]:
    """Yield (pid, (parent, own CPU seconds, those of dead children)) of every process."""
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        own, reaped = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
        pid = int(stat.parent.name)
        yield pid, (int(fields[1]), _precise(pid, own / TICKS), reaped / TICKS)


def _precise(pid: int, ticks: float) -> float:
    """Return a process's CPU seconds by its own clock, to the nanosecond, or those counted in ticks where it has just ended."""
    try:
        return time.clock_gettime(~pid << 3 | CPU_CLOCK)
    except OSError:
        return ticks


def _waited(pid: int) -> float:
    """Return the seconds a process's main thread has waited for a core; 0 where the kernel does not count them."""
    try:
        return int((PROC / str(pid) / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _kind(pid: int, parent: str) -> str:
    try:
        command = (
            (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return parent
    return next((kind for sign, kind in KINDS if sign in command), parent)
