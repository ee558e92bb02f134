"""Splits a document into chunks, never across a heading or a page break between paragraphs."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from chatapp.core.quoting import is_title
from chatapp.core.text import HEADING_JOINT, Span, split
from chatapp.core.unseen import visible
from chatapp.knowledge.formats.document import Document, Section
from chatapp.knowledge.search.bm25 import tokens_of

MAX_TITLE = 500  # characters; a longer heading without text below it stays a section


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk to be inserted: its columns, and the texts that it is found by."""

    values: dict[str, object]
    texts: tuple[str, str, str]  # title, heading, body

    def tokens(self, version: int) -> list[str]:
        """Return its tokens by a version of the tokenizer."""
        return tokens_of(*self.texts, version)


def chunk_spans(document: Document) -> list[Span]:
    """Return where the document's chunks begin and end, split by size."""
    return split(document.text, hard_edges(document))


def hard_edges(document: Document) -> list[int]:
    """Return the offsets that no chunk crosses: sections, and page breaks between paragraphs."""
    starts = {section.start for section in _sections_with_text(document)}
    return sorted({*starts, *_page_breaks(document)})


def chunk_rows(document: Document, spans: Sequence[Span], file_id: str, name: str) -> Iterator[Row]:
    """Yield the chunks in order, each with its page and heading path."""
    sections = _sections_with_text(document)
    starts = [section.start for section in sections]
    for ordinal, span in enumerate(spans):
        section = bisect_right(starts, span.start) - 1
        heading = sections[section].heading if section >= 0 else ""
        body = document.text[span.start : span.end]
        values: dict[str, object] = {
            "file_id": file_id,
            "ordinal": ordinal,
            "start": span.start,
            "end": span.end,
            "page": page_of(document.pages, span.start),
            "heading": heading,
            "text": body,
        }
        yield Row(values, (Path(name).stem, heading, body))


def text_with_headings(name: str, heading: str, text: str) -> str:
    """Return a chunk's text as models get it: after title and headings, as in the lexical index.

    A title without letters, as scanners and cameras give them, says nothing.
    """
    title = Path(name).stem
    named = title if any(map(str.isalpha, title)) else ""
    return visible("\n".join(filter(None, [named, heading, text])))


def page_of(pages: Sequence[int], offset: int) -> int | None:
    """Return the number, from 1, of the page at an offset; None for formats without pages."""
    return max(1, bisect_right(pages, offset)) if pages else None


def _sections_with_text(document: Document) -> list[Section]:
    """Return the sections, merging a heading without text into the section below."""
    kept: list[Section] = []
    start: int | None = None
    for section, following in zip_longest(document.sections, document.sections[1:]):
        start = section.start if start is None else start
        until = (
            following.start
            if following and following.heading.startswith(section.heading + HEADING_JOINT)
            else start
        )
        alone = 0 < until - section.start <= MAX_TITLE and is_title(
            document.text[section.start : until], section.heading
        )
        if not alone:
            kept.append(Section(start, section.heading))
            start = None
    return kept


def _page_breaks(document: Document) -> list[int]:
    """Return the page starts that end a chunk: those between paragraphs.

    A sentence that continues on the next page is not split.
    """
    return [start for start in document.pages[1:] if document.text.endswith("\n\n", 0, start)]
