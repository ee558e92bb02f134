"""Excel workbooks: each visible sheet is a section, each row a paragraph (tables.py).

Cells appear as displayed (cell_formats.py), formulas as their last result; boxes and comments
follow their sheet's rows. Sheets are streamed row by row; merged cells are collected first, since
the file lists them at the end.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chatapp.knowledge.formats.cell_formats import BUILT_IN, GENERAL, Formatter, formatter, general
from chatapp.knowledge.formats.document import (
    MAX_CHARACTERS,
    Builder,
    Document,
    Skips,
    Unreadable,
)
from chatapp.knowledge.formats.drawings import sheet_texts, texts_of
from chatapp.knowledge.formats.packages import Package, attribute, child, local_name
from chatapp.knowledge.formats.regions import one_below_another
from chatapp.knowledge.formats.tables import JOINT, Row, paragraphs

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_ROWS = 1_048_576  # Excel's limit for a sheet; a file with more is malicious
MAX_DIGITS = 9  # of a row's number
MAX_STRINGS = 5_000_000
MAX_MERGED = 100_000
MAX_CACHED_NUMBERS = 100_000  # formatted numbers, which repeat
BLOCK_BYTES = 1024 * 1024
OVERLAP = 512  # bytes of a block that are scanned again with the next
_MERGED = re.compile(
    rb'mergeCell [^>]*?ref="\$?([A-Z]{1,3})\$?(\d{1,7}):\$?[A-Z]{1,3}\$?(\d{1,7})"'
)
_PLACE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_VISIBLE = ("", "visible")
_ON = ("1", "true", "on")


def read(package: Package) -> Document:
    """Read a workbook; raise Unreadable where it is damaged or empty."""
    main = package.main_part()
    if main is None:
        raise Unreadable("damaged")
    book = package.root(main)
    related = package.relationships(main)
    builder = Builder()
    reader = _Reader(package, main, book, builder.skips)
    sheets = child(book, "sheets")
    for sheet in sheets if sheets is not None else ():
        kind, part = related.get(_reference(sheet), ("", ""))
        if kind == "worksheet" and attribute(sheet, "state") in _VISIBLE:
            builder.section(1, attribute(sheet, "name"))
            for paragraph in paragraphs(one_below_another(reader.rows(part))):
                builder.add(paragraph)
            for text in reader.texts_beside(part):
                builder.add(text)
    return builder.finish(MEDIA_TYPE)


def _reference(sheet: Any) -> str:
    return next((str(value) for key, value in sheet.items() if local_name(key) == "id"), "")


class _Reader:
    """Reads sheets with the workbook's shared strings and formats."""

    def __init__(self, package: Package, main: str, book: Any, skips: Skips) -> None:
        self._package = package
        self._skips = skips
        properties = child(book, "workbookPr")
        from_1904 = properties is not None and attribute(properties, "date1904") in _ON
        self._strings: list[str] = []
        with skips:
            self._add_strings(package.parts_of_type(main, "sharedStrings"))
        self._formatters: list[Formatter] = []
        with skips:
            self._formatters = _formats(package, package.parts_of_type(main, "styles"), from_1904)
        self._columns: dict[str, int] = {}
        # Comments of the current sheet by row: column and text; and those of the rows read.
        self._comments: dict[int, list[tuple[str, str]]] = {}
        self._commented: list[str] = []
        self._numbers: dict[tuple[str, str | None], str] = {}

    def rows(self, part: str) -> Iterator[Row]:
        """Yield a sheet's rows, with an empty one for a gap.

        A vertically merged cell is repeated in each row.
        """
        self._comments, self._commented = {}, []
        with self._skips:
            self._comments = _comments(self._package, part)
        with self._skips:
            yield from self._rows(part, _merged(self._package, part))

    def texts_beside(self, part: str) -> Iterator[str]:
        """Yield the comments of the rows that were read, and what is drawn on their sheet."""
        yield from self._commented
        for drawing in self._package.parts_of_type(part, "drawing"):
            with self._skips:
                yield from sheet_texts(self._package, drawing)

    def _rows(self, part: str, merged: Mapping[int, list[tuple[str, int]]]) -> Iterator[Row]:
        # Column → last row of a vertically merged cell, and its text.
        reaching: dict[int, tuple[int, str]] = {}
        above = 0
        for count, element in enumerate(self._package.elements(part, "row")):
            if count > MAX_ROWS:
                raise Unreadable("bomb")
            given = element.get("r") or ""
            number = int(given) if given.isdecimal() and len(given) < MAX_DIGITS else above + 1
            if above and number > above + 1:
                yield {}
            above = number
            row: dict[int, str] = {}
            try:
                self._add_cells(row, element)
            except Exception as fault:
                self._skips.drop(fault)
            if row and reaching:
                for column, (last, text) in list(reaching.items()):
                    if number > last:
                        del reaching[column]
                    else:
                        row.setdefault(column, text)
            for letters, last in merged.get(number, ()):
                if text := row.get(self._column(letters), ""):
                    reaching[self._column(letters)] = (last, text)
            if number in self._comments:
                self._add_comments(number, row)
            yield row

    def _add_comments(self, number: int, row: Row) -> None:
        for letters, comment in self._comments[number]:
            first, own = row.get(min(row, default=0), ""), row.get(self._column(letters), "")
            place = JOINT.join(dict.fromkeys(filter(None, (f"{letters}{number}", first, own))))
            self._commented.append(f"{place}: {comment}")

    def _add_cells(self, cells: dict[int, str], row: Any) -> None:
        column = -1
        for cell in row:
            place = cell.get("r")
            column = self._column(place.rstrip("0123456789")) if place else column + 1
            if not len(cell):
                continue
            value = formula = text = ""
            for one in cell:
                name = local_name(one.tag)
                if name == "v":
                    value = one.text or ""
                elif name == "is":
                    text = _phrase(one).strip()
                elif name == "f":
                    formula = one.text or ""
            if value:
                text = self._cell_text(value, cell.get("t") or "n", cell.get("s"))
            elif formula:  # never calculated
                text = f"={formula}"
            if text:
                cells[column] = text

    def _add_strings(self, parts: Sequence[str]) -> None:
        size = 0
        for part in parts[:1]:
            for element in self._package.elements(part, "si"):
                self._strings.append(_phrase(element))
                size += len(self._strings[-1])
                if size > 2 * MAX_CHARACTERS or len(self._strings) > MAX_STRINGS:
                    raise Unreadable("too_long", limit=MAX_CHARACTERS)

    def _column(self, letters: str) -> int:
        if letters not in self._columns:
            number = 0
            for letter in letters.upper():
                number = number * 26 + ord(letter) - ord("A") + 1
            self._columns[letters] = number - 1
        return self._columns[letters]

    def _cell_text(self, value: str, kind: str, style: str | None) -> str:
        if kind == "s":
            return (
                self._strings[int(value)].strip()
                if value.isdecimal() and int(value) < len(self._strings)
                else ""
            )
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        if kind != "n":
            return value.strip()
        shown = self._numbers.get((value, style))
        if shown is None:
            try:
                shown = (self._formatters[int(style)] if style else general)(float(value))
            except (ValueError, IndexError, OverflowError):
                shown = value
            if len(self._numbers) < MAX_CACHED_NUMBERS:
                self._numbers[value, style] = shown
        return shown


