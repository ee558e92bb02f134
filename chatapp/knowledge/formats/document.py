"""Document, the result of every format's reader, and Builder, which makes one block by block.

A document is one normalised text with the offsets of its pages and of its sections, each with its
heading path. Readers do not split it into chunks (ingest/chunking.py does).
"""

import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from types import TracebackType
from typing import Any

from chatapp.core.text import HEADING_JOINT, normalise
from chatapp.core.unseen import visible
from chatapp.knowledge.formats.faults import is_of_the_machine, is_of_the_memory

EMPTY = " \t\n\u200b\u2060\ufeff"  # of which blocks are made that only keep a place
# Why pages need text recognition: they show a picture, or letters that are no language.
SCANNED, GARBLED = "scanned_pages", "garbled_pages"
MAX_CHARACTERS = 10_000_000  # of text in one file
MAX_HEADING_CHARACTERS = 200
MAX_PATH_CHARACTERS = 600  # of all headings above a passage
MAX_SECTIONS = 50_000  # in one file; later text belongs to the last section
MAX_REPORTED = 3  # skipped parts whose reasons are logged
MAX_LEFT_OUT = 100  # files within a file that are named as not read


class Unreadable(Exception):
    """Why a file cannot be read; `ingest/sandbox.py` turns the reason into an error."""

    def __init__(self, reason: str, **params: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


def unreadable(fault: Exception) -> Unreadable:
    """Return why a file cannot be read when its reader has failed."""
    if isinstance(fault, RecursionError):
        return Unreadable("nested")
    reason = fault.reason if isinstance(fault, Unreadable) else "damaged"
    # A library that is refused memory may also find nothing in a file.
    if (reason == "damaged" or reason.startswith("blank")) and is_of_the_memory(fault):
        return Unreadable("limits")
    return fault if isinstance(fault, Unreadable) else Unreadable(reason)


# Reasons that concern a part of a file; the others (limits, encryption) refuse the whole file.
_OF_A_PART = ("damaged", "encoding", "unsupported", "empty", "no_text")
# Part of a media type → why a file of it without text is refused; others are blank files.
_BLANK = {
    "pdf": "no_text",
    "wordprocessingml": "blank_document",
    "opendocument.text": "blank_document",
    "rtf": "blank_document",
    "spreadsheet": "blank_workbook",
    "ms-excel": "blank_workbook",
    "presentation": "blank_slides",
}


class Skips:
    """Counts the parts of a file that cannot be read: shapes, sheets, pages and the like.

    `with skips:` around the reading of a part drops what is left of it when its reader fails, so
    that one unreadable part does not fail the whole file. An inner part is dropped alone.
    """

    def __init__(self) -> None:
        self.count = 0
        self.left_out: list[LeftOut] = []

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if fault is None or not _costs_a_part(fault):
            return False
        self._report(fault)
        return True

    def drop(self, fault: Exception) -> None:
        """Count a part that failed; raise the fault where it concerns the whole file.

        For loops over very many parts, in which `with` would cost more than the reading.
        """
        if not _costs_a_part(fault):
            raise fault
        self._report(fault)

    def leave_out(self, *members: "LeftOut") -> None:
        """Count files within the file that are not read, and keep their names."""
        self.count += len(members)
        self.left_out += members[: MAX_LEFT_OUT - len(self.left_out)]

    def _report(self, fault: BaseException) -> None:
        place = traceback.extract_tb(fault.__traceback__)[-1]
        self.add(f"{type(fault).__name__} at {PurePath(place.filename).name}:{place.lineno}")

    def add(self, why: str) -> None:
        """Count a part and print why it is skipped; the log shows that."""
        self.count += 1
        if self.count <= MAX_REPORTED:
            print(f"skipped: {why}", file=sys.stderr)


def _costs_a_part(fault: BaseException) -> bool:
    if isinstance(fault, Unreadable):
        return fault.reason in _OF_A_PART or fault.reason.startswith("blank")
    if not isinstance(fault, Exception) or isinstance(fault, RecursionError):
        return False
    return not is_of_the_memory(fault) and not is_of_the_machine(fault)


def _blank_reason(media_type: str) -> str:
    return next((reason for part, reason in _BLANK.items() if part in media_type), "blank")


@dataclass(frozen=True, slots=True)
class Section:
    """A section ends where the next one starts; `heading` is the path of headings above it."""

    start: int
    heading: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file within a file that was not read, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file. `pages` are the offsets of page starts; empty for formats without pages.
    `skipped` counts the parts that could not be read; those of them that are files of their own
    are named in `left_out`. `title` is that of a web page. `unread_pages` are the pages (from 1)
    whose text only recognition can read: pictures without text, or letters that are no language."""

    media_type: str
    text: str
    sections: tuple[Section, ...] = ()
    pages: tuple[int, ...] = ()
    skipped: int = 0
    left_out: tuple[LeftOut, ...] = ()
    title: str = ""
    unread_pages: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the document as the child process prints it."""
        sections = [[section.start, section.heading] for section in self.sections]
        return {
            "media_type": self.media_type,
            "text": self.text,
            "sections": sections,
            "pages": list(self.pages),
            "skipped": self.skipped,
            "left_out": [[one.name, one.reason] for one in self.left_out],
            "title": self.title,
            "unread_pages": list(self.unread_pages),
        }

    @classmethod
    def from_json(cls, loaded: dict[str, Any]) -> "Document":
        """Return the document from what the child process printed."""
        sections = tuple(Section(int(start), str(heading)) for start, heading in loaded["sections"])
        return cls(
            str(loaded["media_type"]),
            str(loaded["text"]),
            sections,
            tuple(int(page) for page in loaded["pages"]),
            int(loaded["skipped"]),
            tuple(LeftOut(str(name), str(reason)) for name, reason in loaded["left_out"]),
            title=str(loaded.get("title", "")),
            unread_pages=tuple(int(page) for page in loaded.get("unread_pages", ())),
        )


def unread_document(
    media_type: str, pages: int, unread: Iterable[int] | None = None, skipped: int = 0
) -> Document:
    """Return the document of a scan or picture: pages without text, of which recognition reads
    `unread`, or all."""
    numbers = tuple(range(1, pages + 1) if unread is None else unread)
    return Document(media_type, "", pages=(0,) * pages, skipped=skipped, unread_pages=numbers)


@dataclass
class Headings:
    """The path of headings at the current place of a document."""

    path: list[tuple[int, str]] = field(default_factory=list)

    def enter(self, level: int, title: str) -> str:
        """Enter a heading; return the path from here on."""
        while self.path and self.path[-1][0] >= level:
            self.path.pop()
        title = " ".join(visible(title).split())[:MAX_HEADING_CHARACTERS]
        # A document's title is often repeated as its first heading.
        if title and (not self.path or self.path[-1][1] != title):
            self.path.append((level, title))
        return HEADING_JOINT.join(self.titles())[:MAX_PATH_CHARACTERS]

    def titles(self) -> tuple[str, ...]:
        """Return the headings of the current place, outermost first."""
        return tuple(name for _, name in self.path)


class Builder:
    """Builds a document block by block and records the offsets; `skips` counts what is left
    out."""

    def __init__(self) -> None:
        self.skips = Skips()
        self._parts: list[str] = []
        self._length = 0
        self._sections: list[Section] = []
        self._pages: list[int] = []
        self._pending_sections: list[tuple[int, str]] = []
        self._pending_pages = 0
        self._headings = Headings()

    @property
    def length(self) -> int:
        """The number of characters so far."""
        return self._length

    def add(self, block: str, separator: str = "\n\n") -> None:
        """Add a block of text after `separator`; an empty block is ignored."""
        block = normalise(block)
        if not block.strip(EMPTY):
            return
        if self._length:
            self._append(separator)
        self._begin()
        self._append(block)
        if self._length > MAX_CHARACTERS:
            raise Unreadable("too_long", limit=MAX_CHARACTERS)

    def page(self) -> None:
        """Begin a page with the next block."""
        self._pending_pages += 1

    def section(self, level: int, title: str) -> None:
        """Begin a section with the next block; its title need not be part of the text."""
        self._pending_sections.append((level, normalise(title)))

    def heading(self, level: int, title: str) -> None:
        """Begin a section whose title is its first block."""
        if visible(normalise(title)):
            self.section(level, title)
            self.add(title)

    def include(self, level: int, name: str, document: Document) -> None:
        """Add a file within the file as a section; its pages are not counted."""
        if self._length + len(document.text) > MAX_CHARACTERS:
            raise Unreadable("too_long", limit=MAX_CHARACTERS)
        self.section(level, name)
        if self._length:
            self._append("\n\n")
        self._begin()
        above, first = self._headings.titles(), self._length
        self._append(document.text)
        for section in document.sections:
            path = HEADING_JOINT.join((*above, *filter(None, [section.heading])))
            self._begin_section(first + section.start, path[:MAX_PATH_CHARACTERS])
        self.skips.leave_out(
            *(
                LeftOut(HEADING_JOINT.join((name, one.name)), one.reason)
                for one in document.left_out
            )
        )
        self.skips.count += document.skipped - len(document.left_out)

    def finish(self, media_type: str, unread_pages: Iterable[int] = ()) -> Document:
        """Return the document; raise Unreadable where it holds no text."""
        if not self._length:
            raise Unreadable("damaged" if self.skips.count else _blank_reason(media_type))
        self._pending_sections.clear()  # drop sections without text, count empty pages
        self._begin()
        sections, pages = tuple(self._sections), tuple(self._pages)
        text, skips = "".join(self._parts), self.skips
        left_out, unread = tuple(skips.left_out), tuple(unread_pages)
        return Document(
            media_type, text, sections, pages, skips.count, left_out, unread_pages=unread
        )

    def _begin(self) -> None:
        for level, title in self._pending_sections:
            self._begin_section(self._length, self._headings.enter(level, title))
        self._pages += [self._length] * self._pending_pages
        self._pending_sections, self._pending_pages = [], 0

    def _begin_section(self, start: int, path: str) -> None:
        if self._sections and self._sections[-1].start == start:
            self._sections.pop()
        if len(self._sections) < MAX_SECTIONS:
            self._sections.append(Section(start, path))

    def _append(self, piece: str) -> None:
        self._parts.append(piece)
        self._length += len(piece)
