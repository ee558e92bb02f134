"""PDF: the text of every page, with wrapped lines joined again and tables row by row.

A PDF contains glyphs and positions, not paragraphs. Lines come from pdf_lines.py, tables and
columns from pdf_layout.py, paragraphs from pdf_paragraphs.py. Running heads and page numbers are
dropped, since they would interrupt sentences that continue on the next page. Headings come from the
outline, or else are inferred from the lines' appearance. Pages that show only a picture of text, or
letters that are no language, are reported as pages that need text recognition.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from chatapp.core.text import normalise
from chatapp.knowledge.formats.document import (
    GARBLED,
    SCANNED,
    Builder,
    Document,
    LeftOut,
    Unreadable,
    unread_document,
)
from chatapp.knowledge.formats.legibility import is_legible, legible_share
from chatapp.knowledge.formats.pdf_drawn import Drawn
from chatapp.knowledge.formats.pdf_glyphs import Glyphs
from chatapp.knowledge.formats.pdf_layout import Item, arrange, may_hold_columns
from chatapp.knowledge.formats.pdf_lines import page_lines
from chatapp.knowledge.formats.pdf_paragraphs import Pages, inferred_headings
from chatapp.knowledge.formats.pdf_placed import Box, Placed, merged
from chatapp.knowledge.formats.running_heads import drop_running_heads

MEDIA_TYPE = "application/pdf"
MAX_RANGES = 20  # of pages that are named as not read
MAX_BOOKMARKS = 5000
PICTURE_LETTERS = 200  # letters and digits, from which a page is not looked at for pictures
ALL_ROWS = 0.85  # share of lines that are rows of a table

# PDFium writes U+FFFE (older versions U+0002) for a hyphen at a line break.
_SOFT_HYPHEN = "\ufffe\x02"
_HYPHEN = re.compile(f"[{_SOFT_HYPHEN}]\\s*")
# Ligatures, and radicals that some fonts use for the characters they resemble: ﬁ for fi, ⽅ for 方.
_LIGATURES = re.compile("[\ufb00-\ufb06\u2e9f\u2ef3\u2f00-\u2fd5]")


@dataclass(slots=True)
class _Page:
    lines: list[Placed] = field(default_factory=list)
    rules: list[Box] = field(default_factory=list)
    unread: str = ""  # why its text needs recognition


def read(path: Path, name: str, max_pages: int) -> Document:
    """Read a PDF; raise Unreadable where it is encrypted, damaged, or too long."""
    opened = _open(path)
    if len(opened) > max_pages:
        raise Unreadable("pages", limit=max_pages)
    builder = Builder()
    bookmarks: dict[int, list[tuple[int, str]]] = {}
    with builder.skips:
        bookmarks = _bookmarks(opened)
    filled = opened.get_formtype() != pdfium.FORMTYPE_NONE
    pages = [_Page() for _ in range(len(opened))]
    for index, page in enumerate(pages):
        with builder.skips:
            _read_page(opened, index, page, filled, appearance=not bookmarks)
    unread_pages = [number for number, page in enumerate(pages, 1) if page.unread]
    if not any(page.lines and not page.unread for page in pages):
        if not unread_pages:
            raise Unreadable("no_text")
        return unread_document(MEDIA_TYPE, len(pages), unread_pages, builder.skips.count)
    drop_running_heads([page.lines for page in pages])
    arranged: list[list[Item]] = [list(page.lines) for page in pages]
    for index, page in enumerate(pages):
        with builder.skips:
            arranged[index] = arrange(page.lines, page.rules)
    writer = Pages(builder, [line for page in pages for line in page.lines])
    found = (
        [_locate_bookmarks(bookmarks.get(index, []), items) for index, items in enumerate(arranged)]
        if bookmarks
        else [(headings, []) for headings in inferred_headings(arranged)]
    )
    for items, (headings, unplaced) in zip(arranged, found, strict=True):
        builder.page()
        for level, title in unplaced:
            builder.section(level, title)
        writer.add(items, headings)
    for reason in (SCANNED, GARBLED):
        if unread := [number for number, page in enumerate(pages, 1) if page.unread == reason]:
            builder.skips.leave_out(LeftOut(_ranges(unread), reason))
            builder.skips.count += len(unread) - 1
    return builder.finish(MEDIA_TYPE, unread_pages)


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as people write them: 2–9, 12."""
    written: list[str] = []
    first = numbers[0]
    for number, following in zip(numbers, [*numbers[1:], 0], strict=True):
        if following != number + 1:
            written.append(str(number) if number == first else f"{first}–{number}")
            first = following
    return ", ".join(written[:MAX_RANGES]) + (", …" if len(written) > MAX_RANGES else "")


