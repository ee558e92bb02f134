"""The counts of all processes of a home: each keeps a file, anyone sums them.

A process locks its file while it lives, so files of dead processes are known however they ended;
their counts move to `ended.json`, which names whose they are: a process that is killed meanwhile
makes nothing count twice. Reading takes no lock. On a disk that takes no writes, only the process
that is asked counts.
"""

import fcntl
import json
import os
import secrets
import time
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from chatapp.metrics.counting import MINUTES, Counts
from chatapp.metrics.figures import records

PUBLISH_SECONDS = 1
SWEEP_SECONDS = 60
FOLDER, ENDED, LOCK = "metrics", "ended.json", "lock"
MOST_MERGED = 100  # names kept after their files are gone
READS = 3  # of a file that is being written


class Published:
    """The counts of this process, and those of all."""

    def __init__(self, home: Path, gauges: Callable[[], Mapping[str, float]]) -> None:
        self._folder = home / FOLDER
        self._gauges = gauges
        self._counts = Counts()
        self._file: int | None = None
        self._release: Callable[[], object] = bool  # the file, at the latest with this object
        self._name = ""
        self._written = b""

    def publish(self) -> None:
        """Count what was recorded, and write the file if anything has changed."""
        minute = _minute()
        waiting = [records.popleft() for _ in range(len(records))]
        self._counts.count(waiting, minute)
        self._counts.set_gauges(self._gauges(), minute)
        self._counts.forget_before(minute - MINUTES)
        text = json.dumps(self._counts.to_json(), separators=(",", ":")).encode()
        if text != self._written:
            with suppress(OSError):
                self._write(text)
                self._written = text

    def all(self) -> Counts:
        """Return the counts of all processes of this home, also of those that have ended."""
        self.publish()
        found = {name: self._read(name) for name in self._others()}
        ended, merged = self._read_ended()  # after the others: what has just been merged is in it
        total = Counts()
        total.add(ended)
        total.add(self._counts)
        for name, counts in found.items():
            if name not in merged:
                total.add(counts)
        total.forget_before(_minute() - MINUTES)
        return total

    def sweep(self) -> None:
        """Merge the files of processes that have ended, and remove them."""
        with suppress(OSError), self._merging() as may:
            if not may:
                return
            ended, merged = self._read_ended()
            ended.forget_before(_minute() - MINUTES)
            gone = [name for name in self._others() if not self._is_alive(name)]
            if not gone:
                return
            for name in gone:
                if name not in merged:
                    ended.add(self._read(name))
            self._write_ended(ended, [*merged, *gone][-MOST_MERGED:])
            for name in gone:
                (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Publish for the last time and release the file."""
        self.publish()
        self._release()
        self._file = None

    def _write(self, text: bytes) -> None:
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._name = f"{os.getpid()}-{secrets.token_hex(4)}.json"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            self._file = os.open(self._folder / self._name, flags, 0o600)
            self._release = weakref.finalize(self, os.close, self._file)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        frame = b"%08x\n%s" % (zlib.crc32(text), text)
        os.pwrite(self._file, frame, 0)
        os.ftruncate(self._file, len(frame))

    def _others(self) -> list[str]:
        with suppress(OSError):
            return sorted(
                file.name
                for file in self._folder.iterdir()
                if file.suffix == ".json" and file.name not in (ENDED, self._name)
            )
        return []

    def _read(self, name: str) -> Counts:
        """Return the counts in a file, of a process that has ended without its gauges."""
        counts = _read(self._folder / name)
        if not self._is_alive(name):
            counts.gauges.clear()
        return counts

    def _is_alive(self, name: str) -> bool:
        try:
            with open(self._folder / name, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                # Between the creation of a file and its lock, it is empty.
                return os.fstat(file.fileno()).st_size == 0
        except BlockingIOError:
            return True
        except OSError:
            return False

    @contextmanager
    def _merging(self) -> Iterator[bool]:
        """Hold the lock for merging; give whether it was free."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._folder / LOCK, "a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _read_ended(self) -> tuple[Counts, list[str]]:
        with suppress(OSError, ValueError, KeyError):
            found = json.loads((self._folder / ENDED).read_bytes())
            return Counts.from_json(found), found["merged"]
        return Counts(), []

    def _write_ended(self, ended: Counts, merged: list[str]) -> None:
        new = self._folder / f"{ENDED}.new"
        new.write_text(json.dumps(ended.to_json() | {"merged": merged}), "utf-8")
        os.replace(new, self._folder / ENDED)


def _read(file: Path) -> Counts:
    """Return the counts in a file; none if it is empty, damaged or gone."""
    for _ in range(READS):
        with suppress(OSError, ValueError, KeyError):
            check, _, text = file.read_bytes().partition(b"\n")
            if int(check, 16) == zlib.crc32(text):
                return Counts.from_json(json.loads(text))
    return Counts()


def _minute() -> int:
    return int(time.time() // 60)
