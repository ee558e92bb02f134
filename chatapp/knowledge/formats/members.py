"""Files within a file: what an archive holds, what is attached to a mail.

A member is read by the same table of formats, in a process of its own: one that hangs, crashes or
needs too much memory costs itself and not the file. It becomes a section of the file's document
under the member's name. All limits are those of the whole file, at every depth.
"""

import json
import os
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath

from chatapp.child import die_with_parent
from chatapp.core.text import normalise
from chatapp.core.unseen import visible
from chatapp.knowledge.formats.document import (
    MAX_HEADING_CHARACTERS,
    Builder,
    Document,
    LeftOut,
    Unreadable,
    unreadable,
)

MAX_DEPTH = 5  # files within files
MAX_MEMBERS = 5_000  # of a file, at all depths
MAX_MEMBER_BYTES = 256 * 1024 * 1024
MAX_TOTAL_BYTES = 1024 * 1024 * 1024
READING_SHARE = 0.7  # of the time allowed for the file; then the rest is left out
MEMBER_SHARE = 0.5  # of what remains of that, for one member
UNLIMITED_SECONDS = 3600
LIMIT_SIGNALS = (signal.SIGALRM, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGABRT, signal.SIGKILL)
# Readers are imported when they are needed, by each fork again: 40 ms of CPU a member, else 8.
FEW = 5  # members, from which on the common ones are imported once
_READERS = (
    "cards", "code", "csv_file", "docx", "html", "json_file", "mail", "markdown", "pdf", "plain",
    "xlsx",
)  # fmt: skip
# What systems add to archives unasked.
_UNASKED = frozenset((".ds_store", "thumbs.db", "desktop.ini", "__macosx"))


@dataclass
class _Spent:
    """What a file's members have used of their limits."""

    members: int = 0
    size: int = 0

    def count(self) -> None:
        """Count a member; raise Unreadable where there are too many."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise Unreadable("too_many")

    def write(self, content: Iterable[bytes], path: Path) -> None:
        """Write a member's content to a file; raise Unreadable where it is too much."""
        written = 0
        with open(path, "wb") as file:
            for block in content:
                written += len(block)
                self.size += len(block)
                if written > MAX_MEMBER_BYTES or self.size > MAX_TOTAL_BYTES:
                    raise Unreadable("bomb")
                file.write(block)


class Members:
    """Reads the members of a file; `read` reads any file, given its path, its name and these
    limits for files within it."""

    def __init__(self, read: Callable[[Path, str, "Members"], Document]) -> None:
        self._read = read
        self._depth = 0
        self._spent = _Spent()
        self._ends = time.monotonic() + READING_SHARE * _allowed_seconds()

    def add(self, builder: Builder, level: int, name: str, content: Iterable[bytes]) -> None:
        """Add a member to the document of its file, or to what the document has left out.

        `content` yields its bytes, and raises Unreadable where it cannot.
        """
        name = shown_name(name)
        try:
            builder.include(level, name, self.document(name, content))
        except Unreadable as fault:
            builder.skips.leave_out(LeftOut(name, fault.reason))

    def document(self, name: str, content: Iterable[bytes]) -> Document:
        """Read a member; raise Unreadable where that fails or a limit is reached."""
        self._spent.count()
        if self._spent.members == FEW:
            for reader in _READERS:
                import_module(f"{__package__}.{reader}")
        if self._depth >= MAX_DEPTH:
            raise Unreadable("nested")
        seconds = MEMBER_SHARE * (self._ends - time.monotonic())
        if seconds <= 0:
            raise Unreadable("limits")
        with tempfile.TemporaryDirectory(prefix="member-") as folder:
            path = Path(folder, "content")
            self._spent.write(content, path)
            return self._read_apart(path, PurePosixPath(name).name, seconds)

    def _read_apart(self, path: Path, name: str, seconds: float) -> Document:
        """Read a member in a fork of this process; raise Unreadable where it fails or ends."""
        outcome = path.with_name("outcome")
        parent, child = os.getpid(), os.fork()
        if not child:
            status = 1
            try:
                die_with_parent(signal.SIGKILL)
                signal.alarm(max(1, int(seconds)))
                if os.getppid() == parent:
                    outcome.write_text(self._outcome(path, name), encoding="utf-8")
                    status = 0
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            raise Unreadable("limits" if status > 0 or -status in LIMIT_SIGNALS else "damaged")
        loaded = json.loads(outcome.read_text(encoding="utf-8"))
        self._spent = _Spent(*loaded["spent"])
        if "reason" in loaded:
            raise Unreadable(loaded["reason"])
        document = Document.from_json(loaded["document"])
        if not document.text:  # pages of a member are not recognised
            is_picture = document.media_type.startswith("image/")
            raise Unreadable("picture" if is_picture else "no_text")
        return document

    def _outcome(self, path: Path, name: str) -> str:
        self._depth += 1
        made: dict[str, object]
        try:
            made = {"document": self._read(path, name, self).to_json()}
        except Exception as fault:
            reason = unreadable(fault).reason
            if reason == "damaged":
                traceback.print_exc(limit=-3)
            made = {"reason": reason}
        made["spent"] = [self._spent.members, self._spent.size]
        return json.dumps(made, ensure_ascii=False)


def shown_name(name: str) -> str:
    """Return a member's path as it is shown: it never becomes a path of this machine."""
    parts = " ".join(visible(normalise(name)).split()).replace("\\", "/").split("/")
    kept = [part for part in parts if part.strip(". ") and not part.endswith(":")]
    return "/".join(kept)[-MAX_HEADING_CHARACTERS:] or "file"


def is_unasked(name: str) -> bool:
    """Return whether a member is no content but what a system has added to an archive."""
    parts = name.replace("\\", "/").lower().split("/")
    return parts[-1].startswith("._") or any(part in _UNASKED for part in parts)


def _allowed_seconds() -> int:
    """Return the time that this process may take in all."""
    soft = resource.getrlimit(resource.RLIMIT_CPU)[0]
    return UNLIMITED_SECONDS if soft == resource.RLIM_INFINITY else soft
