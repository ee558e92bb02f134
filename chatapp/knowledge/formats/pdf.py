"""PDF: the text of every page, with wrapped lines joined again.

A PDF contains glyphs and positions, not paragraphs. A line without room for the next word was
wrapped and is joined with it; other line breaks are kept. Running heads and page numbers are
dropped, since they would interrupt sentences that continue on the next page. Headings come from
the outline, or else are inferred from the lines' appearance.
"""

import ctypes
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import pypdfium2
import pypdfium2.raw as pdfium

from chatapp.core.text import joins, normalise
from chatapp.knowledge.formats.document import Builder, Document, Skips, Unreadable
from chatapp.knowledge.formats.inferred_headings import Line, infer_headings
from chatapp.knowledge.formats.running_heads import WIDE, drop_running_heads, full_width, width

MEDIA_TYPE = "application/pdf"
# Share of unmapped characters, above which a PDF counts as a scan.
MAX_ILLEGIBLE_SHARE = 0.5
MAX_BOOKMARKS = 5000

BOLD = 600  # font weight; 400 is regular
MAX_BOLD = 120  # characters of a line that may be a bold heading
NAME_BYTES = 128  # of a font's name
SIZE_STEP = 0.5  # points; finer differences are rounding

# PDFium writes U+FFFE (older versions U+0002) for a hyphen at a line break.
_SOFT_HYPHEN = "\ufffe\x02"
_HYPHEN = re.compile(f"[{_SOFT_HYPHEN}]\\s*")
# Ligatures, and radicals that some fonts use for the characters they resemble: ﬁ for fi, ⽅ for 方.
_LIGATURES = re.compile("[\ufb00-\ufb06\u2e9f\u2ef3\u2f00-\u2fd5]")
_BOLD = re.compile(rb"bold|black|heavy|demi|cmbx|simhei", re.IGNORECASE)
_LIST_ITEM = re.compile(
    r"\s*(?:[•●▪◦■□*–—-]\s|\(?\d{1,3}[.)、]\s?\S|[(（]?[一二三四五六七八九十]{1,3}[)）、]|第[一二三四五六七八九十百\d]+[章节条款])"
)
_ILLEGIBLE = re.compile("[\ufffd\ue000-\uf8ff]")
_SENTENCE_ENDS = "。！？；….!?:：;"

Headings: TypeAlias = dict[int, tuple[int, str]]  # line number → level, title


def read(path: Path, name: str, max_pages: int) -> Document:
    """Read a PDF; raise Unreadable where it is encrypted, damaged, a scan, or too long."""
    opened = _open(path)
    if len(opened) > max_pages:
        raise Unreadable("pages", limit=max_pages)
    builder = Builder()
    bookmarks: dict[int, list[tuple[int, str]]] = {}
    with builder.skips:
        bookmarks = _bookmarks(opened)
    filled = opened.get_formtype() != pdfium.FORMTYPE_NONE
    pages: list[list[Line]] = [[] for _ in range(len(opened))]
    for index, lines in enumerate(pages):
        with builder.skips:
            lines += _lines(opened, index, filled, appearance=not bookmarks)
    _require_text(pages, builder.skips)
    drop_running_heads(pages)
    found = (
        [_locate_bookmarks(bookmarks.get(index, []), lines) for index, lines in enumerate(pages)]
        if bookmarks
        else _inferred(pages)
    )
    above = ""
    for lines, (headings, unplaced) in zip(pages, found, strict=True):
        builder.page()
        for level, title in unplaced:
            builder.section(level, title)
        above = _add_page(builder, [line.text for line in lines], above, headings)
    return builder.finish(MEDIA_TYPE)


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


def _lines(opened: pypdfium2.PdfDocument, index: int, filled: bool, appearance: bool) -> list[Line]:
    """Return a page's lines, with the contents of form fields.

    With `appearance`, lines have font sizes and weights.
    """
    page = opened[index]
    if filled:
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        page.close()
        page = opened[index]
    content = page.get_textpage()
    text = content.get_text_range()
    if len(text) != content.count_chars():  # then offsets do not identify characters
        appearance = False
    lines = [
        replace(line, text=_clean(line.text))
        for line in _split(text, content if appearance else None)
    ]
    page.close()
    return [line for line in lines if line.text]


def _split(text: str, content: pypdfium2.PdfTextPage | None) -> list[Line]:
    """Return the lines as drawn; a line that ends with a soft hyphen continues in the next."""
    lines: list[Line] = []
    start = 0
    hyphened = False
    for piece in text.split("\n"):
        bare = piece.rstrip()
        if hyphened:
            lines[-1] = replace(lines[-1], text=lines[-1].text + bare.lstrip().rstrip(_SOFT_HYPHEN))
        elif bare:
            lines.append(_with_appearance(bare.rstrip(_SOFT_HYPHEN), content, start))
        hyphened = bare.endswith(tuple(_SOFT_HYPHEN)) if bare else hyphened
        start += len(piece) + 1
    return lines


