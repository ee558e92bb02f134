"""What every reader of a format returns, and how it is built up. These modules run in the limited child process only.

A document is one normalised text, which all offsets count in, the places where sections begin (each with its heading
path), and the places where pages begin. A reader never decides about chunks.
"""

from dataclasses import dataclass, field
from typing import Any

from chatapp.core.text import HEADING_JOINT, normalise

MAX_CHARACTERS = 10_000_000  # of text in one file
MAX_HEADING_CHARACTERS = 200
MAX_PATH_CHARACTERS = 600  # of all headings above a passage
MAX_SECTIONS = 50_000  # in one file; what comes after belongs to the last


class Unreadable(Exception):
    """Why a file cannot be read: `reason` is one that `sandbox.refusal` knows."""

    def __init__(self, reason: str, **params: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


@dataclass(frozen=True, slots=True)
class Section:
    """From `start` to the next section's start; the headings above it, outermost first, in one line."""

    start: int
    heading: str


@dataclass(frozen=True, slots=True)
class Document:
    """What was read. `pages` are the offsets at which pages begin; empty where the format has none."""

    media_type: str
    text: str
    sections: tuple[Section, ...] = ()
    pages: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as the child process hands it over."""
        sections = [[section.start, section.heading] for section in self.sections]
        return {
            "media_type": self.media_type,
            "text": self.text,
            "sections": sections,
            "pages": list(self.pages),
        }

    @classmethod
    def from_json(cls, loaded: dict[str, Any]) -> "Document":
        """Take it as the child process handed it over."""
        sections = tuple(Section(int(start), str(heading)) for start, heading in loaded["sections"])
        return cls(
            str(loaded["media_type"]),
            str(loaded["text"]),
            sections,
            tuple(int(page) for page in loaded["pages"]),
        )


@dataclass
class Headings:
    """The path of headings in force while a document is walked."""

    path: list[tuple[int, str]] = field(default_factory=list)

    def enter(self, level: int, title: str) -> str:
        """Come to a heading; return the path that holds from here on."""
        while self.path and self.path[-1][0] >= level:
            self.path.pop()
        title = " ".join(title.split())[:MAX_HEADING_CHARACTERS]
        if title and (
            not self.path or self.path[-1][1] != title
        ):  # a document's title often is its first heading, too
            self.path.append((level, title))
        return HEADING_JOINT.join(name for _, name in self.path)[:MAX_PATH_CHARACTERS]


class Builder:
    """Puts a document together block by block, and knows at which offset everything begins."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._sections: list[Section] = []
        self._pages: list[int] = []
        self._pending_sections: list[tuple[int, str]] = []
        self._pending_pages = 0
        self._headings = Headings()

    @property
    def length(self) -> int:
        """How many characters there are so far."""
        return self._length

    def add(self, block: str, separator: str = "\n\n") -> None:
        """Add a block of text, parted from the one before by `joint`; nothing happens where it is empty."""
        block = normalise(block)
        if not block:
            return
        if self._length:
            self._append(separator)
        self._begin()
        self._append(block)
        if self._length > MAX_CHARACTERS:
            raise Unreadable("too_long", limit=MAX_CHARACTERS)

    def page(self) -> None:
        """Begin a page; what is added next is its first text."""
        self._pending_pages += 1

    def section(self, level: int, title: str) -> None:
        """Begin a section with what is added next; the title itself need not stand in the text."""
        self._pending_sections.append((level, normalise(title)))

    def heading(self, level: int, title: str) -> None:
        """Begin a section with its title as its first text."""
        if normalise(title):
            self.section(level, title)
            self.add(title)

    def finish(self, media_type: str) -> Document:
        """Return the document; raise Unreadable where it holds no text."""
        if not self._length:
            raise Unreadable("no_text")
        self._pending_sections.clear()  # sections that came to nothing; empty pages are counted
        self._begin()
        return Document(media_type, "".join(self._parts), tuple(self._sections), tuple(self._pages))

    def _begin(self) -> None:
        for level, title in self._pending_sections:
            path = self._headings.enter(level, title)
            if self._sections and self._sections[-1].start == self._length:
                self._sections.pop()
            if len(self._sections) < MAX_SECTIONS:
                self._sections.append(Section(self._length, path))
        self._pages += [self._length] * self._pending_pages
        self._pending_sections, self._pending_pages = [], 0

    def _append(self, piece: str) -> None:
        self._parts.append(piece)
        self._length += len(piece)
