"""The tables of a sheet: puts those that stand side by side one below the other.

Rows come as a stream, and an empty one ends a table (tables.py). An empty row below a header is
dropped, so that the table continues.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from chatapp.knowledge.formats.tables import LOOKAHEAD, Row, all_words, is_figure, is_period

MAX_HEAD_ROWS = 6  # of titles and a header above an empty row
_DATE = re.compile(r"\d{4}[-/.年]\d{1,2}(?:[-/.月]\d{1,2}日?)?$|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}$")


def one_below_another(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield a sheet's rows, table by table, with an empty row between two."""
    source = iter(rows)
    head: Sequence[Row] = ()  # a table's beginning, which an empty row follows
    begun = False
    for first in source:
        if not first:
            continue
        block, goes_on = _take(first, source)
        if head and _continues(head[-1], block):
            block = [*head, *block]
        elif head:
            yield from chain([{}] if begun else (), head)
            begun = True
        head = ()
        if not goes_on and _is_head(block):
            head = block
            continue
        if begun:
            yield {}
        begun = True
        bands = _bands(block)
        rest = _until_gap(source) if goes_on else ()
        if len(bands) < 2:
            yield from block
            yield from rest
            continue
        parts: list[list[Row]] = [[] for _ in bands]
        for row in chain(block, rest):
            for part, band in zip(parts, _split(row, bands), strict=True):
                part.append(band)
        for place, part in enumerate(parts):
            if place:
                yield {}
            yield from part
    if head:
        yield from chain([{}] if begun else (), head)


def _take(first: Row, source: Iterator[Row]) -> tuple[list[Row], bool]:
    """Return a table's first rows, and whether it goes on."""
    block = [first]
    for row in source:
        if not row:
            return block, False
        block.append(row)
        if len(block) >= LOOKAHEAD:
            return block, True
    return block, False


def _until_gap(source: Iterator[Row]) -> Iterator[Row]:
    for row in source:
        if not row:
            return
        yield row


# --- empty rows below a header


def _is_head(block: Sequence[Row]) -> bool:
    """Return whether rows may be titles and a header without a body."""
    widest = max(map(len, block))
    return (
        len(block) <= MAX_HEAD_ROWS
        and len(block[-1]) == widest > 1
        and all(map(all_words, block))
        and (len(block) == 1 or len(block[-2]) < widest or len(set(block[-2].values())) < widest)
    )


def _continues(header: Row, block: Sequence[Row]) -> bool:
    """Return whether a table's rows belong below a header."""
    columns = {column for row in block for column in row}
    if len(columns - header.keys()) > (min(columns) < min(header)):
        return False  # only a column of names, left of the others, has no label
    wide = [row for row in block if len(row) > 1]
    if not wide or len(wide[0]) * 2 < len(header):
        return False
    if not all_words(wide[0]):
        return True
    return len(wide) > 1 and columns == header.keys() and all(map(all_words, wide))


# --- tables side by side


def _bands(block: Sequence[Row]) -> list[range]:
    """Return the columns of each table in a block of rows; one range where there is one table."""
    used = sorted({column for row in block if len(row) > 1 for column in row})
    groups: list[list[int]] = []
    for column in used:
        if groups and column == groups[-1][-1] + 1:
            groups[-1].append(column)
        else:
            groups.append([column])
    if len(groups) < 2:
        return []
    bands = [groups[0]]
    for group in groups[1:]:
        if _is_table(block, bands[-1]) and _is_table(block, group):
            bands.append(group)
        else:
            bands[-1] = [*bands[-1], *group]
    starts = [0, *(band[0] for band in bands[1:])]
    ends = [*(band[0] for band in bands[1:]), max(map(max, block)) + 1]
    return [range(start, max(start, end)) for start, end in zip(starts, ends, strict=True)]


def _is_table(block: Sequence[Row], columns: Sequence[int]) -> bool:
    """Return whether columns are a table of their own: names at the left, below a header.

    Columns of figures without names belong to the names further left, beyond an empty column.
    """
    if len(columns) < 2:
        return False
    inside = set(columns)
    rows = [{column: row[column] for column in inside & row.keys()} for row in block]
    wide = [row for row in rows if len(row) > 1]
    names = [row.get(columns[0], "") for row in wide[1:]]
    differs = any(not row for row in rows)
    return (
        bool(names)
        and (all_words(wide[0]) or differs)
        and len(set(names)) == len(names)
        and all(map(_is_name, names))
    )


def _is_name(text: str) -> bool:
    return (
        bool(text)
        and (not is_figure(text) or is_period(text) or bool(_DATE.match(text)))
        and (any(map(str.isalnum, text)))
    )


def _split(row: Row, bands: Sequence[range]) -> Iterator[Row]:
    for band in bands:
        yield {column: text for column, text in row.items() if column in band}
