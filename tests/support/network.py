"""A small network of its own: hosts in network namespaces that can be cut off from each other."""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

NETWORK = "10.66.0"
CLONE_NEWNET = 0x40000000  # linux/sched.h
NOBODY = "02:00:00:00:00:01"  # the hardware address of no host
THREADS = 12  # calls on one host at the same time
P, T = ParamSpec("P"), TypeVar("T")
_numbers = count()


def _can_make_networks() -> bool:
    """Return whether this process may make namespaces."""
    with contextlib.suppress(OSError):
        command = ["unshare", "-n", "ip", "link", "add", "name", "a", "type", "bridge"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


NEEDS_NETWORKS = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not _can_make_networks(),
    reason="this process may not make networks",
)


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)


class Host:
    """A network namespace with one address; calls and processes run in it."""

    def __init__(self, switch: str, name: str, number: int) -> None:
        self.address = f"{NETWORK}.{number}"
        self._name = f"{switch}-{name}"
        ip("netns", "add", self._name)
        port = f"port{number}"
        ip("-n", switch, "link", "add", port, "type", "veth", "peer", "eth0", "netns", self._name)
        ip("-n", switch, "link", "set", port, "master", "bridge", "up")
        ip("-n", self._name, "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", self._name, "link", "set", device, "up")
        # Processes end with the thread that started them, so the threads stay.
        self._threads = ThreadPoolExecutor(THREADS, initializer=self._enter)

    def begin(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> "Future[T]":
        """Call something in this host."""
        return self._threads.submit(call, *arguments, **options)

    def run(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Call something in this host, and wait for its result."""
        return self.begin(call, *arguments, **options).result()

    @contextmanager
    def using(self, context: contextlib.AbstractContextManager[T]) -> Iterator[T]:
        """Enter and leave a context in this host."""
        made = self.run(context.__enter__)
        try:
            yield made
        finally:
            self.run(context.__exit__, None, None, None)

    @contextmanager
    def cut_off(self, other: "Host") -> Iterator[None]:
        """Lose all packets between two hosts, without a word to either."""
        pair = ((self, other), (other, self))
        for one, another in pair:
            found = (another.address, "lladdr", NOBODY, "nud", "permanent", "dev", "eth0")
            ip("-n", one._name, "neighbour", "replace", *found)
        try:
            yield
        finally:
            for one, another in pair:
                ip("-n", one._name, "neighbour", "del", another.address, "dev", "eth0")

    def close(self) -> None:
        self._threads.shutdown()
        ip("netns", "del", self._name)

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(Path("/run/netns") / self._name) as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def network(*names: str) -> Iterator[list[Host]]:
    """Make hosts on one switch."""
    switch = f"chatapp-{os.getpid()}-{next(_numbers)}"
    with contextlib.ExitStack() as made:
        ip("netns", "add", switch)
        made.callback(ip, "netns", "del", switch)
        ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", switch, "link", "set", "bridge", "up")
        hosts = []
        for number, name in enumerate(names, 1):
            hosts.append(Host(switch, name, number))
            made.callback(hosts[-1].close)
        yield hosts
