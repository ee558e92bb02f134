"""Poll /healthz from a process of its own; print how long each reply took, and why.

    python -m tests.faults.pulse URL-PORT ARBITER-PID

A line holds: start (monotonic), seconds taken, and seconds of those that the worker or this process
waited for a core (/proc/PID/schedstat). The difference is the service's own time, also on a busy
machine.
"""

import contextlib
import http.client
import sys
import time
from pathlib import Path

EVERY_SECONDS = 0.05
LOOK_SECONDS = 0.5


def waited(pid: str) -> float:
    """Return the seconds a process's threads waited for a core (the GIL's holder delays all)."""
    seconds = 0.0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            seconds += int(thread.read_text().split()[1]) / 1e9
    return seconds


def children(parent: int) -> list[int]:
    """Return the child processes."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


def ask(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read() != b""
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    """Poll until stdout closes."""
    port, arbiter = int(sys.argv[1]), int(sys.argv[2])
    workers, looked = children(arbiter), time.monotonic()
    while True:
        if time.monotonic() - looked > LOOK_SECONDS:
            workers, looked = children(arbiter), time.monotonic()
        before = {pid: waited(pid) for pid in map(str, (*workers, "self"))}
        began = time.monotonic()
        answered = ask(port)
        took = time.monotonic() - began
        held_up = sum((max(0.0, waited(pid) - since) for pid, since in before.items()), start=0.0)
        print(f"{began:.4f} {took:.4f} {held_up:.4f} {int(answered)}", flush=True)
        time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
