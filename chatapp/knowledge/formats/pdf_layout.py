"""Finds tables and columns of text on a PDF's page by the places of its lines.

Lines, or their parts between wide gaps, that stand side by side on several rows at the same places
are a table, unless they are columns of prose or labels of a list. All else stays in the order of
the file, which is that of reading in nearly all PDFs.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chatapp.knowledge.formats.pdf_placed import Box, Placed, median
from chatapp.knowledge.formats.pdf_rows import Piece, Table, overlapped, table_of
from chatapp.knowledge.formats.tables import is_figure

MAX_ROW_GAP = 3.0  # of a row's height, between rows of one table
MIN_COLUMN_LINES = 8  # of prose that make a column of the page
MIN_COLUMN_CHARACTERS = 18
COLUMN_STEP = 4.0  # points within which lines begin at the same place
TALL = 2.5  # times the usual height: a letter of decoration
MIN_FILLED = 0.45  # share of a table's cells
WIDE_ROW = 0.7  # share of the columns that a row fills
APART = 1.6  # times the usual distance of rows, before the header of another table
SPANNING = 0.6  # share of a table's width; a longer line across it ends it
PROSE_CHARACTERS = 28  # of an average cell, from which columns are prose
_LABEL = re.compile(
    r"[^\w\s]{1,2}|[(（\[]?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5}|[\d.]{2,9})[)）\]:.、]?"
)

Item = Placed | Table


def arrange(lines: Sequence[Placed], rules: Sequence[Box]) -> list[Item]:
    """Return a page's lines in the order of reading, with tables in place of their lines."""
    if not may_hold_columns(lines):
        return list(lines)
    pieces = [
        Piece(part, number)
        for number, line in enumerate(lines)
        for part in (line.parts or (line,))
        if not line.sideways
    ]
    groups = _page_columns(pieces)
    tables = [
        (table, taken)
        for group in groups
        for segment in _segments(_visual_rows(group))
        if segment.is_table()
        for table, taken in [table_of(segment.rows, segment.columns, rules)]
    ]
    return _merge(lines, tables, groups)


def may_hold_columns(lines: Sequence[Placed]) -> bool:
    """Return whether some lines have wide gaps or stand beside each other."""
    beside = jumps = short = divided = 0
    above: Box | None = None
    for line in lines:
        divided += bool(line.parts)
        if divided > 1:
            return True
        box = line.box
        short += len(line.text) < MIN_COLUMN_CHARACTERS
        if above is not None:
            if min(box.top, above.top) - max(box.bottom, above.bottom) > (box.top - box.bottom) / 2:
                beside += 1
            elif box.bottom > above.top:
                jumps += 1
        above = box
    return beside > 1 or (jumps > 1 and short * 2 > len(lines))


