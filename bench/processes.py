"""Memory and CPU time of a service's processes (Linux), and processes of the benchmarks."""

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
from tests.support.service import APP, Service

ROOT = Path(__file__).parent.parent
PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
CPU_CLOCK = 2  # CPUCLOCK_SCHED, see clock_getcpuclockid(3)
MB = 1024 * 1024
END_SECONDS = 5
# Kinds by a part of the command line, the first match; without one it is the parent's kind.
KINDS = (
    ("app.py", "supervisor"),
    ("chatapp.processes.supervisor", "supervisor"),
    ("chatapp.processes.worker", "document worker"),
    ("chatapp.processes.embedder", "embedder"),
    ("chroma", "chroma"),
    ("gunicorn", "web"),
)
ARBITER = "arbiter"
WAITING = "web, waiting for a core"
# Their dead children were processes of other kinds, whose time must not be added.
REPLACED = ("arbiter", "supervisor")


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
        raise Skipped("This benchmark needs the /proc of Linux.")


def family(root: int) -> list[Process]:
    """Return a service's processes: the first and all below it, parents before children."""
    rows = dict(_rows())
    if root not in rows:
        return []
    found = [Process(root, _kind(root, ""), root, *rows[root][1:])]
    for above in found:
        for pid in [child for child, row in rows.items() if row[0] == above.pid]:
            kind = _kind(pid, above.kind)
            found.append(
                Process(pid, kind, above.leader if kind == above.kind else pid, *rows[pid][1:])
            )
    return found


def memory(root: int) -> dict[str, float]:
    """Return the memory of a service by kind of process: MB of PSS."""
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
    """Return the most memory of a process since its start or `reset_peak`: MB of RSS."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / MB
    return 0.0


def reset_peak(pid: int) -> None:
    """Reset the peak."""
    (PROC / str(pid) / "clear_refs").write_text("5")


class CpuMeter:
    """CPU seconds by kind of process; time after the last `read` of a process is lost."""

    def __init__(self, root: int, **others: int) -> None:
        self._root = root
        self._others = others  # kind: process
        self._seen: dict[tuple[str, int], float] = {}

    def read(self) -> dict[str, float]:
        """Return the seconds used so far; under WAITING, how long web workers waited for a core."""
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
    """Run the product as `make run` does, on a free port and an empty home."""
    with ExitStack() as stack:
        home = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="chatapp-bench-", ignore_cleanup_errors=True)
        )
        made = Service(Path(home), workers=workers, command=APP)
        made.environ.update(variables)
        stack.push(made)
        stack.callback(_end, made)
        made.start()
        yield made


@contextmanager
def helper(
    module: str, *arguments: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run a module of this package; yield process and output. It ends with its stdin."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches this process alone
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
    """End a service, and kill what is left of it."""
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
    """Return whether a process runs and belongs to a home folder: ids are reused."""
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
    """Return a process's CPU seconds by its own clock; those in ticks if it has just ended."""
    try:
        return time.clock_gettime(~pid << 3 | CPU_CLOCK)
    except OSError:
        return ticks


def _waited(pid: int) -> float:
    """Return how long a main thread has waited for a core; 0 if the kernel does not count."""
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
    kind = next((kind for sign, kind in KINDS if sign in command), parent or ARBITER)
    return ARBITER if kind == "web" and parent in ("", "supervisor") else kind
