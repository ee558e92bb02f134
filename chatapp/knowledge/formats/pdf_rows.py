"""The rows of a PDF's table: lines of one cell are joined, empty cells keep their column.

Rules drawn between rows tell where a row ends; without them, the distances between lines do, or
lines that only continue a cell.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from chatapp.core.text import joins
from chatapp.knowledge.formats.pdf_placed import Box, Placed, median
from chatapp.knowledge.formats.running_heads import WIDE
from chatapp.knowledge.formats.tables import all_words, confirms, is_figure

LEADING = 1.5  # of a line's height: the largest distance of lines in a cell
SPREAD = 1.25  # a row's distance from the next to that of lines in a cell
FILLED = 0.75  # share of a column's width that a wrapped line fills
DENSE = 0.75  # share of filled cells, from which lines between two rules are rows of their own
MAX_HEADER_ROWS = 3
RULE_WIDTH = 0.4  # share of the table's width that a rule between rows spans


_RIGHT = itemgetter(1)


class Piece:
    """A part of a line on a page, with the number of its line."""

    __slots__ = ("box", "line", "placed", "text")

    def __init__(self, placed: Placed, line: int) -> None:
        self.placed = placed
        self.line = line
        self.box = placed.box
        self.text = placed.text


def overlapped(columns: Sequence[Sequence[float]], box: Box) -> range:
    """Return the numbers of the columns that a box stands in; columns are disjoint and sorted."""
    left, _, right, _ = box
    first = last = bisect(columns, left + 1, key=_RIGHT)
    count = len(columns)
    while last < count and columns[last][0] < right - 1:
        last += 1
    return range(first, last)


@dataclass(slots=True)
class Table:
    """A table's rows: column → text; `columns` are the left and right of each."""

    rows: list[dict[int, str]]
    columns: list[list[float]]
    box: Box
    size: float = 0.0  # of its font
    header: int | None = None  # rows of it; None where the look does not tell

    @property
    def text(self) -> str:
        return "\n".join(text for row in self.rows for text in row.values())


def table_of(
    rows: Sequence[Sequence[Piece]], columns: Sequence[Sequence[float]], rules: Sequence[Box]
) -> tuple[Table, list[Piece]]:
    """Return a table and the pieces it holds."""
    pieces = [piece for row in rows for piece in row]
    lefts, bottoms, rights, tops = zip(*(piece.box for piece in pieces), strict=True)
    box = Box(min(lefts), min(bottoms), max(rights), max(tops))
    cells = [_cells(row, columns) for row in rows]
    made: list[dict[int, str]] = []
    header = 0
    for group in _groups(rows, cells, columns, rules, box):
        row: dict[int, str] = {}
        header += (
            len(made) == header
            and all(piece.placed.bold for number in group for piece in rows[number])
            and all_words(dict(enumerate(piece.text for one in group for piece in rows[one])))
        )
        for number in group:
            for column, pieces_of in cells[number].items():
                for piece in pieces_of:
                    row[column] = _joined(row.get(column, ""), piece.text)
        made.append(dict(sorted(row.items())))
    ordered = [list(column) for column in columns]
    if _right_to_left(pieces):
        last = len(ordered) - 1
        made = [{last - column: row[column] for column in reversed(row)} for row in made]
    made = _labelled_values(made, len(ordered))
    size = median(piece.placed.size for piece in pieces)
    told = header if 0 < header < min(MAX_HEADER_ROWS + 1, len(made)) else _header(made)
    return Table(made, ordered, box, size, told), pieces


def _labelled_values(rows: list[dict[int, str]], columns: int) -> list[dict[int, str]]:
    """Put labels that end with a colon before their values."""
    for column in range(columns - 1):
        cells = [row[column] for row in rows if column in row]
        if len(cells) > 1 and sum(cell.endswith((":", "：")) for cell in cells) * 2 > len(cells):
            for row in rows:
                if row.get(column, "").endswith((":", "：")) and column + 1 in row:
                    row[column + 1] = f"{row.pop(column)} {row[column + 1]}"
    return rows


def _header(rows: Sequence[Mapping[int, str]]) -> int | None:
    """Return 0 where the first row may be labels beside values, as in a form."""
    width = max(map(len, rows), default=0)
    first = next((row for row in rows if len(row) * 2 > width), {})
    colons = sum(": " in text or text.endswith(":") for row in rows for text in row.values())
    full = sum(len(row) * 2 > len(first) for row in rows)
    if colons * 3 > sum(map(len, rows)) or any(text[-1] in ",;" for text in first.values()):
        return 0
    if (len(first) % 2 == 0 or full * 2 < len(rows)) and not confirms(first, rows):
        return 0
    return None


def _right_to_left(pieces: Sequence[Piece]) -> bool:
    return sum("\u0590" <= piece.text[0] <= "\u08ff" for piece in pieces) * 2 > len(pieces)


