"""PDF: the text of every page, with its broken lines made whole again.

A PDF knows glyphs and places, not paragraphs. A line that had no room left for the next word was broken by its width and is
joined; any other break was meant. Running heads and page numbers are left out, since they would stand in the middle of
sentences that go on over the page.
"""

import ctypes
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from chatapp.core.text import UNSPACED, joins, normalise
from chatapp.knowledge.formats import Builder, Document, Unreadable

MEDIA_TYPE = "application/pdf"
EDGE_LINES = 2  # at the top and bottom of a page may be running heads
REPEATED = 0.3  # share of the pages on which a running head stands
LEGIBLE = 0.5  # share of characters that have to be real ones
TYPICAL = 0.9  # quantile of line widths that counts as the full width
MOST_BOOKMARKS = 5000

# PDFium writes U+FFFE (older ones U+0002) for a hyphen that it takes for a line's, not a word's.
_SOFT_HYPHEN = re.compile("[\ufffe\x02]\\s*")
_WIDE = re.compile(f"[{UNSPACED}\u3000-\u303f\uff00-\uffef]")
_ITEM = re.compile(
    r"\s*(?:[•●▪◦■□*–—-]\s|\(?\d{1,3}[.)、]\s?\S|[(（]?[一二三四五六七八九十]{1,3}[)）、]|第[一二三四五六七八九十百\d]+[章节条款])"
)
_NUMBER = re.compile(r"^\D{0,12}?(\d{1,5})\b|\b(\d{1,5})\D{0,8}$")
_ILLEGIBLE = re.compile("[\ufffd\ue000-\uf8ff]")
_ENDS = "。！？；….!?:：;"


def read(path: Path, name: str, most_pages: int) -> Document:
    """Read a PDF; raise Unreadable where it is locked, damaged, a scan, or has more than `most_pages`."""
    opened = _open(path)
    if len(opened) > most_pages:
        raise Unreadable("pages", limit=most_pages)
    pages = [_lines(opened, index) for index in range(len(opened))]
    _require_text(pages)
    _drop_running_heads(pages)
    bookmarks = _bookmarks(opened)
    builder = Builder()
    above = ""
    for index, lines in enumerate(pages):
        builder.page()
        above = _add_page(builder, lines, above, bookmarks.get(index, []))
    return builder.finish(MEDIA_TYPE)


