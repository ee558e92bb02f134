"""Put the recognised lines of a page into reading order and join them to paragraphs.

Standard library only. Lengths are in points of the page's picture; the lines are level.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from chatapp.core.text import count_tokens, is_wide

MIN_COLUMN_LINES = 3  # side by side, before a gap separates columns
MIN_COLUMN_WIDTH = 8  # line heights; narrower ones are cells of a table, which are read by rows
MIN_GUTTER = 0.8  # line heights
CELL_GAP = 2.5  # line heights; pieces of a row that are further apart are cells
BLANK_GAP = 0.6  # line heights; a smaller gap between Chinese characters is none
PARAGRAPH_PITCH = 1.45  # of the usual distance between two lines
PARAGRAPH_DISTANCE = 2.6  # line heights, from line to line
HEADING_RATIO = 1.3  # between the heights of two lines
INDENT = 0.9  # line heights
MIN_WRAPPED, MIN_WRAPPED_WIDE = 5, 15  # tokens of a line that is full
CELL_JOINT = " | "

_LIST_ITEM = re.compile(
    r"\s*(?:[•●▪◦■□*–—-]\s|\(?\d{1,3}[.)、]\s?\S|[(（]?[一二三四五六七八九十]{1,3}[)）、]"
    r"|第[一二三四五六七八九十百\d]+[章节条款])"
)
_HYPHENED = re.compile(r"[a-z]{2}-$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A recognised line, or a part of one; `number` is its place in the caller's list."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    number: int

    @property
    def middle(self) -> float:
        """Its vertical centre."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """Its height."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Row:
    """Pieces beside each other, from left to right."""

    pieces: tuple[Piece, ...]

    @property
    def left(self) -> float:
        """The left end of the first piece."""
        return self.pieces[0].left

    @property
    def right(self) -> float:
        """The right end of the last piece."""
        return self.pieces[-1].right

    @property
    def middle(self) -> float:
        """The vertical centre."""
        return sum(piece.middle for piece in self.pieces) / len(self.pieces)

    @property
    def height(self) -> float:
        """The height of its tallest piece."""
        return max(piece.height for piece in self.pieces)


def compose(pieces: Sequence[Piece]) -> tuple[str, list[tuple[int, int, int]]]:
    """Return a page's text, and number, start and end in the text of each of its pieces."""
    parts: list[str] = []
    places: list[tuple[int, int, int]] = []
    length = 0
    for joint, piece in _in_order(pieces):
        if joint == "-":  # a word that is divided at the end of a line
            parts[-1] = parts[-1][:-1]
            length -= 1
            number, start, end = places[-1]
            places[-1] = (number, start, end - 1)
            joint = ""
        parts += [joint, piece.text]
        length += len(joint)
        places.append((piece.number, length, length + len(piece.text)))
        length += len(piece.text)
    return "".join(parts), places


def _in_order(pieces: Sequence[Piece]) -> Iterator[tuple[str, Piece]]:
    """Yield each piece with what stands before it."""
    first = True
    for block in _blocks(sorted(pieces, key=lambda piece: piece.middle)):
        rows = _rows(block)
        for joint, row in zip(_joints(rows), rows, strict=True):
            yield "" if first else joint, row.pieces[0]
            first = False
            for before, piece in zip(row.pieces, row.pieces[1:], strict=False):
                yield _beside(before, piece), piece


# --- columns