def _joined(above: str, below: str) -> str:
    if not above:
        return below
    if above.endswith("-") and below[0].islower():
        return above[:-1] + below
    return above + ("" if WIDE.match(above[-1]) and WIDE.match(below[0]) else " ") + below


def _cells(row: Sequence[Piece], columns: Sequence[Sequence[float]]) -> dict[int, list[Piece]]:
    """Put each piece into the column that holds most of it; a wide one into its first."""
    found: dict[int, list[Piece]] = {}
    for piece in row:
        over = overlapped(columns, piece.box)
        number = over[0] if over else max(0, min(over.start, len(columns)) - 1)
        found.setdefault(number, []).append(piece)
    return found


def _groups(
    rows: Sequence[Sequence[Piece]],
    cells: Sequence[dict[int, list[Piece]]],
    columns: Sequence[Sequence[float]],
    rules: Sequence[Box],
    box: Box,
) -> list[list[int]]:
    """Return the numbers of the lines of each row."""
    middles = [median((piece.box.top + piece.box.bottom) / 2 for piece in row) for row in rows]
    groups: list[list[int]] = []
    for band in _bands(middles, rules, box):
        most = max(len(cells[number]) for number in band)
        filled = sum(len(cells[number]) for number in band)
        dense = filled >= DENSE * most * len(band) or len(band) == len(rows)
        if len(band) == 1 or not (dense or _repeats_figures([cells[number] for number in band])):
            groups.append(band)
        else:
            groups += _unruled(band, middles, cells, columns)
    return groups


def _repeats_figures(lines: Sequence[dict[int, list[Piece]]]) -> bool:
    """Return whether a column has several figures, which do not wrap as words do."""
    seen: set[int] = set()
    for cells in lines:
        figures = {column for column, pieces in cells.items() if is_figure(pieces[0].text)}
        if seen & figures:
            return True
        seen |= figures
    return False


def _bands(middles: Sequence[float], rules: Sequence[Box], box: Box) -> list[list[int]]:
    """Divide the lines by the rules that span much of the table."""
    lengths: dict[int, float] = defaultdict(float)
    low, high = middles[-1], middles[0]
    for left, bottom, right, top in rules:
        middle = (bottom + top) / 2
        if low < middle < high:
            inside = min(right, box.right) - max(left, box.left)
            if inside > 0:
                lengths[round(middle)] += inside
    heights = sorted(
        height for height, length in lengths.items() if length > RULE_WIDTH * (box.right - box.left)
    )
    bands: dict[int, list[int]] = {}
    for number, middle in enumerate(middles):
        bands.setdefault(bisect(heights, middle), []).append(number)
    return list(bands.values())


def _unruled(
    band: Sequence[int],
    middles: Sequence[float],
    cells: Sequence[dict[int, list[Piece]]],
    columns: Sequence[Sequence[float]],
) -> list[list[int]]:
    """Group lines between two rules by their distances, or where a line continues a cell."""
    distances = {number: middles[number - 1] - middles[number] for number in band[1:]}
    tight = _tight_distance(distances, cells)
    groups = [[band[0]]]
    for number, distance in distances.items():
        near = [cells[one] for one in (*groups[-1], number)]
        if (tight and distance < tight and not _repeats_figures(near)) or _continues(
            cells[number], cells[groups[-1][-1]], columns, tight > 0
        ):
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _tight_distance(
    distances: Mapping[int, float], cells: Sequence[dict[int, list[Piece]]]
) -> float:
    """Return the distance below which lines belong to one row; 0 where all are alike."""
    ordered = sorted(distances.values())
    best, at = SPREAD, 0
    height = (
        median(
            piece.box.top - piece.box.bottom
            for number in distances
            for pieces in cells[number].values()
            for piece in pieces
        )
        if distances
        else 0.0
    )
    for number, (one, two) in enumerate(zip(ordered, ordered[1:], strict=False), 1):
        if 0 < one <= LEADING * height and two / one > best:
            best, at = two / one, number
    if not at:
        return 0.0
    limit = (ordered[at - 1] + ordered[at]) / 2
    # Lines of one cell leave other columns empty; rows that stand in groups do not.
    near = [number for number, distance in distances.items() if distance < limit]
    sparse = sum(len(cells[number]) != len(cells[number - 1]) for number in near)
    return limit if sparse * 2 >= len(near) else 0.0


def _continues(
    below: dict[int, list[Piece]],
    above: dict[int, list[Piece]],
    columns: Sequence[Sequence[float]],
    spread: bool,
) -> bool:
    """Return whether a line only continues cells of the line above."""
    if spread or 0 in below and len(below) > 1:
        return False
    for column, pieces in below.items():
        if column not in above or is_figure(pieces[0].text):
            return False
        left, right = columns[column]
        wrapped = above[column][-1].box.right - left > FILLED * (right - left)
        if not wrapped and joins(above[column][-1].text, pieces[0].text) is None:
            return False
    return True
