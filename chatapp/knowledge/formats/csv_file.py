"""CSV and similar: detects the separator and the header; rows are written by tables.py."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

from chatapp.knowledge.formats import plain
from chatapp.knowledge.formats.document import Builder, Document
from chatapp.knowledge.formats.tables import Row, is_header, paragraphs

EXTENSIONS = frozenset((".csv", ".tsv", ".tab", ".psv"))
SAMPLE_CHARACTERS = 64 * 1024
MAX_CELL = 100_000  # characters; a longer cell is a quotation mark that was never closed
MAX_CELL_LINES = 3  # of a cell, where quotation marks are malformed
EVEN_SHARE = 0.8  # share of the rows with the same number of cells
MIN_TAB_ROWS = 3  # rows with equal tabs, for a text whose name does not say that it is a table
_SEPARATORS = "\t;,|"


def read(text: str) -> Document:
    """Read rows of cells; a file with one column only is read as text."""
    text, separator = _separator(text)
    if separator is None:
        return plain.read(text)
    with suppress(csv.Error):
        return _read(text, separator, strict=True)
    with suppress(csv.Error):
        return _read(text, separator, most_lines=MAX_CELL_LINES)
    with suppress(csv.Error):  # a quotation mark is literal or never closed
        return _read(text, separator, quoting=csv.QUOTE_NONE)
    return plain.read(text)  # a cell has more than MAX_CELL characters


def is_csv(text: str, extension: str) -> bool:
    """Return whether a text is a table: by extension, or by equal numbers of tabs in every line."""
    if extension in EXTENSIONS:
        return True
    lines = [line for line in _sample(text).split("\n") if line.strip()]
    return (
        len(lines) >= MIN_TAB_ROWS
        and len({line.count("\t") for line in lines}) == 1
        and lines[0].count("\t") > 0
    )


def _read(
    text: str,
    separator: str,
    strict: bool = False,
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL,
    most_lines: int = MAX_CELL,
) -> Document:
    csv.field_size_limit(MAX_CELL)
    lines = io.StringIO(text, newline="")
    rows = csv.reader(
        lines, delimiter=separator, strict=strict, quoting=quoting, skipinitialspace=True
    )
    builder = Builder()
    header = 1 if _begins_with_header(text, separator) else None
    for paragraph in paragraphs((_row(row, most_lines) for row in rows), header):
        builder.add(paragraph)
    return builder.finish("text/tab-separated-values" if separator == "\t" else "text/csv")


def _row(cells: list[str], most_lines: int = MAX_CELL) -> Row:
    if any(cell.count("\n") > most_lines for cell in cells):
        raise csv.Error
    return {column: stripped for column, cell in enumerate(cells) if (stripped := cell.strip())}


def _separator(text: str) -> tuple[str, str | None]:
    """Return the text without Excel's `sep=;` line, and the most even separator."""
    first = text[:8].split("\n")[0].strip()
    if first.lower().startswith("sep=") and len(first) == 5:
        return text.partition("\n")[2], first[4]
    best: tuple[float, int, str | None] = (0.0, 1, None)
    for separator in _SEPARATORS:
        widths = Counter(len(row) for row in _sampled(text, separator) if row)
        if widths:
            width, rows = max(widths.items(), key=lambda one: (one[1] * (one[0] > 1), one[0]))
            share = rows / widths.total()
            if width > 1 and (share >= EVEN_SHARE, width) > (best[0] >= EVEN_SHARE, best[1]):
                best = (share, width, separator)
    return text, best[2]


def _begins_with_header(text: str, separator: str) -> bool:
    rows = [_row(row) for row in _sampled(text, separator)]
    rows = [row for row in rows if row]
    widths = sorted(len(row) for row in rows[1:])
    return bool(widths) and is_header(rows[0]) and len(rows[0]) >= widths[len(widths) // 2]


def _sampled(text: str, separator: str) -> Iterator[list[str]]:
    """Yield the first rows, without the last one if the sample may have cut it."""
    try:
        rows = list(
            csv.reader(
                io.StringIO(_sample(text), newline=""), delimiter=separator, skipinitialspace=True
            )
        )
    except csv.Error:
        return
    yield from rows[:-1] if len(text) > SAMPLE_CHARACTERS and len(rows) > 1 else rows


def _sample(text: str) -> str:
    return text[:SAMPLE_CHARACTERS]