def _with_appearance(line: str, content: pypdfium2.PdfTextPage | None, start: int) -> Line:
    """Return a line with its font size, and bold if its first and last letters are."""
    if content is None or not line.strip():
        return Line(line)
    first, last = start + len(line) - len(line.lstrip()), start + len(line) - 1
    _, bottom, _, top = content.get_charbox(first, loose=True)
    bold = len(line) <= MAX_BOLD and _is_bold(content, first) and _is_bold(content, last)
    return Line(line, round((top - bottom) / SIZE_STEP) * SIZE_STEP, bold)


def _is_bold(content: pypdfium2.PdfTextPage, place: int) -> bool:
    """Return whether a letter is bold: by its font's name or weight."""
    name = ctypes.create_string_buffer(NAME_BYTES)
    pdfium.FPDFText_GetFontInfo(content, place, name, NAME_BYTES, ctypes.c_int())
    return bool(_BOLD.search(name.value)) or pdfium.FPDFText_GetFontWeight(content, place) >= BOLD


def _clean(line: str) -> str:
    if not line.isprintable():
        line = normalise(_HYPHEN.sub("", line))
    if not line.isascii():
        line = _LIGATURES.sub(
            lambda form: unicodedata.normalize("NFKC", form.group()), normalise(line)
        )
    return " ".join(line.split())


def _require_text(pages: Sequence[Sequence[Line]], skips: Skips) -> None:
    """Raise Unreadable for a scan: hardly any text, or mostly unmapped characters."""
    if skips.count and not any(pages):
        raise Unreadable("damaged")
    text = "".join(line.text for lines in pages for line in lines)
    needed = 1 if len(pages) < 3 else 4 * len(pages)
    words = len(list(islice(filter(str.isalnum, text), needed)))
    if words < needed or len(_ILLEGIBLE.findall(text)) > MAX_ILLEGIBLE_SHARE * len(text):
        raise Unreadable("no_text")


# --- joining lines into paragraphs


def _add_page(builder: Builder, lines: Sequence[str], above: str, headings: Headings) -> str:
    """Add a page's lines, joined where they belong together; return its last line."""
    full = full_width(lines)
    block, separator = "", "\n\n"
    for number, line in enumerate(lines):
        how = (
            None
            if number in headings or number - 1 in headings
            else _line_separator(above, line, full)
        )
        if block and (how is None or number in headings):
            builder.add(block, separator)
            block = ""
        if not block:
            separator = (
                how
                if how is not None
                else (
                    "\n\n"
                    if not above or above[-1] in _SENTENCE_ENDS or number in headings
                    else "\n"
                )
            )
            how = ""
        if number in headings:
            builder.section(*headings[number])
        block, above = f"{block}{how}{line}", line
    builder.add(block, separator)
    return above


def _line_separator(above: str, below: str, full: float) -> str | None:
    """Return what joins two lines: "", a space, or None where the break is kept."""
    if not above or _LIST_ITEM.match(below):
        return None
    first = below[:2] if WIDE.match(below[0]) else below.split(" ", 1)[0]
    if full < 20 or width(above) + width(first) < full * 0.97:
        return joins(above, below)
    return "" if WIDE.match(above[-1]) or WIDE.match(below[0]) or above[-1] == "-" else " "


# --- headings


def _inferred(pages: Sequence[Sequence[Line]]) -> list[tuple[Headings, list[tuple[int, str]]]]:
    """Infer the headings of a PDF without an outline; join adjacent lines of the same level."""
    levels = infer_headings([line for lines in pages for line in lines])
    found: list[tuple[Headings, list[tuple[int, str]]]] = []
    place = 0
    for lines in pages:
        headings: Headings = {}
        first = 0
        for number, line in enumerate(lines):
            level = levels.get(place + number)
            if level is None:
                continue
            if (
                number
                and levels.get(place + number - 1) == level
                and lines[number - 1].size == line.size
            ):
                headings[first] = (level, f"{headings[first][1]} {line.text}")
            else:
                first = number
                headings[first] = (level, line.text)
        found.append((headings, []))
        place += len(lines)
    return found


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
    bookmarks: Sequence[tuple[int, str]], lines: Sequence[Line]
) -> tuple[Headings, list[tuple[int, str]]]:
    """Find the line of each bookmark; those without a line apply from the top of the page."""
    placed: Headings = {}
    unplaced: list[tuple[int, str]] = []
    begin = 0
    for level, title in bookmarks:
        wanted = _bare(title)
        for number in range(begin, len(lines)):
            line = _bare(lines[number].text)
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
