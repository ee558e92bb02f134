"""The file being parsed: name, first bytes, zip package and decoded text, each read once."""

import re
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from chatapp.knowledge.formats.encodings import read_text

if TYPE_CHECKING:
    from chatapp.knowledge.formats.compound import CompoundFile
    from chatapp.knowledge.formats.members import Members
    from chatapp.knowledge.formats.packages import Package

HEAD_BYTES = 64 * 1024
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_COMPOUND_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]+)"
    rb"|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]+)",
    re.IGNORECASE,
)
# Part of the content type of an Office file's main part. Files with macros name their program.
_OFFICE_TYPES = {
    "docx": ("wordprocessingml.", "ms-word."),
    "xlsx": (
        "spreadsheetml.",
        "ms-excel.sheet.macroEnabled",
        "ms-excel.template.macroEnabled",
        "ms-excel.addin.macroEnabled",
    ),
    "xlsb": ("ms-excel.sheet.binary.",),
    "pptx": ("presentationml.", "ms-powerpoint."),
}


# Parts that only documents have; a zip archive without any of them is an archive of files.
_DOCUMENT_PARTS = (
    "[Content_Types].xml",
    "mimetype",
    "Index/Document.iwa",
    "word/document.xml",
    "xl/workbook.xml",
    "ppt/presentation.xml",
    "META-INF/container.xml",
    "META-INF/manifest.xml",
)


class SourceFile:
    """A file to parse; `max_pages` limits formats with pages, `members` reads files within it,
    `charset` is what a server says of a text."""

    def __init__(
        self, path: Path, name: str, max_pages: int, members: "Members", charset: str = ""
    ) -> None:
        self.path = path
        self.name = name
        self.max_pages = max_pages
        self.members = members
        self._charset = charset
        with open(path, "rb") as opened:
            self.head = opened.read(HEAD_BYTES)

    @property
    def extension(self) -> str:
        """The name's extension in lower case, with its dot."""
        return PurePath(self.name.lower()).suffix

    @property
    def is_package(self) -> bool:
        """Whether the file is a zip archive, as Office files and e-books are."""
        return self.head.startswith(_ZIP_SIGNATURES)

    @cached_property
    def archive(self) -> "Package":
        """The zip archive as it is; raises Unreadable."""
        from chatapp.knowledge.formats.packages import Package

        return Package(self.path)

    @cached_property
    def package(self) -> "Package":
        """The zip archive of a document, checked against its limits; raises Unreadable."""
        self.archive.check_limits(self.path.stat().st_size)
        return self.archive

    @cached_property
    def package_kind(self) -> str:
        """docx, xlsx, xlsb, pptx, opendocument, epub or zip; otherwise the reason to refuse it."""
        if not any(map(self.archive.has, _DOCUMENT_PARTS)):
            return "zip"
        if main := self.package.main_part():
            type_ = self.package.content_type(main)
            return next(
                (kind for kind, parts in _OFFICE_TYPES.items() if any(p in type_ for p in parts)),
                "unsupported",
            )
        declared = self.package.read("mimetype") if self.package.has("mimetype") else b""
        if declared.startswith(b"application/vnd.oasis.opendocument."):
            return "opendocument"
        if declared.startswith(b"application/epub+zip"):
            return "epub"
        if not declared and self.package.has("META-INF/container.xml"):
            return "epub"
        if not declared and all(map(self.package.has, ("content.xml", "META-INF/manifest.xml"))):
            return "opendocument"
        is_document = declared.startswith(b"application/") or any(
            map(self.package.has, ("[Content_Types].xml", "Index/Document.iwa"))
        )
        return "unsupported" if is_document else "zip"

    @cached_property
    def compound(self) -> "CompoundFile | None":
        """The compound file, None where this is none; raises Unreadable."""
        if not self.head.startswith(_COMPOUND_SIGNATURE):
            return None
        from chatapp.knowledge.formats.compound import CompoundFile

        return CompoundFile(self.path)

    @cached_property
    def text(self) -> str:
        """The decoded text; raises Unreadable where the content is not text."""
        declared = _CHARSET.search(self.head)
        named = (declared.group(1) or declared.group(2)).decode() if declared else self._charset
        return read_text(self.path, named or None)
