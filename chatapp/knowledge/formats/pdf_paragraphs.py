"""Paragraphs of a PDF: which lines were wrapped and are joined again, code with its indentation,
rows of tables, and headings by their look.

A line was wrapped if the first word of the next one had no room behind it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from chatapp.core.text import joins
from chatapp.knowledge.formats.document import Builder
from chatapp.knowledge.formats.inferred_headings import Line, infer_headings
from chatapp.knowledge.formats.pdf_layout import Item
from chatapp.knowledge.formats.pdf_lines import WIDE_GAP
from chatapp.knowledge.formats.pdf_placed import Placed
from chatapp.knowledge.formats.pdf_rows import Table
from chatapp.knowledge.formats.running_heads import WIDE
from chatapp.knowledge.formats.tables import continued

EDGE_STEP = 12.0  # points within which lines begin alike
MIN_FULL_LINES = 2  # that end where the column does
PARAGRAPH_GAP = 0.9  # of a line's height, more than usual between lines, between paragraphs
MAX_CODE_SHARE = 0.6  # of the lines; above it, the font for code is that of the text
SAME_COLUMN_POINTS = 8.0
MIN_REPEATS = 3  # equal lines that are no headings
MAX_HEADING_DISTANCE = 4.0  # of a heading's height, to the text below it

_LIST_ITEM = re.compile(
    r"\s*(?:[•●▪◦■□*–—-]\s|\(?\d{1,3}[.)、]\s?\S|[(（]?[一二三四五六七八九十]{1,3}[)）、]|第[一二三四五六七八九十百\d]+[章节条款])"
)
_NUMBERED = re.compile(r"\d{1,4}\s")
_SENTENCE_ENDS = "。！？；….!?:：;"

Headings = dict[int, tuple[int, str]]  # number of the item → level, title


class Pages:
    """Adds the pages of a PDF to a document, one after the other."""

    def __init__(self, builder: Builder, lines: Sequence[Placed]) -> None:
        self._builder = builder
        self._above: Placed | None = None
        self._labels: dict[int, str] = {}
        self._columns: list[list[float]] = []
        self._has_code = 0 < sum(line.step > 0 for line in lines) < MAX_CODE_SHARE * len(lines)

    def add(self, items: Sequence[Item], headings: Headings) -> None:
        """Add a page, with lines joined where they belong together."""
        edges = _edges(items)
        usual = _usual_gap(items)
        block, separator = "", "\n\n"
        number = 0
        while number < len(items):
            item = items[number]
            code = self._code_lines(items, number) if self._has_code else 0
            if isinstance(item, Table) or code > 1:
                self._builder.add(block, separator)
                block = ""
                if isinstance(item, Table):
                    self._add_table(item)
                else:
                    lines = items[number : number + code]
                    self._add_code([line for line in lines if isinstance(line, Placed)])
                number += max(1, code)
                continue
            how = None
            if number not in headings and number - 1 not in headings:
                how = _separator(self._above, item, edges, usual)
            if block and (how is None or number in headings):
                self._builder.add(block, separator)
                block = ""
            if not block:
                separator = how if how is not None else self._break(number in headings)
                how = ""
            if number in headings:
                self._builder.section(*headings[number])
            block, self._above = f"{block}{how}{item.text}", item
            number += 1
        self._builder.add(block, separator)

    def _break(self, heading: bool) -> str:
        above = self._above
        return "\n\n" if above is None or above.text[-1] in _SENTENCE_ENDS or heading else "\n"

    def _add_table(self, table: Table) -> None:
        if not _continues(self._columns, table.columns):
            self._labels.clear()
        for row in continued(table.rows, self._labels, table.header):
            self._builder.add(row)
        self._columns = table.columns
        self._above = None

    def _code_lines(self, items: Sequence[Item], number: int) -> int:
        """Return how many lines from here on are in one font for code."""
        count = 0
        first = items[number]
        while number + count < len(items):
            item = items[number + count]
            if not isinstance(item, Placed) or not item.step or not isinstance(first, Placed):
                break
            if abs(item.step - first.step) > 0.05 * first.step:
                break
            count += 1
        return (
            count
            if any(
                isinstance(one, Placed) and any(map(str.isalpha, one.text))
                for one in items[number : number + count]
            )
            else 0
        )

    def _add_code(self, lines: Sequence[Placed]) -> None:
        left = min(line.box.left for line in lines)
        self._builder.add(
            "\n".join(" " * round((line.box.left - left) / line.step) + line.text for line in lines)
        )
        self._above = None


def _continues(above: Sequence[Sequence[float]], below: Sequence[Sequence[float]]) -> bool:
    """Return whether a table has the columns of the one before it."""
    return len(above) == len(below) and all(
        min(abs(one[0] - two[0]), abs(one[1] - two[1])) < SAME_COLUMN_POINTS
        for one, two in zip(above, below, strict=True)
    )


# --- joining lines


def _edges(items: Sequence[Item]) -> dict[int, float]:
    """Return where full lines end, by where they begin; absent where few lines end there."""
    ends: dict[int, list[float]] = defaultdict(list)
    for item in items:
        if isinstance(item, Placed):
            left, right = _span(item)
            ends[int(left / EDGE_STEP)].append(right)
    edges: dict[int, float] = {}
    for key in ends:
        near = [*ends.get(key - 1, ()), *ends[key], *ends.get(key + 1, ())]
        if len(near) >= MIN_FULL_LINES:
            near.sort()
            edge = near[-1 - len(near) // 20]
            start = key * EDGE_STEP
            full = sum(end > edge - 0.1 * (edge - start) for end in near)
            if full >= MIN_FULL_LINES:
                edges[key] = edge
    return edges


def _span(line: Placed) -> tuple[float, float]:
    """Return where a line begins and ends in the direction of its script."""
    if not line.text.isascii() and "\u0590" <= line.text[0] <= "\u08ff":
        return -line.box.right, -line.box.left
    return line.box.left, line.box.right


def _usual_gap(items: Sequence[Item]) -> float:
    gaps: Counter[float] = Counter()
    above: Placed | None = None
    for item in items:
        if isinstance(item, Placed):
            if above is not None and 0 < above.box.top - item.box.top < 60:
                gaps[round(above.box.bottom - item.box.top)] += 1
            above = item
    return gaps.most_common(1)[0][0] if gaps else 0.0


def is_gapped(line: Placed) -> bool:
    """Return whether a line has a gap that no prose has."""
    return any(
        two.box.left - one.box.right > WIDE_GAP * line.size
        for one, two in zip(line.parts, line.parts[1:], strict=False)
    )


def _separator(
    above: Placed | None, below: Placed, edges: dict[int, float], usual: float
) -> str | None:
    """Return what joins two lines: "", a space, or None where the break is kept."""
    if above is None or _LIST_ITEM.match(below.text):
        return None
    if (above.parts and is_gapped(above)) or (below.parts and is_gapped(below)):
        return None
    if abs(above.size - below.size) > 0.15 * above.size or above.sideways != below.sideways:
        return None
    _, bottom, right, top = above.box
    next_left, next_bottom, next_right, next_top = below.box
    gap = bottom - next_top
    height = top - bottom
    if gap - usual > PARAGRAPH_GAP * height and max(usual, 0) < gap < 20 * height:
        return None
    if next_left >= right and 2 * abs((top + bottom) - (next_top + next_bottom)) < height:
        return None  # beside it
    if above.bold != below.bold or (above.text[0].isdigit() and _NUMBERED.match(below.text)):
        return None
    left, right = _span(above)
    edge = edges.get(int(left / EDGE_STEP))
    text, next_text = above.text, below.text
    first = 2 if WIDE.match(next_text) else len(next_text.split(" ", 1)[0]) + 1
    room = (next_right - next_left) / len(next_text) * first
    if edge is None or right + room < edge - 0.01 * (edge - left):
        return joins(text, next_text)
    return "" if WIDE.match(text[-1]) or WIDE.match(next_text) or text[-1] == "-" else " "


# --- headings


def inferred_headings(pages: Sequence[Sequence[Item]]) -> list[Headings]:
    """Infer the headings of a PDF without an outline; join adjacent lines of the same level."""
    lines = [item for items in pages for item in items]
    levels = infer_headings(
        [Line(item.text, item.size, isinstance(item, Placed) and item.bold) for item in lines]
    )
    repeats = Counter(lines[place].text for place in levels)
    found: list[Headings] = []
    place = 0
    for items in pages:
        headings: Headings = {}
        first, last = 0, -2
        for number, item in enumerate(items):
            level = levels.get(place)
            place += 1
            if level is None or not isinstance(item, Placed) or repeats[item.text] >= MIN_REPEATS:
                continue
            if not _stands_alone(items, number):
                continue
            above = items[number - 1] if last == number - 1 else None
            if (
                isinstance(above, Placed)
                and headings[first][0] == level
                and above.size == item.size
            ):
                headings[first] = (level, f"{headings[first][1]} {item.text}")
            else:
                first = number
                headings[first] = (level, item.text)
            last = number
        found.append(headings)
    return found


def _stands_alone(items: Sequence[Item], number: int) -> bool:
    """Return whether a line heads the text below it, unlike the labels of a figure."""
    line = items[number]
    if not isinstance(line, Placed) or line.sideways or line.head or is_gapped(line):
        return False
    box = line.box
    height = box.top - box.bottom
    for other in (*items[max(0, number - 1) : number], *items[number + 1 : number + 2]):
        near = other.box
        level = min(near.top, box.top) - max(near.bottom, box.bottom) > 0.5 * height
        if level and isinstance(other, Placed):
            return False
    if number + 1 < len(items):
        below = items[number + 1].box
        return not (0 < box.bottom - below.top > MAX_HEADING_DISTANCE * 3 * height)
    return True
