"""Office files and e-books: zip archives of XML parts, opened within limits and parsed by lxml.

python-docx, python-pptx and openpyxl are made for editing: they load all pictures and fail on
unknown styles, and openpyxl has no merged cells when it streams large sheets. Names are compared
without namespaces, since "strict" files use other ones.
"""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from lxml import etree

from chatapp.knowledge.formats.document import Unreadable

MAX_ENTRIES = 10_000
MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
MAX_RATIO = 200  # unpacked to packed size
SMALL_BYTES = 50 * 1024 * 1024  # archives that unpack to less may have any ratio
BLOCK_BYTES = 1024 * 1024
MAIN_PARTS = {
    "word/document.xml": "wordprocessingml.",
    "xl/workbook.xml": "spreadsheetml.",
    "ppt/presentation.xml": "presentationml.",
}
# Error codes of libxml2; lxml has no name for the second.
NO_MEMORY = etree.ErrorTypes.ERR_NO_MEMORY
OVER_LIMIT = 114
_PARSER_OPTIONS = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
}


@cache
def local_name(tag: object) -> str:
    """Return an element's name without namespace; "" for comments and processing instructions."""
    return str(tag).rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, name: str, default: str = "") -> str:
    """Return an attribute by its name without namespace."""
    found = element.get(name)
    if found is None:
        found = next((value for key, value in element.items() if local_name(key) == name), default)
    return str(found)


def child(element: Any, *path: str) -> Any:
    """Return the first element at a path of names below this one, None where there is none."""
    for name in path:
        element = next((one for one in element if local_name(one.tag) == name), None)
        if element is None:
            return None
    return element


class Package:
    """An Office file's parts by name. Never closed: the parser's process ends."""

    def __init__(self, path: Path) -> None:
        with _translated_errors():
            self._archive = zipfile.ZipFile(path)
            for entry in self._archive.infolist():  # so much is allocated before it is read
                entry.compress_size = min(entry.compress_size, path.stat().st_size)
        # Some programs write backslashes, or begin with a slash.
        self.names = {
            entry.filename.replace("\\", "/").lstrip("/").lower(): entry.filename
            for entry in self._archive.infolist()
        }
        self._relationships: dict[str, dict[str, tuple[str, str]]] = {}

    def has(self, name: str) -> bool:
        """Return whether there is a part of this name."""
        return name.lower().lstrip("/") in self.names

    def read(self, name: str) -> bytes:
        """Return a part's bytes; raise Unreadable where it is missing or broken."""
        with _translated_errors():
            return self._archive.read(self._entry(name))

    def open(self, name: str) -> IO[bytes]:
        """Open a part for streaming."""
        with _translated_errors():
            return self._archive.open(self._entry(name))

    def entries(self) -> list[zipfile.ZipInfo]:
        """Return all parts, in the order of the archive's index."""
        return self._archive.infolist()

    def unpack(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield a part's bytes in blocks; raise Unreadable where it is broken."""
        with _translated_errors(), self._archive.open(entry) as opened:
            while block := opened.read(BLOCK_BYTES):
                yield block

    def root(self, name: str) -> Any:
        """Return a part's root element; raise Unreadable."""
        root = parse_xml(self.read(name))
        _require_no_dtd(root)
        return root

    def elements(self, name: str, *tags: str) -> Iterator[Any]:
        """Stream a large part's elements of these names; each is freed after use."""
        with _translated_errors(), self.open(name) as opened:
            for _, element in etree.iterparse(
                opened, tag=[f"{{*}}{tag}" for tag in tags], **_PARSER_OPTIONS
            ):
                _require_no_dtd(element)
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]

    def relationships(self, name: str) -> dict[str, tuple[str, str]]:
        """Return a part's relationships: id → last word of the type, name of the target."""
        if name not in self._relationships:
            self._relationships[name] = dict(self._references(name))
        return self._relationships[name]

    def _references(self, name: str) -> Iterator[tuple[str, tuple[str, str]]]:
        folder, _, file = name.rpartition("/")
        beside = f"{folder}/_rels/{file}.rels" if folder else f"_rels/{file}.rels"
        for one in self.root(beside) if self.has(beside) else ():
            if one.get("TargetMode") != "External" and one.get("Target"):
                written = one.get("Target").replace("\\", "/")
                target = posixpath.normpath(posixpath.join("/", folder, written)).lstrip("/")
                target = target if self.has(target) else unquote(target)
                yield one.get("Id") or "", ((one.get("Type") or "").rpartition("/")[2], target)

    def parts_of_type(self, name: str, kind: str) -> list[str]:
        """Return the targets of a part's relationships of one type."""
        return [
            target
            for type_, target in self.relationships(name).values()
            if type_ == kind and self.has(target)
        ]

    def main_part(self) -> str | None:
        """Return the name of the document's main part, by its usual name where nothing says it."""
        named = self.parts_of_type("", "officeDocument")
        return next(iter(named), None) or next(filter(self.has, MAIN_PARTS), None)

    def content_type(self, name: str) -> str:
        """Return a part's declared content type, "" where there is none."""
        if not self.has("[Content_Types].xml"):
            return MAIN_PARTS.get(name.lower(), "")
        declared = self.root("[Content_Types].xml")
        wanted = {"PartName": f"/{name}".lower(), "Extension": name.rpartition(".")[2].lower()}
        found: dict[str, str] = {}
        for one in declared:
            found |= {
                key: attribute(one, "ContentType")
                for key in wanted
                if attribute(one, key).lower() == wanted[key]
            }
        return found.get("PartName") or found.get("Extension", "")

    def check_limits(self, size: int) -> None:
        """Refuse an archive with too many entries, that unpacks to too much, or that is encrypted.

        Python reads no more of an entry than its header says, so the declared sizes are a safe
        limit.
        """
        entries = self._archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if (
            len(entries) > MAX_ENTRIES
            or unpacked > MAX_UNPACKED_BYTES
            or unpacked > max(SMALL_BYTES, MAX_RATIO * size)
        ):
            raise Unreadable("bomb")
        if any(entry.flag_bits & 1 for entry in entries):
            raise Unreadable("encrypted")

    def _entry(self, name: str) -> str:
        found = self.names.get(name.lower().lstrip("/"))
        if found is None:
            raise Unreadable("damaged")
        return found


def parse_xml(content: bytes, *, recover: bool = False) -> Any:
    """Return XML's root element, None where there is none; raise Unreadable.

    Entities are refused; where `recover`, faults are passed over.
    """
    with _translated_errors():
        root = etree.fromstring(content, etree.XMLParser(recover=recover, **_PARSER_OPTIONS))
    declared = root.getroottree().docinfo.internalDTD if root is not None else None
    if declared is not None and next(declared.iterentities(), None) is not None:
        raise Unreadable("unsafe")
    return root


def _require_no_dtd(element: Any) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("unsafe")


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn the errors of zipfile and lxml into Unreadable."""
    try:
        yield
    except etree.XMLSyntaxError as fault:
        if fault.code == NO_MEMORY:
            raise MemoryError from fault
        limit = "nested" if "depth" in str(fault) else "unsafe"  # the other limit is on entities
        raise Unreadable(limit if fault.code == OVER_LIMIT else "damaged") from fault
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        EOFError,
        zlib.error,
    ) as fault:
        raise Unreadable("damaged") from fault
