"""A file in, a document out: which kind it is, by its content, and the reader for it. Runs in a child process of its own:

    python -m chatapp.knowledge.parse FILE NAME MOST_PAGES      one line of JSON on standard output

Parsers leak, hang and explode; `sandbox.py` starts this with limits of time and memory, and it may die at any moment. So
nothing here knows the database, and what is imported is kept small.
"""

import json
import sys
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

from chatapp.knowledge.formats import Document, Unreadable

HEAD_BYTES = 4096
MOST_ENTRIES = 10_000
MOST_UNPACKED_BYTES = 1024 * 1024 * 1024
MOST_RATIO = 200  # how many times its size an archive may unpack to, once that is more than
SMALL_BYTES = 50 * 1024 * 1024
XML_HEAD_BYTES = 64 * 1024  # a document type stands before the first element

_FOREIGN = (
    b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh",
    b"\xfd7zXZ", b"(\xb5/\xfd", b"\x7fELF", b"SQLite format 3", b"ID3", b"OggS", b"fLaC", b"\xca\xfe\xba\xbe", b"{\\rtf",
    b"%!PS",
)  # fmt: skip
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Word 97, and the envelope of an encrypted docx


def parse(path: Path, name: str, most_pages: int) -> Document:
    """Read a file of any kind; raise Unreadable with the reason."""
    if path.stat().st_size == 0:
        raise Unreadable("empty")
    return _reader(path, name, most_pages)()


def _reader(path: Path, name: str, most_pages: int) -> Callable[[], Document]:
    """Choose the reader by the content; the name only tells Markdown from plain text."""
    with open(path, "rb") as opened:
        head = opened.read(HEAD_BYTES)
    if b"%PDF-" in head[:1024]:
        from chatapp.knowledge.formats import pdf

        return lambda: pdf.read(path, name, most_pages)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive_reader(path, name)
    if head.startswith(_COMPOUND):
        locked = "EncryptedPackage".encode("utf-16-le") in path.read_bytes()
        raise Unreadable("encrypted" if locked else "unsupported")
    if head.startswith(_FOREIGN) or head[4:8] == b"ftyp":
        raise Unreadable("unsupported")
    from chatapp.knowledge.formats import plain

    return lambda: plain.read(path, name)


def _archive_reader(path: Path, name: str) -> Callable[[], Document]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            check_archive(archive, path.stat().st_size)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, OSError, EOFError) as fault:
        raise Unreadable("damaged") from fault
    if "[Content_Types].xml" in names and any(entry.startswith("word/") for entry in names):
        from chatapp.knowledge.formats import docx

        return lambda: docx.read(path, name)
    raise Unreadable("unsupported")


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive that unpacks to far more than its size, is locked, or whose XML brings a document type.

    Python reads no more of an entry than its header says, so the sizes there are a limit that holds.
    """
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES or unpacked > MOST_UNPACKED_BYTES:
        raise Unreadable("bomb")
    if unpacked > max(SMALL_BYTES, MOST_RATIO * size):
        raise Unreadable("bomb")
    for entry in entries:
        if entry.flag_bits & 1:
            raise Unreadable("encrypted")
        if entry.filename.endswith((".xml", ".rels")):
            with archive.open(entry) as part:
                head = part.read(XML_HEAD_BYTES).replace(b"\0", b"")  # in UTF-16 too
            if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                raise Unreadable("damaged")


def main(arguments: list[str]) -> int:
    """Parse the file that the arguments name and print the outcome."""
    path, name, most_pages = arguments
    try:
        said = json.dumps({"document": parse(Path(path), name, int(most_pages)).to_json()})
    except Unreadable as fault:
        said = json.dumps({"unreadable": {"reason": fault.reason, "params": fault.params}})
    except MemoryError:
        said = json.dumps({"unreadable": {"reason": "limits", "params": {}}})
    except Exception:  # a parser's own fault on a broken file; the log gets the rest
        traceback.print_exc()
        said = json.dumps({"unreadable": {"reason": "damaged", "params": {}}})
    sys.stdout.write(said)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
