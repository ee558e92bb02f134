"""The file of a backup: a tar file that proves that it is whole.

Its members, all of them regular files, in this order:

chatapp-backup.json      the version of this format and of the program
originals/…, images/…    uploaded files and pictures; secret.key; at last the database
manifest.json            size and SHA-256 of each member, and what the database is
sha256                   the SHA-256, in hexadecimal, of all bytes before the header of this member

So the last 2 KB speak for every byte before them, headers and padding too, and an archive that was
cut short has no such end. The manifest tells which member is damaged. `tar -xf` reads the file.
"""

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from chatapp.backups.faults import BackupFault

FORMAT = 1
HEAD, MANIFEST, SEAL = "chatapp-backup.json", "manifest.json", "sha256"
DATABASES = {"sqlite": "chatapp.db", "postgresql": "postgresql.dump"}
SECRET, ORIGINALS, IMAGES = "secret.key", "originals", "images"
BLOCK = tarfile.BLOCKSIZE
SHA256_DIGITS = 64
SEAL_BYTES = 4 * BLOCK  # header, content, and the two empty blocks that end a tar file
PIECE_BYTES = 1024 * 1024
MOST_JSON_BYTES = 1024 * 1024 * 1024
_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What may be extracted: a name is a path, and never leads out of the folder.
_CONTENT = re.compile(
    rf"chatapp\.db|postgresql\.dump|secret\.key|originals/[0-9a-f]{{2}}/[0-9a-f]{{64}}"
    rf"|images/[0-9a-f]{{2}}/{_ID}"
)


@dataclass(slots=True)
class Manifest:
    """What an archive contains. `missing` are files that the home had lost or damaged before."""

    database: str  # "sqlite" or "postgresql"
    revision: str  # of the database's schema
    created_at: str
    members: dict[str, tuple[int, str]] = field(default_factory=dict)  # size and SHA-256
    missing: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The size of all members."""
        return sum(size for size, _ in self.members.values())


class Writer:
    """Writes an archive, from its first member to its seal."""

    def __init__(self, file: IO[bytes], version: str) -> None:
        self._file = file
        self._seal = hashlib.sha256()
        self.members: dict[str, tuple[int, str]] = {}
        self._add_json(HEAD, {"format": FORMAT, "version": version})

    def add(self, name: str, source: IO[bytes]) -> str:
        """Add an open file as it is now; return its SHA-256."""
        size = os.fstat(source.fileno()).st_size
        self._write(_header(name, size))
        digest, left = hashlib.sha256(), size
        while left and (piece := source.read(min(left, PIECE_BYTES))):
            digest.update(piece)
            self._write(piece)
            left -= len(piece)
        if left:
            raise BackupFault("changed", name=name)
        self._write(bytes(-size % BLOCK))
        self.members[name] = size, digest.hexdigest()
        return digest.hexdigest()

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest and the end."""
        manifest.members = self.members
        self._add_json(MANIFEST, asdict(manifest))
        self._file.write(_seal(self._seal.hexdigest()))

    def _add_json(self, name: str, content: Any) -> None:
        data = json.dumps(content).encode()
        self._write(_header(name, len(data)) + data + bytes(-len(data) % BLOCK))

    def _write(self, data: bytes) -> None:
        self._seal.update(data)
        self._file.write(data)


def verify(path: Path) -> Manifest:
    """Read all of an archive; raise BackupFault if it is damaged, newer or none of ours."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = max(0, size - SEAL_BYTES)
        _require_format(path, file, end)
        file.seek(0)
        if _seal(_copy(file, end)) != file.read():
            raise _damage(path, file, size)
    return read_manifest(path)


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a whole archive."""
    with open(path, "rb") as file:
        found = _manifest(file, os.fstat(file.fileno()).st_size)
    if found is None:
        raise BackupFault("damaged", archive=path, parts=MANIFEST)
    return found


