"""Child processes: ending with the parent, limits, free ports, commands of Chroma and the embedder.

Standard library only.
"""

import ctypes
import errno
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

START_SECONDS = 20
GRACE_SECONDS = 2  # between SIGTERM and SIGKILL
LOOPBACK = "127.0.0.1"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
# Loaded now: in a new child, the loader may be locked for ever by a thread that its parent had.
_LIBC = ctypes.CDLL(None)
# Only the server: the Python package around it costs 70 MB and 0.7 s.
RUN_CHROMA = (
    "import sys; from chromadb_rust_bindings import cli; cli(['chroma', 'run', *sys.argv[1:]])"
)


class OwnHelper:
    """Starts a helper on first use, and again if it has ended.

    `command` returns the command line for a host and port.
    """

    def __init__(self, command: Callable[[str, int], Sequence[str]]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def address(self) -> str | None:
        """Return host:port, starting the helper if needed; None if it does not start."""
        if not self._runs():
            self._start()
        return f"{LOOPBACK}:{self._port}" if self._runs() else None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        self._port = free_port()
        self._process = subprocess.Popen(
            self._command(LOOPBACK, self._port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parent.parent,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        )
        deadline = time.monotonic() + START_SECONDS
        while self._runs() and time.monotonic() < deadline:
            try:
                socket.create_connection((LOOPBACK, self._port), 1).close()
                return
            except OSError:
                time.sleep(0.05)


def chroma_command(folder: Path, host: str, port: int) -> tuple[str, ...]:
    """Return the command that runs Chroma's server on a folder."""
    arguments = ("--path", str(folder), "--host", host, "--port", str(port))
    return (sys.executable, "-c", RUN_CHROMA, *arguments)


def embedder_command(host: str, port: int) -> tuple[str, ...]:
    """Return the command that runs the built-in embedder."""
    return (sys.executable, "-m", "chatapp.processes.embedder", f"{host}:{port}")


def die_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends (Linux only)."""
    _prctl(PR_SET_PDEATHSIG, number)


def limit(parent: int, cpu_seconds: int, memory_bytes: int, file_bytes: int) -> None:
    """Limit this process before it opens a foreign file, and let it end with its parent."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it ended before this call
        os.kill(os.getpid(), signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    if sys.platform == "linux":  # macOS refuses this limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent has ended (Linux only)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        _LIBC.prctl(option, value, 0, 0, 0)


def deny_network() -> None:
    """Deny this process and its children all sockets but local ones (Linux on x86-64 and ARM64).

    A filter of system calls needs no rights and holds in containers too.
    """
    known = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}.get(os.uname().machine)
    if sys.platform != "linux" or known is None:
        return
    architecture, socket_call = known
    load, equal, give = 0x20, 0x15, 0x06  # linux/bpf_common.h
    allow, deny = 0x7FFF0000, 0x00050000 | errno.EACCES  # linux/seccomp.h
    steps = (
        (load, 0, 0, 4),  # the architecture
        (equal, 0, 4, architecture),
        (load, 0, 0, 0),  # the number of the call
        (equal, 0, 3, socket_call),
        (load, 0, 0, 16),  # its first argument
        (equal, 1, 0, int(socket.AF_UNIX)),
        (give, 0, 0, deny),
        (give, 0, 0, allow),
    )
    program = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    head = struct.pack("@HP", len(steps), ctypes.addressof(program))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0)


def is_running(pid: int) -> bool:
    """Return whether a process of this machine exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def free_port() -> int:
    """Return a port that is free now.

    If another program takes it first, the helper ends and is started again on another port.
    """
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