def _open(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as fault:
        reasons = {
            pdfium.FPDF_ERR_PASSWORD: "encrypted",
            pdfium.FPDF_ERR_SECURITY: "encrypted",
            pdfium.FPDF_ERR_SUCCESS: "empty",
        }
        raise Unreadable(reasons.get(fault.err_code, "damaged")) from fault


def _read_page(
    opened: pypdfium2.PdfDocument, index: int, into: _Page, filled: bool, appearance: bool
) -> None:
    """Read a page's lines, with the contents of form fields.

    With `appearance`, lines have their weights.
    """
    page = opened[index]
    if filled:
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        page.close()
        page = opened[index]
    found, visible = page_lines(page, Glyphs(page.get_textpage()), appearance)
    into.lines = _cleaned(found)
    text = "\n".join(line.text for line in into.lines)
    words = len(text) if len(text) > 3 * PICTURE_LETTERS else sum(map(str.isalnum, text))
    if words < PICTURE_LETTERS:
        into.unread = SCANNED if Drawn(page).is_picture(visible, words) else ""
    if not into.unread and not is_legible(text):
        into.unread = GARBLED
        into.lines = [line for line in into.lines if legible_share(line.text)]
    divided = sum(bool(line.parts) for line in into.lines)
    # Where nearly all lines are rows, none continues a cell, and rules tell nothing.
    if divided < ALL_ROWS * len(into.lines) and may_hold_columns(into.lines):
        into.rules = Drawn(page).rules()
    page.close()


def _cleaned(found: Sequence[Placed]) -> list[Placed]:
    """Clean the lines' text; a line that ends with a soft hyphen continues in the next."""
    lines: list[Placed] = []
    hyphened = False
    for line in found:
        raw = line.text
        ends = raw[-1] in _SOFT_HYPHEN
        line.text = _clean(raw, spaced=line.step > 0)
        if line.parts:
            for part in line.parts:
                part.text = _clean(part.text)
            line.parts = tuple(part for part in line.parts if part.text)
        if hyphened and lines:
            lines[-1] = merged(lines[-1], line, lines[-1].text + line.text)
        elif line.text:
            lines.append(line)
        hyphened = ends
    return lines


def _clean(line: str, spaced: bool = False) -> str:
    if line.isascii() and line.isprintable():
        return line if spaced or "  " not in line else " ".join(line.split())
    line = normalise(line if line.isprintable() else _HYPHEN.sub("", line))
    if not line.isascii():
        line = _LIGATURES.sub(lambda form: unicodedata.normalize("NFKC", form.group()), line)
    return line.strip() if spaced else " ".join(line.split())


# --- headings


def _bookmarks(opened: pypdfium2.PdfDocument) -> dict[int, list[tuple[int, str]]]:
    """Return the bookmarks by page index: level (from 1) and title."""
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for count, bookmark in enumerate(opened.get_toc(max_depth=6)):
        if count >= MAX_BOOKMARKS:
            break
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        if index is not None:
            found[index].append((bookmark.level + 1, bookmark.get_title()))
    return found


def _locate_bookmarks(
    bookmarks: Sequence[tuple[int, str]], items: Sequence[Item]
) -> tuple[dict[int, tuple[int, str]], list[tuple[int, str]]]:
    """Find the line of each bookmark; those without a line apply from the top of the page."""
    placed: dict[int, tuple[int, str]] = {}
    unplaced: list[tuple[int, str]] = []
    begin = 0
    bare = [_bare(item.text) if isinstance(item, Placed) else "" for item in items]
    for level, title in bookmarks:
        wanted = _bare(title)
        for number in range(begin, len(bare)):
            line = bare[number]
            if wanted and (
                line == wanted or (line.endswith(wanted) and len(line) < len(wanted) + 8)
            ):
                placed[number] = (level, title)
                begin = number + 1
                break
        else:
            unplaced.append((level, title))
    return placed, unplaced


def _bare(text: str) -> str:
    return "".join(text.casefold().split())
