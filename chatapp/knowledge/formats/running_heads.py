"""Finds running heads and page numbers by repetition at page edges, and drops them."""

import re
from collections import Counter
from collections.abc import Sequence

from chatapp.core.text import UNSPACED
from chatapp.knowledge.formats.pdf_placed import Placed

EDGE_LINES = 3  # at the top and bottom of a page that may be running heads
MIN_PAGE_SHARE = 0.3  # share of the pages on which a line must repeat
FULL_WIDTH_QUANTILE = 0.9  # of the line widths: the full width
_NUMBER = re.compile(r"^\D{0,12}?(\d{1,5})\b|\b(\d{1,5})\D{0,8}$")
WIDE = re.compile(f"[{UNSPACED}\u3000-\u303f\uff00-\uffef]")


def drop_running_heads(pages: list[list[Placed]]) -> None:
    """Drop all page numbers, and all but the first of equal lines at page edges."""
    if len(pages) < 3:
        return
    seen: Counter[str] = Counter()
    numbered: Counter[tuple[str, int]] = Counter()
    edges = [_edges(lines) for lines in pages]
    for index, (lines, places) in enumerate(zip(pages, edges, strict=True)):
        for text in {lines[place].text for place in places}:
            seen[text] += 1
            numbered[_numbering(text, index)] += 1
    enough = max(3, MIN_PAGE_SHARE * len(pages))
    kept: set[str] = set()
    for index, (lines, places) in enumerate(zip(pages, edges, strict=True)):
        full = 0.0
        excluded: set[int] = set()
        inner = {0: False, 1: False}  # whether the text has begun, from the top and the bottom
        for rank, place in enumerate(places):
            text = lines[place].text
            is_number = (
                _page_number(text) is not None and numbered[_numbering(text, index)] >= enough
            )
            may_be = not inner[rank % 2] and (is_number or seen[text] >= enough)
            if may_be and not full:
                full = full_width([line.text for line in lines])
            if may_be and _may_be_head(text, full):
                lines[place].head = True  # the first one is kept, but is no heading
                if is_number or text in kept:
                    excluded.add(place)
            elif not _beside_another(lines, place, places):
                inner[rank % 2] = True
            kept.add(text)
        lines[:] = [line for place, line in enumerate(lines) if place not in excluded]


def _edges(lines: Sequence[Placed]) -> list[int]:
    """Return the indices of a page's edge lines: from the top and the bottom in turns, inwards."""
    order = sorted(
        range(len(lines)), key=lambda place: -(lines[place].box.top + lines[place].box.bottom)
    )
    found: list[int] = []
    for top, bottom in zip(order[:EDGE_LINES], order[: -EDGE_LINES - 1 : -1], strict=True):
        found += [top, bottom]
    return list(dict.fromkeys(found)) if len(lines) > 2 * EDGE_LINES else found


def _beside_another(lines: Sequence[Placed], place: int, places: Sequence[int]) -> bool:
    """Return whether a line stands beside another one at the edge of the page."""
    box = lines[place].box
    return any(
        other != place
        and lines[other].box.bottom < (box.bottom + box.top) / 2 < lines[other].box.top
        for other in places
    )


def _may_be_head(line: str, full: float) -> bool:
    """Return whether a line may be a running head: no sentence end, and narrower than the text."""
    return line[-1] not in "。！？；，.!?;," and (width(line) < full * 0.9 or len(line) < 20)


def _numbering(line: str, index: int) -> tuple[str, int]:
    return re.sub(r"\d+", "#", line), (_page_number(line) or 0) - index


def _page_number(line: str) -> int | None:
    found = _NUMBER.search(line) if len(line) < 80 else None
    return int(found.group(1) or found.group(2)) if found else None


def full_width(lines: Sequence[str]) -> float:
    widths = sorted(width(line) for line in lines)
    return widths[int(len(widths) * FULL_WIDTH_QUANTILE)] if widths else 0


def width(line: str) -> int:
    return len(line) if line.isascii() else len(line) + len(WIDE.findall(line))
