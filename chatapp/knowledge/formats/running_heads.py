"""Finds running heads and page numbers by repetition at page edges, and drops them."""

import re
from collections import Counter
from collections.abc import Sequence

from chatapp.core.text import UNSPACED
from chatapp.knowledge.formats.inferred_headings import Line

EDGE_LINES = 2  # at the top and bottom of a page that may be running heads
MIN_PAGE_SHARE = 0.3  # share of the pages on which a line must repeat
FULL_WIDTH_QUANTILE = 0.9  # of the line widths: the full width
_NUMBER = re.compile(r"^\D{0,12}?(\d{1,5})\b|\b(\d{1,5})\D{0,8}$")
WIDE = re.compile(f"[{UNSPACED}\u3000-\u303f\uff00-\uffef]")


def drop_running_heads(pages: list[list[Line]]) -> None:
    """Drop all page numbers, and all but the first of equal lines at page edges."""
    if len(pages) < 3:
        return
    seen: Counter[str] = Counter()
    numbered: Counter[tuple[str, int]] = Counter()
    texts = [[line.text for line in lines] for lines in pages]
    for index, lines in enumerate(texts):
        for line in {lines[place] for place in _edges(lines)}:
            seen[line] += 1
            numbered[_numbering(line, index)] += 1
    enough = max(3, MIN_PAGE_SHARE * len(pages))
    kept: set[str] = set()
    for index, lines in enumerate(texts):
        full = full_width(lines)
        heads: set[int] = set()
        excluded: set[int] = set()
        for place in _edges(lines):
            line = lines[place]
            outermost = place in (0, len(lines) - 1) or {place - 1, place + 1} & heads
            if outermost and _may_be_head(line, full):
                is_number = (
                    _page_number(line) is not None and numbered[_numbering(line, index)] >= enough
                )
                if is_number or seen[line] >= enough:
                    heads.add(place)
                    if is_number or line in kept:
                        excluded.add(place)
            kept.add(line)
        # The first one is kept, but must not look like a heading.
        unstyled = [
            Line(line.text) if place in heads else line for place, line in enumerate(pages[index])
        ]
        pages[index] = [line for place, line in enumerate(unstyled) if place not in excluded]


def _edges(lines: Sequence[str]) -> list[int]:
    """Return the indices of a page's edge lines, from the outside in."""
    top, bottom = range(len(lines))[:EDGE_LINES], range(len(lines))[-EDGE_LINES:]
    return list(dict.fromkeys([*top, *reversed(bottom)]))


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
    return len(line) + len(WIDE.findall(line))
