"""Compare a folder with the files of a knowledge base: what to upload, replace and remove.

Files are identified by content and name; a name has no folders. Sends nothing.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chatapp.knowledge.formats.refused import refused_type
from chatapp.knowledge.formats.source import HEAD_BYTES
from chatapp.knowledge.names import decoded, file_name

PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Local:
    """A file of the folder; `place` is its path in the folder, for people."""

    path: Path
    place: str
    md5: str
    size: int

    @property
    def name(self) -> str:
        """The name in the knowledge base."""
        return file_name(self.path.name)


@dataclass(slots=True)
class Plan:
    """The changes that make a base match a folder.

    `change` pairs a file with the row it replaces; `skipped` and `unreadable` pair a place with the
    reason.
    """

    upload: list[Local] = field(default_factory=list)
    change: list[tuple[Local, dict[str, Any]]] = field(default_factory=list)
    remove: list[dict[str, Any]] = field(default_factory=list)
    keep: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def make_plan(folder: Path, there: Sequence[Mapping[str, Any]]) -> Plan:
    """Compare a folder with the files of a base (`id name md5`)."""
    plan = Plan()
    here = list(_read(folder, plan))
    names: dict[str, set[str]] = {}
    for file in here:
        names.setdefault(file.md5, set()).add(file.name)
    for row in there:
        known = file_name(row["name"]) in names.get(row["md5"], ())
        (plan.keep if known else plan.remove).append(dict(row))
    kept = {row["md5"] for row in plan.keep}
    for file in here:
        if file.md5 in kept:  # files with the same bytes are one file in a base
            continue
        kept.add(file.md5)
        old = next((row for row in plan.remove if file_name(row["name"]) == file.name), None)
        if old is None:
            plan.upload.append(file)
        else:
            plan.change.append((file, old))
            plan.remove.remove(old)
    return plan


def without_removing(plan: Plan) -> Plan:
    """Return a plan that removes nothing: changed files are added beside their old versions."""
    return replace(
        plan, upload=[*plan.upload, *(file for file, _ in plan.change)], change=[], remove=[]
    )


def _read(folder: Path, plan: Plan) -> Iterator[Local]:
    """Yield the files of a folder and its subfolders by name, without hidden files and links."""

    def unreadable(fault: OSError) -> None:
        plan.unreadable.append((_place(folder, Path(str(fault.filename))), fault.strerror or ""))

    for place, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if name.startswith(".") or name.startswith("~$"):  # the second: lock files of Office
                continue
            try:
                if stat.S_ISREG(path.lstat().st_mode):
                    yield from _examine(folder, path, plan)
            except OSError as fault:
                plan.unreadable.append((_place(folder, path), fault.strerror or ""))


def _examine(folder: Path, path: Path, plan: Plan) -> Iterator[Local]:
    md5 = hashlib.md5(usedforsecurity=False)
    size = 0
    with open(path, "rb") as opened:
        head = opened.read(HEAD_BYTES)
        if kind := "empty" if not head else refused_type(head):
            plan.skipped.append((_place(folder, path), kind))
            return
        piece = head
        while piece:
            md5.update(piece)
            size += len(piece)
            piece = opened.read(PIECE_BYTES)
    yield Local(path, _place(folder, path), md5.hexdigest(), size)


def _place(folder: Path, path: Path) -> str:
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    return str(Path(*map(decoded, shown.parts)))