def _open(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as fault:
        reasons = {pdfium.FPDF_ERR_PASSWORD: "encrypted", pdfium.FPDF_ERR_SECURITY: "encrypted", pdfium.FPDF_ERR_SUCCESS: "empty"}
        raise Unreadable(reasons.get(fault.err_code, "damaged")) from fault


def _lines(opened: pypdfium2.PdfDocument, index: int) -> list[str]:
    """Return the lines of a page; a page that cannot be read has none."""
    try:
        page = opened[index]
        text = page.get_textpage().get_text_range()
        page.close()
    except (pypdfium2.PdfiumError, ctypes.ArgumentError):
        return []
    text = normalise(_SOFT_HYPHEN.sub("", text))
    return [line for line in (" ".join(line.split()) for line in text.split("\n")) if line]


def _require_text(pages: Sequence[Sequence[str]]) -> None:
    """Raise Unreadable for a scan: no text at all, or next to none, or characters without a meaning."""
    text = "".join("".join(lines) for lines in pages)
    words = sum(character.isalnum() for character in text)
    if words < (1 if len(pages) < 3 else 4 * len(pages)) or len(_ILLEGIBLE.findall(text)) > LEGIBLE * len(text):
        raise Unreadable("no_text")


# --- running heads ---------------------------------------------------------------------------------------------------


def _drop_running_heads(pages: list[list[str]]) -> None:
    """Remove what repeats at the edges of pages; of a repeated line the first one stays, page numbers all go."""
    if len(pages) < 3:
        return
    seen: Counter[str] = Counter()
    numbered: Counter[tuple[str, int]] = Counter()
    for index, lines in enumerate(pages):
        for line in {lines[place] for place in _edges(lines)}:
            seen[line] += 1
            numbered[_numbering(line, index)] += 1
    enough = max(3, REPEATED * len(pages))
    kept: set[str] = set()
    for index, lines in enumerate(pages):
        full = _full_width(lines)
        dropped: set[int] = set()
        for place in _edges(lines):
            line = lines[place]
            outermost = place in (0, len(lines) - 1) or {place - 1, place + 1} & dropped
            if outermost and _like_a_head(line, full):
                is_number = _page_number(line) is not None and numbered[_numbering(line, index)] >= enough
                if is_number or (seen[line] >= enough and line in kept):
                    dropped.add(place)
            kept.add(line)
        pages[index] = [line for place, line in enumerate(lines) if place not in dropped]


def _edges(lines: Sequence[str]) -> list[int]:
    """Return where running heads may stand, from the outside in."""
    top, bottom = range(len(lines))[:EDGE_LINES], range(len(lines))[-EDGE_LINES:]
    return list(dict.fromkeys([*top, *reversed(bottom)]))


def _like_a_head(line: str, full: float) -> bool:
    """Say whether a line could be a running head: no end of a sentence, and not as wide as the text."""
    return line[-1] not in "。！？；，.!?;," and (_width(line) < full * 0.9 or len(line) < 20)


def _numbering(line: str, index: int) -> tuple[str, int]:
    return re.sub(r"\d+", "#", line), (_page_number(line) or 0) - index


def _page_number(line: str) -> int | None:
    found = _NUMBER.search(line) if len(line) < 80 else None
    return int(found.group(1) or found.group(2)) if found else None


# --- lines to paragraphs ---------------------------------------------------------------------------------------------


def _add_page(builder: Builder, lines: Sequence[str], above: str, bookmarks: Sequence[tuple[int, str]]) -> str:
    """Add a page's lines, joined where they belong together; return its last line."""
    headings, unplaced = _place(bookmarks, lines)
    for level, title in unplaced:
        builder.section(level, title)
    full = _full_width(lines)
    block, joint = "", "\n\n"
    for number, line in enumerate(lines):
        how = None if number in headings or number - 1 in headings else _joint(above, line, full)
        if block and (how is None or number in headings):
            builder.add(block, joint)
            block = ""
        if not block:
            joint = how if how is not None else ("\n\n" if not above or above[-1] in _ENDS or number in headings else "\n")
            how = ""
        if number in headings:
            builder.section(*headings[number])
        block, above = f"{block}{how}{line}", line
    builder.add(block, joint)
    return above


def _full_width(lines: Sequence[str]) -> float:
    widths = sorted(_width(line) for line in lines)
    return widths[int(len(widths) * TYPICAL)] if widths else 0


def _width(line: str) -> int:
    return len(line) + len(_WIDE.findall(line))


def _joint(above: str, below: str, full: float) -> str | None:
    """Say what joins two lines: nothing, a blank, or None where the break was meant."""
    if not above or _ITEM.match(below):
        return None
    first = below[:2] if _WIDE.match(below[0]) else below.split(" ", 1)[0]
    if full < 20 or _width(above) + _width(first) < full * 0.97:
        return joins(above, below)
    return "" if _WIDE.match(above[-1]) or _WIDE.match(below[0]) or above[-1] == "-" else " "


# --- bookmarks -------------------------------------------------------------------------------------------------------


def _bookmarks(opened: pypdfium2.PdfDocument) -> dict[int, list[tuple[int, str]]]:
    """Return the bookmarks of each page by its index: level (from 1) and title."""
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for count, bookmark in enumerate(opened.get_toc(max_depth=6)):
        if count >= MOST_BOOKMARKS:
            break
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        if index is not None:
            found[index].append((bookmark.level + 1, bookmark.get_title()))
    return found


def _place(
    bookmarks: Sequence[tuple[int, str]], lines: Sequence[str]
) -> tuple[dict[int, tuple[int, str]], list[tuple[int, str]]]:
    """Find the line of each bookmark; those without one hold from the top of the page on."""
    placed: dict[int, tuple[int, str]] = {}
    unplaced: list[tuple[int, str]] = []
    begin = 0
    for level, title in bookmarks:
        wanted = _bare(title)
        for number in range(begin, len(lines)):
            line = _bare(lines[number])
            if wanted and (line == wanted or (line.endswith(wanted) and len(line) < len(wanted) + 8)):
                placed[number] = (level, title)
                begin = number + 1
                break
        else:
            unplaced.append((level, title))
    return placed, unplaced


def _bare(text: str) -> str:
    return "".join(text.casefold().split())
