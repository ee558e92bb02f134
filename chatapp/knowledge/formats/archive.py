"""Zip archives: each file in one is read as a file of its own, below its path as heading."""

import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence

from chatapp.knowledge.formats.document import Builder, Document, LeftOut, Unreadable
from chatapp.knowledge.formats.encodings import decode
from chatapp.knowledge.formats.members import Members, is_unasked, shown_name
from chatapp.knowledge.formats.packages import MAX_RATIO, SMALL_BYTES, Package

MEDIA_TYPE = "application/zip"
MAX_ENTRIES = 50_000
IS_UTF8, IS_ENCRYPTED = 0x800, 1  # general purpose flags (APPNOTE.TXT, 4.4.4)
UNICODE_PATH = 0x7075  # extra field with the name in UTF-8 (APPNOTE.TXT, 4.6.9)
UNICODE_PATH_HEAD = 5  # bytes before the name: version, checksum
ZIP_CODE_PAGE = "cp437"  # by which zipfile decodes names without the flag
NAME_ENCODINGS = ("utf-8", "gb18030", "big5hkscs", "cp932", "cp949")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
# Reasons that say more about the whole archive than "none of its files can be read".
_OF_ALL = frozenset(("encrypted", "packed", "bomb", "nested", "limits"))


def read(package: Package, members: Members) -> Document:
    """Read an archive's files; raise Unreadable where none can be read."""
    if len(package.entries()) > MAX_ENTRIES:
        raise Unreadable("bomb")
    entries = [entry for entry in package.entries() if not _is_ignored(entry)]
    if not entries:
        raise Unreadable("empty")
    builder = Builder()
    seen: Counter[str] = Counter()
    for entry, name in zip(entries, _names(entries), strict=True):
        seen[name] += 1
        shown = name if seen[name] == 1 else f"{name} ({seen[name]})"
        if is_unasked(name):
            continue
        if reason := _refusal(entry):
            builder.skips.leave_out(LeftOut(shown_name(shown), reason))
        else:
            members.add(builder, 1, shown, package.unpack(entry))
    if not builder.length:
        reasons = {one.reason for one in builder.skips.left_out}
        raise Unreadable(*reasons if len(reasons) == 1 and reasons <= _OF_ALL else ("members",))
    return builder.finish(MEDIA_TYPE)


def _is_ignored(entry: zipfile.ZipInfo) -> bool:
    is_folder = entry.filename.endswith(("/", "\\"))
    return is_folder or (entry.file_size == 0 and not entry.flag_bits & IS_ENCRYPTED)


def _refusal(entry: zipfile.ZipInfo) -> str | None:
    """Return why a file is not even unpacked."""
    if entry.flag_bits & IS_ENCRYPTED:
        return "encrypted"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "link"
    if entry.compress_type not in _METHODS:
        return "packed"
    if entry.file_size > max(SMALL_BYTES, MAX_RATIO * entry.compress_size):
        return "bomb"
    return None


def _names(entries: Sequence[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield the files' names; those in no declared encoding are guessed together."""
    raw = [b"" if entry.flag_bits & IS_UTF8 else _raw(entry) for entry in entries]
    foreign = [name for name in raw if not name.isascii()]
    encoding = _encoding(b"\n".join(foreign)) if foreign else ZIP_CODE_PAGE
    for entry, name in zip(entries, raw, strict=True):
        if (declared := _unicode_path(entry)) is not None:
            yield declared
        else:
            yield entry.filename if name.isascii() else name.decode(encoding, "replace")


def _raw(entry: zipfile.ZipInfo) -> bytes:
    try:
        return entry.filename.encode(ZIP_CODE_PAGE)
    except UnicodeEncodeError:  # of a newer zipfile, which has found the name's encoding
        return b""


def _encoding(names: bytes) -> str:
    """Return the encoding of names: UTF-8, or one of East Asia if they look like text in it."""
    try:
        text = decode(names)
    except Unreadable:
        return ZIP_CODE_PAGE
    return next((one for one in NAME_ENCODINGS if _is_in(names, one, text)), ZIP_CODE_PAGE)


def _is_in(names: bytes, encoding: str, text: str) -> bool:
    try:
        return names.decode(encoding) == text
    except UnicodeDecodeError:
        return False


def _unicode_path(entry: zipfile.ZipInfo) -> str | None:
    extra = entry.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == UNICODE_PATH:
            return extra[4 + UNICODE_PATH_HEAD : 4 + length].decode("utf-8", "replace") or None
        extra = extra[4 + length :]
    return None