def _blocks(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces that are read from the top to the bottom, column by column."""
    place = _gutter(pieces)
    if place is None:
        if pieces:
            yield pieces
        return
    plain: list[Piece] = []
    for run in _runs_beside(pieces, place):
        if not _are_columns(run, place):
            plain += run
            continue
        yield from _blocks(plain)
        plain = []
        yield from _blocks([piece for piece in run if piece.right <= place])
        yield from _blocks([piece for piece in run if piece.left >= place])
    yield from _blocks(plain)


def _gutter(pieces: Sequence[Piece]) -> float | None:
    """Return the place between two columns with the most lines beside it."""
    best: tuple[int, float] = (0, 0.0)
    found = None
    for place in sorted({piece.right for piece in pieces}):
        runs = [run for run in _runs_beside(pieces, place) if _are_columns(run, place)]
        if runs:
            gap = min(_gap(run, place) for run in runs)
            if (quality := (sum(map(len, runs)), gap)) > best:
                best, found = quality, place + gap / 2
    return found


def _runs_beside(pieces: Sequence[Piece], place: float) -> list[list[Piece]]:
    """Return runs of consecutive pieces that all cross a place, or all do not."""
    crosses = lambda piece: piece.left < place < piece.right  # noqa: E731
    return [list(run) for _, run in groupby(pieces, crosses)]


def _are_columns(run: Sequence[Piece], place: float) -> bool:
    sides = _sides(run, place)
    if min(map(len, sides)) < MIN_COLUMN_LINES or len(sides[0]) + len(sides[1]) < len(run):
        return False
    height = median(piece.height for piece in run)
    widths = [median(piece.right - piece.left for piece in side) for side in sides]
    tops = [min(piece.top for piece in side) for side in sides]
    bottoms = [max(piece.bottom for piece in side) for side in sides]
    beside = min(bottoms) - max(tops)
    return (
        min(widths) >= MIN_COLUMN_WIDTH * height
        and beside >= MIN_COLUMN_LINES * height
        and _gap(run, place) >= MIN_GUTTER * height
    )


def _gap(run: Sequence[Piece], place: float) -> float:
    left, right = _sides(run, place)
    return min(piece.left for piece in right) - max(piece.right for piece in left)


def _sides(run: Sequence[Piece], place: float) -> tuple[list[Piece], list[Piece]]:
    left = [piece for piece in run if piece.right <= place]
    return left, [piece for piece in run if piece.left >= place]


# --- rows and paragraphs


def _rows(pieces: Sequence[Piece]) -> list[Row]:
    """Group the pieces of a block into rows; pieces are sorted by their middle."""
    rows: list[list[Piece]] = []
    for piece in pieces:
        if rows and piece.middle - rows[-1][-1].middle < 0.5 * min(
            piece.height, rows[-1][-1].height
        ):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [Row(tuple(sorted(row, key=lambda piece: piece.left))) for row in rows]


def _beside(before: Piece, piece: Piece) -> str:
    """Return what stands between two pieces of a row."""
    gap, height = piece.left - before.right, min(before.height, piece.height)
    if gap > CELL_GAP * height:
        return CELL_JOINT
    both_wide = is_wide(before.text[-1]) and is_wide(piece.text[0])
    return "" if both_wide and gap < BLANK_GAP * height else " "


def _joints(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what stands before each row of a block: a paragraph's end, a line's, or a blank."""
    yield "\n\n"
    if len(rows) < 2:
        return
    pitch = median(
        below.middle - above.middle for above, below in zip(rows, rows[1:], strict=False)
    )
    left, right = min(row.left for row in rows), max(row.right for row in rows)
    for above, below in zip(rows, rows[1:], strict=False):
        ratio = max(above.height, below.height) / min(above.height, below.height)
        distance = below.middle - above.middle
        least = min(PARAGRAPH_PITCH * pitch, PARAGRAPH_DISTANCE * above.height)
        if distance > least or ratio > HEADING_RATIO:
            yield "\n\n"
        elif _is_wrapped(above, below, left, right):
            yield _wrapped_joint(above.pieces[-1].text, below.pieces[0].text)
        else:
            yield "\n"


def _is_wrapped(above: Row, below: Row, left: float, right: float) -> bool:
    """Return whether a line continues in the next one: it had no room for the next word."""
    if _is_table(above) or _is_table(below) or _LIST_ITEM.match(below.pieces[0].text):
        return False
    if (
        below.left - left > INDENT * below.height
        and below.left - above.left > INDENT * below.height
    ):
        return False
    piece, text = below.pieces[0], " ".join(each.text for each in above.pieces)
    if count_tokens(text) < (MIN_WRAPPED_WIDE if is_wide(text) else MIN_WRAPPED):
        return False
    first = piece.text[:2] if is_wide(piece.text[0]) else piece.text.split(" ", 1)[0]
    needed = (piece.right - piece.left) * (len(first) + 1) / len(piece.text)
    return above.right + needed + below.height / 2 > right


def _is_table(row: Row) -> bool:
    return any(
        _beside(before, piece) == CELL_JOINT
        for before, piece in zip(row.pieces, row.pieces[1:], strict=False)
    )


def _wrapped_joint(above: str, below: str) -> str:
    if is_wide(above[-1]) or is_wide(below[0]):
        return ""
    if _HYPHENED.search(above) and below[0].islower():
        return "-"
    return "" if above[-1] == "-" else " "