def extract(path: Path, manifest: Manifest, folder: Path) -> None:
    """Write the members into a folder; raise BackupFault if one is not as the manifest says."""
    with open(path, "rb") as file:
        for name, size, offset in _members(file, os.fstat(file.fileno()).st_size):
            if name not in manifest.members:
                continue
            if not _CONTENT.fullmatch(name):
                raise BackupFault("damaged", archive=path, parts=name)
            target = folder / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.seek(offset)
            with open(target, "xb") as copy:
                digest = _copy(file, size, copy)
                copy.flush()
                os.fsync(copy.fileno())
            if manifest.members[name] != (size, digest):
                raise BackupFault("damaged", archive=path, parts=name)


def _require_format(path: Path, file: IO[bytes], end: int) -> None:
    """Raise BackupFault unless the archive has a head, and one of a format that can be read."""
    head = _read_json(file, HEAD, 0)
    if not isinstance(head, dict) or not isinstance(head.get("format"), int):
        file.seek(end)
        if file.read(BLOCK) == _header(SEAL, SHA256_DIGITS):
            raise BackupFault("damaged", archive=path, parts=HEAD)
        raise BackupFault("no_archive", archive=path)
    if head["format"] > FORMAT:
        raise BackupFault("newer", archive=path, version=head.get("version", "?"))


def _damage(path: Path, file: IO[bytes], size: int) -> BackupFault:
    """Return which members are damaged, or after which one the archive cannot be read."""
    manifest = _manifest(file, size)
    found: list[str] = []
    last = ""
    for name, length, offset in _members(file, size):
        last = name
        if manifest is not None and name in manifest.members:
            file.seek(offset)
            if manifest.members[name] != (length, _copy(file, length)):
                found.append(name)
    if last != SEAL:
        return BackupFault("damaged_after", archive=path, last=last)
    found += [MANIFEST] if manifest is None else []
    return BackupFault("damaged", archive=path, parts=", ".join(found or [SEAL]))


def _manifest(file: IO[bytes], end: int) -> Manifest | None:
    for name, size, offset in _members(file, end):
        if name == MANIFEST and size <= MOST_JSON_BYTES:
            found = _read_json(file, MANIFEST, offset - BLOCK)
            try:
                members = {
                    name: (size, digest) for name, (size, digest) in found["members"].items()
                }
                return Manifest(**{**found, "members": members})
            except (TypeError, KeyError, ValueError, AttributeError):
                return None
    return None


def _members(file: IO[bytes], end: int) -> Iterator[tuple[str, int, int]]:
    """Yield name, size and offset of the content of each member, as far as headers are whole."""
    at = 0
    while at + BLOCK <= end:
        file.seek(at)
        try:
            member = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "strict")
        except (tarfile.HeaderError, ValueError):
            return
        at += BLOCK
        if not 0 <= member.size <= end - at:
            return
        yield member.name, member.size, at
        at += member.size + -member.size % BLOCK


def _read_json(file: IO[bytes], wanted: str, at: int) -> Any:
    """Return the JSON of the member whose header is here, None if it is none."""
    file.seek(at)
    try:
        member = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "strict")
        if member.name != wanted or member.size > MOST_JSON_BYTES:
            return None
        return json.loads(file.read(member.size))
    except (tarfile.HeaderError, ValueError):
        return None


def _header(name: str, size: int) -> bytes:
    """Return the header of a private file; two archives of the same content are equal."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def _seal(digest: str) -> bytes:
    content = digest.encode()
    return (_header(SEAL, len(content)) + content).ljust(SEAL_BYTES, b"\0")


def _copy(file: IO[bytes], size: int, target: IO[bytes] | None = None) -> str:
    """Read so many bytes, write them to a file if there is one, and return their SHA-256."""
    digest, left = hashlib.sha256(), size
    while left and (piece := file.read(min(left, PIECE_BYTES))):
        digest.update(piece)
        if target is not None:
            target.write(piece)
        left -= len(piece)
    return digest.hexdigest()