def _visual_rows(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Group pieces that stand on one line of the page, from the top; each from the left."""
    ordered = sorted(pieces, key=lambda piece: -(piece.box.top + piece.box.bottom))
    if not ordered:
        return []
    usual = median(piece.box.top - piece.box.bottom for piece in ordered)
    rows: list[list[Piece]] = []
    bottom = top = 0.0
    for piece in ordered:
        box = piece.box
        height = box.top - box.bottom
        if height > TALL * usual:
            continue
        if rows and min(top, box.top) - max(bottom, box.bottom) > 0.5 * min(height, top - bottom):
            rows[-1].append(piece)
        else:
            rows.append([piece])
            bottom, top = box.bottom, box.top
    for row in rows:
        row.sort(key=lambda piece: piece.box.left)
    return rows


# --- columns of prose


def _page_columns(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Divide a page that is printed in columns of prose; else return all as one group."""
    left = min((piece.box.left for piece in pieces), default=0.0)
    width = max((piece.box.right for piece in pieces), default=0.0) - left
    prose = [
        piece
        for piece in pieces
        if len(piece.text) >= MIN_COLUMN_CHARACTERS
        and 0.22 * width < piece.box.right - piece.box.left < 0.56 * width
    ]
    starts = Counter(round(piece.box.left / COLUMN_STEP) for piece in prose)
    found = sorted(
        start
        for start, count in starts.items()
        if count + starts[start + 1] >= MIN_COLUMN_LINES and count >= starts[start + 1]
    )
    gutters: list[float] = []
    last = -1.0
    for start in found:
        at = (start - 1) * COLUMN_STEP
        members = [piece for piece in prose if abs(piece.box.left - at - COLUMN_STEP) < 6]
        if last >= 0 and at < last:
            continue
        if last >= 0:
            gutters.append(at)
        last = median(piece.box.right for piece in members)
    if not gutters:
        return [list(pieces)]
    first = found[0] * COLUMN_STEP - 6
    within = [piece.box for piece in prose if piece.box.left >= first]
    top, bottom = max(box.top for box in within), min(box.bottom for box in within)
    groups: list[list[Piece]] = [[] for _ in range(len(gutters) + 2)]
    for piece in pieces:
        box = piece.box
        place = sum(box.left >= gutter for gutter in gutters)
        crosses = any(box.left < gutter - 2 and box.right > gutter + 6 for gutter in gutters)
        inside = bottom <= box.bottom and box.top <= top
        groups[-1 if crosses or not inside else place].append(piece)
    return groups


# --- tables


@dataclass(slots=True)
class _Segment:
    """Rows one below another whose pieces fit into the same columns."""

    rows: list[list[Piece]]
    columns: list[list[float]]  # left and right of each
    pending: list[list[Piece]] = field(default_factory=list)  # rows of one piece, not yet confirmed
    full: int = 0  # rows with several pieces

    def fits(self, row: Sequence[Piece]) -> bool:
        """Return whether a row fits into the columns, and widen them to hold it."""
        columns = self.columns
        widened: dict[int, Box] = {}
        more: list[list[float]] = []
        for piece in row:
            box = piece.box
            over = overlapped(columns, box)
            if not over:
                more.append([box.left, box.right])
            elif len(over) > 1 or over.start in widened:
                return False
            else:
                widened[over.start] = box
        for number, (left, _, right, _) in widened.items():
            column = columns[number]
            column[0], column[1] = min(column[0], left), max(column[1], right)
        self.columns = sorted([*columns, *more])
        return True

    def add(self, row: list[Piece]) -> None:
        self.rows += [*self.pending, row]
        self.pending = []
        self.full += len(row) > 1

    def ends_with(self, piece: Piece) -> bool:
        """Return whether a line across columns is no row of the table."""
        if self.crossed(piece) < 2:
            return False
        width = self.columns[-1][1] - self.columns[0][0]
        long = piece.box.right - piece.box.left > SPANNING * width
        return long or self.full < 2 or any(self.crossed(row[0]) > 1 for row in self.pending)

    def begins_another(self, row: Sequence[Piece]) -> bool:
        """Return whether a row of words below a title is the header of the next table."""
        if self.full < 2 or any(is_figure(piece.text) for piece in row):
            return False
        tops = [above[0].box.top for above in [*self.rows, *self.pending]]
        usual = median(one - two for one, two in zip(tops, tops[1:], strict=False))
        apart = tops[-1] - row[0].box.top > APART * usual
        titled = bool(self.pending) and self.over(self.pending[-1][0]) == 0
        bold = all(piece.placed.bold for piece in row) and not all(
            piece.placed.bold for above in self.rows for piece in above
        )
        return bold or (
            (apart or titled)
            and any(is_figure(piece.text) for above in self.rows for piece in above)
        )

    def close(self) -> None:
        """Take the rows of one piece at the end that continue a cell."""
        for row in self.pending:
            above, piece = self.rows[-1], row[0]
            near = min(one.box.bottom for one in above) - piece.box.top
            if near > 0.5 * (piece.box.top - piece.box.bottom) or self.crossed(piece) != 1:
                break
            column = self.over(piece)
            if not any(self.over(one) == column for one in above):
                break
            self.rows.append(row)
        self.pending = []

    def over(self, piece: Piece) -> int:
        """Return the first column that a piece stands in."""
        over = overlapped(self.columns, piece.box)
        return over[0] if over else 0

    def crossed(self, piece: Piece) -> int:
        return len(overlapped(self.columns, piece.box))

    def is_table(self) -> bool:
        """Return whether the columns are those of a table rather than of prose or a list."""
        count = len(self.columns)
        rows = [row for row in self.rows if len(row) > 1]
        if len(rows) < (2 if count > 2 else 3) or count < 2:
            return False
        wide = sum(len(row) > WIDE_ROW * count for row in rows)
        if wide < 3 and sum(map(len, rows)) < MIN_FILLED * count * len(rows):
            return False
        if count == 2:
            if sum(bool(_LABEL.fullmatch(row[0].text)) for row in rows) * 2 > len(rows):
                return False
            cells = [piece.text for row in rows for piece in row]
            whole = [row for row in rows if row[0].line != row[1].line]
            if len(whole) * 2 > len(rows) and _average(cells) > PROSE_CHARACTERS:
                return False
        return True


def _average(cells: Sequence[str]) -> float:
    return sum(len(cell) for cell in cells) / max(1, len(cells))


def _segments(rows: Sequence[list[Piece]]) -> list[_Segment]:
    done: list[_Segment] = []
    segment: _Segment | None = None
    bottom = 0.0
    for row in rows:
        top = max(piece.box.top for piece in row)
        height = min(piece.box.top - piece.box.bottom for piece in row)
        if segment is not None and bottom - top > MAX_ROW_GAP * height:
            done.append(segment)
            segment = None
        bottom = min(piece.box.bottom for piece in row)
        if len(row) > 1:
            segment = _take(segment, row, done)
        elif segment is not None:
            if segment.ends_with(row[0]):
                done.append(segment)
                segment = None
            else:
                segment.pending.append(row)
    if segment is not None:
        done.append(segment)
    for one in done:
        one.close()
    return done


def _take(segment: _Segment | None, row: list[Piece], done: list[_Segment]) -> _Segment:
    """Add a row to a segment, or begin the next one with it."""
    if segment is not None and segment.begins_another(row):
        done.append(segment)
        segment = None
    if segment is not None:
        if segment.fits(row):
            segment.add(row)
            return segment
        if len(row) > len(segment.columns) and segment.full == 1:  # groups above a header
            begun = _Segment([*segment.rows, *segment.pending], _columns(row))
            begun.add(row)
            return begun
        if len(segment.columns) > 2 and segment.full > 1 and len(row) < len(segment.columns):
            segment.add(row)
            return segment
        done.append(segment)
    begun = _Segment([], _columns(row))
    begun.add(row)
    return begun


def _columns(row: Sequence[Piece]) -> list[list[float]]:
    return [[piece.box.left, piece.box.right] for piece in row]


# --- order


def _merge(
    lines: Sequence[Placed],
    tables: Sequence[tuple[Table, list[Piece]]],
    groups: Sequence[Sequence[Piece]],
) -> list[Item]:
    """Put tables where their first line is; divide lines that hold two columns of prose."""
    taken = {id(piece.placed) for _, pieces in tables for piece in pieces}
    begins: dict[int, list[Table]] = {}
    for table, pieces in tables:
        begins.setdefault(min(piece.line for piece in pieces), []).append(table)
    side = {id(piece.placed): number for number, group in enumerate(groups) for piece in group}
    items: list[Item] = []
    later: list[Placed] = []
    for number, line in enumerate(lines):
        items += begins.get(number, [])
        parts = [part for part in line.parts or (line,) if id(part) not in taken]
        if not parts:
            continue
        sides = {side.get(id(part), 0) for part in parts}
        if len(groups) > 1 and len(sides) > 1:
            first = side.get(id(parts[0]), 0)
            items += [part for part in parts if side.get(id(part), 0) == first]
            later += [part for part in parts if side.get(id(part), 0) != first]
            continue
        if later and len(groups) - 1 in sides:
            items += later
            later = []
        items += [line] if len(parts) == len(line.parts or (line,)) else parts
    return items + list(later)
