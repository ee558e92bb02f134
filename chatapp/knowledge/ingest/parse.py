"""A file in, a document out: which kind it is, by its content, and the reader for it. Runs in a child process of its own:

    python -m chatapp.knowledge.ingest.parse FILE NAME MOST_PAGES      one line of JSON on standard output

Parsers leak, hang and explode; `sandbox.py` starts this with limits of time and memory, and it may die at any moment. So
nothing here knows the database, and what is imported is kept small.
"""

import json
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from chatapp.knowledge.formats.document import Document, Unreadable

if TYPE_CHECKING:
    from chatapp.knowledge.formats.packages import Package

HEAD_BYTES = 64 * 1024
FULL = 3  # exit status: the document does not fit into what may be written

# What files begin with that are none of ours, by the reason that a person is told.
_FOREIGN: dict[str, tuple[bytes, ...]] = {
    "picture": (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\1\0", b"8BPS"),
    "sound": (
        b"ID3",
        b"OggS",
        b"fLaC",
        b"\xff\xfb",
        b"\xff\xf3",
        b"\x1aE\xdf\xa3",
        b"FLV",
        b"#!AMR",
    ),
    "archive": (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd"),
    "old_office": (b"{\\rtf",),
    "unsupported": (
        b"\x7fELF",
        b"MZ\x90\0",
        b"SQLite format 3",
        b"\xca\xfe\xba\xbe",
        b"%!PS",
        b"wOFF",
        b"\0asm",
    ),
}
_RIFF = {b"WEBP": "picture", b"WAVE": "sound", b"AVI ": "sound"}
_STILL = (
    b"heic",
    b"heix",
    b"hevc",
    b"mif1",
    b"msf1",
    b"avif",
)  # pictures in the box that films come in
_COMPOUND = (
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Office until 2003, and the envelope of an encrypted docx
)
_OLD_OFFICE = ("WordDocument", "Workbook", "Book", "PowerPoint Document")
_OFFICE = {  # words in the type of the main part; one with macros is named after its program
    "wordprocessingml": ("wordprocessingml.", "ms-word."),
    "spreadsheetml": (
        "spreadsheetml.",
        "ms-excel.sheet.macroEnabled",
        "ms-excel.template.macroEnabled",
    ),
    "presentationml": ("presentationml.", "ms-powerpoint."),
}
_DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]+)|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]+)",
    re.IGNORECASE,
)


def parse(path: Path, name: str, most_pages: int) -> Document:
    """Read a file of any kind; raise Unreadable with the reason."""
    if path.stat().st_size == 0:
        raise Unreadable("empty")
    return _reader(path, name, most_pages)()


def _reader(path: Path, name: str, most_pages: int) -> Callable[[], Document]:
    """Choose the reader by the content; the name only tells kinds of text apart."""
    with open(path, "rb") as opened:
        head = opened.read(HEAD_BYTES)
    if b"%PDF-" in head[:1024]:
        from chatapp.knowledge.formats import pdf

        return lambda: pdf.read(path, name, most_pages)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return lambda: _read_package(path, most_pages)
    if head.startswith(_COMPOUND):
        raise Unreadable(_compound(path))
    if reason := foreign_kind(head):
        raise Unreadable(reason)
    return lambda: _read_text(path, name, head)


def foreign_kind(head: bytes) -> str | None:
    """Name why a file of a kind that nobody reads is refused; None for what may be text."""
    if head[4:8] == b"ftyp":
        return "picture" if head[8:12] in _STILL else "sound"
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], "unsupported")
    if (
        head.startswith(b"BM") and head[6:10] == b"\0\0\0\0"
    ):  # a text may begin with these letters, too
        return "picture"
    return next((reason for reason, begins in _FOREIGN.items() if head.startswith(begins)), None)


def _compound(path: Path) -> str:
    """Name why a file in Microsoft's old envelope cannot be read."""
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        return "encrypted"
    return (
        "old_office"
        if any(name.encode("utf-16-le") in content for name in _OLD_OFFICE)
        else "unsupported"
    )


# --- archives --------------------------------------------------------------------------------------------------------


def _read_package(path: Path, most_pages: int) -> Document:
    """Read what is a zip archive inside."""
    from chatapp.knowledge.formats.packages import Package

    package = Package(path)
    package.check(path.stat().st_size)
    kind = _package_kind(package)
    if kind == "wordprocessingml":
        from chatapp.knowledge.formats import docx

        return docx.read(package, most_pages)
    if kind == "spreadsheetml":
        from chatapp.knowledge.formats import xlsx

        return xlsx.read(package, most_pages)
    if kind == "presentationml":
        from chatapp.knowledge.formats import pptx

        return pptx.read(package, most_pages)
    if kind == "opendocument":
        from chatapp.knowledge.formats import opendocument

        return opendocument.read(package, most_pages)
    if kind == "epub":
        from chatapp.knowledge.formats import epub

        return epub.read(package, most_pages)
    raise Unreadable(kind)


def _package_kind(package: "Package") -> str:
    """Name the kind of an archive: of Office by the type of its main part, others by what they declare; or why it is refused."""
    if main := package.main():
        type_ = package.content_type(main)
        return next(
            (kind for kind, types in _OFFICE.items() if any(one in type_ for one in types)),
            "unsupported",
        )
    declared = package.read("mimetype") if package.has("mimetype") else b""
    if declared.startswith(b"application/vnd.oasis.opendocument."):
        return "opendocument"
    if declared.startswith(b"application/epub+zip"):
        return "epub"
    return (
        "unsupported"
        if package.has("[Content_Types].xml") or package.has("Index/Document.iwa")
        else "archive"
    )


# --- texts -----------------------------------------------------------------------------------------------------------


def _read_text(path: Path, name: str, head: bytes) -> Document:
    """Read a text: by its content where that is plain to see, else by its name, else as it stands."""
    from chatapp.knowledge.formats import code, csv_file, encodings, html, json_file, mail, plain

    declared = _DECLARED.search(head)
    text = encodings.read_text(path, declared and (declared.group(1) or declared.group(2)).decode())
    extension = PurePath(name.lower()).suffix
    if code.is_code(name):
        return code.read(text, name)
    if extension in plain.MARKDOWN:
        return plain.read_markdown(text, name)
    if html.is_html(text, extension):
        return html.read(text, name)
    if mail.is_mail(text):
        return mail.read(path.read_bytes())
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") and (read := json_file.read(text, name)):
        return read
    if csv_file.is_delimited(text, name):
        return csv_file.read(text, name)
    return plain.read(text, name)


def main(arguments: list[str]) -> int:
    """Parse the file that the arguments name and print the outcome."""
    path, name, most_pages = arguments
    try:
        said = json.dumps(
            {"document": parse(Path(path), name, int(most_pages)).to_json()}, ensure_ascii=False
        )
    except Unreadable as fault:
        said = json.dumps({"unreadable": {"reason": fault.reason, "params": fault.params}})
    except MemoryError:
        said = json.dumps({"unreadable": {"reason": "limits", "params": {}}})
    except RecursionError:
        said = json.dumps({"unreadable": {"reason": "nested", "params": {}}})
    except Exception:  # a parser's own fault on a broken file; the log gets the rest
        traceback.print_exc()
        said = json.dumps({"unreadable": {"reason": "damaged", "params": {}}})
    try:
        sys.stdout.write(said)
        sys.stdout.flush()
    except OSError:  # more than may be written
        return FULL
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