def _phrase(element: Any) -> str:
    """Return a string's text in all its formats, without phonetic hints."""
    pieces: list[str] = []
    for one in element:
        name = local_name(one.tag)
        if name == "t":
            pieces.append(one.text or "")
        elif name == "r":
            pieces += (inner.text or "" for inner in one if local_name(inner.tag) == "t")
    return "".join(pieces)


def _formats(package: Package, parts: Sequence[str], from_1904: bool) -> list[Formatter]:
    """Return the number formatter of each cell style."""
    if not parts:
        return []
    root = package.root(parts[0])
    own, styles = child(root, "numFmts"), child(root, "cellXfs")
    codes = (
        {attribute(one, "numFmtId"): attribute(one, "formatCode") for one in own}
        if own is not None
        else {}
    )
    made: list[Formatter] = []
    for style in styles if styles is not None else ():
        number = attribute(style, "numFmtId", "0")
        code = codes.get(number) or BUILT_IN.get(int(number) if number.isdecimal() else 0, GENERAL)
        made.append(general if code == GENERAL else formatter(code, from_1904))
    return made


def _merged(package: Package, part: str) -> dict[int, list[tuple[str, int]]]:
    """Return vertically merged cells by first row: column letters and last row."""
    found: dict[int, list[tuple[str, int]]] = {}
    left = b""
    count = 0
    with package.open(part) as opened:
        while block := opened.read(BLOCK_BYTES):
            looked = left + block
            for one in _MERGED.finditer(looked) if b"mergeCell " in looked else ():
                first, last = int(one.group(2)), int(one.group(3))
                if last > first and one.end() > len(left) and count < MAX_MERGED:
                    found.setdefault(first, []).append((one.group(1).decode(), last))
                    count += 1
            left = looked[-OVERLAP:]
    return found


def _comments(package: Package, part: str) -> dict[int, list[tuple[str, str]]]:
    """Return a sheet's comments by row: column letters and text. Threads replace their copies."""
    found: dict[str, list[str]] = {}
    for kind in ("threadedComment", "comments"):
        threaded = set(found)
        for name in package.parts_of_type(part, kind):
            for one in package.root(name).iter("{*}threadedComment", "{*}comment"):
                place, text = attribute(one, "ref").replace("$", ""), " ".join(_said(one).split())
                if text and place not in threaded:
                    found.setdefault(place, []).append(text)
    by_row: dict[int, list[tuple[str, str]]] = {}
    for place, texts in found.items():
        if matched := _PLACE.fullmatch(place):
            by_row.setdefault(int(matched.group(2)), []).append(
                (matched.group(1), " / ".join(texts))
            )
    return by_row


def _said(comment: Any) -> str:
    text = child(comment, "text")
    return (text.text or "") + texts_of(text) if text is not None else ""
