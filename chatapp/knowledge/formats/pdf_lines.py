"""The lines of a PDF's page with their places, as pdfium finds them.

Each line has the box of its first and last letter; the boxes between its words are read only where
it is wider than its letters need, since they cost more than the text itself. Positions are turned
so that text runs to the right and y grows upwards, whichever way the page lies.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pypdfium2

from chatapp.knowledge.formats.pdf_glyphs import Glyphs
from chatapp.knowledge.formats.pdf_placed import Box, Placed, Sides, around
from chatapp.knowledge.formats.running_heads import WIDE

MAX_BOLD = 120  # characters of a line that may be a bold heading
SIZE_STEP = 0.5  # points; finer differences are rounding
OUTSIDE_POINTS = 2.0  # beyond the visible page that a letter may reach
# A gap of this many times the font's size may separate columns; words have a quarter.
COLUMN_GAP = 0.75
# A line may hold columns where it is wider than usual for its letters by these.
LOOSE_RATIO = 1.12
LOOSE_SIZES = 1.3
WIDE_GAP = 2.0  # of the font's size; a line with such a gap is no prose
MIN_REFERENCE_CHARACTERS = 25  # of lines from which the usual width is taken
USUAL_RATIO = 0.85  # of a line's width to that of its letters in Helvetica, by the box's height
JUSTIFIED = 0.6  # share of a line's gaps that are wide where it is drawn out to the margin
WIDEST_FONT = 1.05  # times Helvetica, that a page may have before its lines count as wide
SAME_WIDTH = 0.02  # of a letter's; equal widths mean a font for code

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LEADER = re.compile(r"[._…·]+(?: |$)")
_WORD = re.compile(r"\S+")
# Widths of Helvetica's letters in hundredths of the font's size, by their Latin-1 code.
_WIDTHS = bytearray([55] * 256)
for _letters, _width in (
    ("iljI.,:;'|!", 25), ("ftr()[]{}/\\- `\"", 31), ("ABEFKLPRSTVXYZ&", 67),
    ("CDGHNOQUwm", 74), ("MW@%", 90), ("csvxyzkJ", 50),
):  # fmt: skip
    for _letter in _letters:
        _WIDTHS[ord(_letter)] = _width
_WIDTHS_TABLE = bytes(_WIDTHS)


Turn = Callable[[float, float, float, float], Box]
_TURNS: dict[int, Turn] = {
    0: Box,
    90: lambda left, bottom, right, top: Box(bottom, -right, top, -left),
    180: lambda left, bottom, right, top: Box(-right, -top, -left, -bottom),
    270: lambda left, bottom, right, top: Box(-top, left, -bottom, right),
}


class _Raw(NamedTuple):
    text: str
    start: int
    first: Sides
    last: Sides
    direction: int


def page_lines(
    page: pypdfium2.PdfPage, glyphs: Glyphs, appearance: bool
) -> tuple[list[Placed], Box]:
    """Return a page's visible lines in the order of the file, and the visible page.

    With `appearance`, lines have their weights.
    """
    raws = list(_raw_lines(glyphs))
    main = _main_direction(raws)
    visible = _TURNS[main](*_visible(page))
    reader = _Lines(glyphs, main, visible, appearance)
    lines = [line for raw in raws if (line := reader.line(raw, raw.direction != main))]
    reader.find_parts(lines)
    return lines, visible


def _raw_lines(glyphs: Glyphs) -> Iterator[_Raw]:
    start = 0
    for piece in glyphs.text.split("\n"):
        bare = piece.strip()
        if bare:
            first = start + (0 if piece[0] == bare[0] else len(piece) - len(piece.lstrip()))
            one = glyphs.box(first)
            two = glyphs.box(first + len(bare) - 1) if len(bare) > 1 else one
            yield _Raw(bare, first, one, two, _direction(bare, one, two))
        start += len(piece) + 1


def _direction(text: str, first: Sides, last: Sides) -> int:
    across, up = last[0] - first[0], last[1] - first[1]
    if across >= 0 and -across <= up <= across:
        return 0
    height = first[3] - first[1]
    if abs(up) > abs(across) and abs(up) > height:
        return 90 if up > 0 else 270
    if across < -height and (text.isascii() or not _RIGHT_TO_LEFT.search(text)):
        return 180
    return 0


def _main_direction(raws: Sequence[_Raw]) -> int:
    if not any(raw.direction for raw in raws):
        return 0
    weights = {0: 0, 90: 0, 180: 0, 270: 0}
    for raw in raws:
        weights[raw.direction] += len(raw.text)
    return max(weights, key=weights.__getitem__)


def _visible(page: pypdfium2.PdfPage) -> Sides:
    """Return the part of a page that is shown: its crop box within its media box.

    PDFium puts the corners in order, which files may name in any.
    """
    left, bottom, right, top = page.get_bbox()
    return left, bottom, right, top


class _Lines:
    """Makes a page's lines."""

    def __init__(self, glyphs: Glyphs, main: int, visible: Box, appearance: bool) -> None:
        self._glyphs = glyphs
        self._turn = _TURNS[main]
        self._upright = main in (0, 180)
        self._appearance = appearance
        self._visible = Box(
            visible.left - OUTSIDE_POINTS,
            visible.bottom - OUTSIDE_POINTS,
            visible.right + OUTSIDE_POINTS,
            visible.top + OUTSIDE_POINTS,
        )
        self._starts: dict[int, int] = {}  # id of a line → its place in the text

    def line(self, raw: _Raw, sideways: bool) -> Placed | None:
        """Return a line, of which only the visible part; None where nothing is."""
        text, start, first, last, _ = raw
        if self._turn is not Box:
            first, last = self._turn(*first), self._turn(*last)
        box = around(first, last)
        seen_left, seen_bottom, seen_right, seen_top = seen = self._visible
        left, bottom, right, top = box
        if not (
            left >= seen_left
            and right <= seen_right
            and seen_bottom <= (bottom + top) / 2 <= seen_top
        ) and any(box):
            words = [part for part in self._words(text, start) if _holds(seen, part[1])]
            if not words:
                return None
            first = words[0][1]
            left, bottom, right, top = box = around(first, words[-1][1])
            start, text = words[0][2], " ".join(part[0] for part in words)
        line = Placed(text, box, round((first[3] - first[1]) / SIZE_STEP) * SIZE_STEP)
        whole = text == raw.text
        if sideways:
            line.sideways = True
        else:
            step = first[2] - first[0]
            if (
                abs(last[2] - last[0] - step) < SAME_WIDTH * step
                and abs(right - left - step * len(text)) < step
                and text.isascii()
                and len(text) > 1
            ):
                line.step = step
            if self._appearance and len(text) <= MAX_BOLD:
                is_bold = self._glyphs.is_bold
                line.bold = is_bold(start) and is_bold(start + len(text) - 1 if whole else start)
        if whole and " " in text:
            self._starts[id(line)] = start
        return line

    def find_parts(self, lines: Sequence[Placed]) -> None:
        """Split the lines that are wider than their letters need, and their neighbours."""
        if not lines:
            return
        widths = [_letters_width(line) for line in lines]
        ratios: dict[float, list[float]] = defaultdict(list)
        for line, width in zip(lines, widths, strict=True):
            if width and len(line.text) >= MIN_REFERENCE_CHARACTERS:
                ratios[line.size].append((line.box.right - line.box.left) / width)
        usual = {
            size: min(sorted(found)[len(found) * 2 // 5], USUAL_RATIO * WIDEST_FONT)
            for size, found in ratios.items()
            if len(found) > 3
        }
        split: list[int] = []
        for number, (line, width) in enumerate(zip(lines, widths, strict=True)):
            if line.step:
                continue
            expected = usual.get(line.size, USUAL_RATIO) * width
            over = line.box.right - line.box.left - expected
            if (
                over > LOOSE_SIZES * line.size
                and over > (LOOSE_RATIO - 1) * expected
                and self._split(line)
            ):
                split.append(number)
        for number in split if len(split) > 1 else ():
            for near in lines[max(0, number - 2) : number + 3]:
                if not near.parts:
                    self._split(near)

    def _split(self, line: Placed) -> bool:
        """Split a line at its wide gaps; return whether it has such as only columns have."""
        start = self._starts.pop(id(line), None)
        if start is None or line.step or line.sideways or " " not in line.text:
            return False
        text, widest, forward = line.text, 0.0, self._turn is Box
        cuts = [0]
        edges = [line.box.left]  # of the parts: left, right, left, right
        gaps = self._glyphs.gaps(text, start, self._upright, COLUMN_GAP * line.size)
        for place, width, begins, ends, ahead in gaps:
            if not _LEADER.match(text, place):
                cuts.append(place)
                edges += (begins, ends)
                widest = max(widest, width)
                forward = forward and ahead
        if len(cuts) < 2 or (
            len(cuts) > JUSTIFIED * text.count(" ") and _is_justified(text, widest, line.size)
        ):
            return False
        if not self._appearance:
            line.bold = self._glyphs.is_bold(start)
        _, bottom, right, top = line.box
        edges.append(right)
        parts: list[Placed] = []
        for number, (begin, end) in enumerate(zip(cuts, [*cuts[1:], len(text)], strict=True)):
            piece = text[begin:end].rstrip()
            if forward:
                box = Box(edges[2 * number], bottom, edges[2 * number + 1], top)
            else:
                first, last = start + begin, start + begin + len(piece) - 1
                box = around(
                    self._turn(*self._glyphs.box(first)), self._turn(*self._glyphs.box(last))
                )
            parts.append(Placed(piece, box, line.size, line.bold))
        line.parts = tuple(parts)
        return len(cuts) > 2 or widest > WIDE_GAP * line.size

    def _words(self, text: str, start: int) -> Iterator[tuple[str, Box, int]]:
        """Yield a line's words with their boxes and their places in the text."""
        box, turn = self._glyphs.box, self._turn
        for found in _WORD.finditer(text):
            begin, end = start + found.start(), start + found.end() - 1
            yield found.group(), around(turn(*box(begin)), turn(*box(end))), begin


def _is_justified(text: str, widest: float, size: float) -> bool:
    """Return whether gaps between nearly all words are those of a line drawn out to the margin."""
    return widest < WIDE_GAP * size and sum(map(str.isalpha, text)) * 2 > len(text)


def _holds(area: Box, box: Box) -> bool:
    across, up = (box.left + box.right) / 2, (box.bottom + box.top) / 2
    return area.left <= across <= area.right and area.bottom <= up <= area.top


def _letters_width(line: Placed) -> float:
    """Estimate a line's width without wide gaps, up to its font's ratio."""
    text = line.text
    hundredths = sum(text.encode("latin-1", "replace").translate(_WIDTHS_TABLE))
    if not text.isascii() and max(text) > "\u0e00":
        hundredths += 45 * len(WIDE.findall(text))
    return hundredths * line.size / 100
