"""Old and binary Excel workbooks (XLS, XLSB): each visible sheet is a section, each row a paragraph
(tables.py). calamine reads them; an XLS's numbers appear as displayed (xls_numbers.py)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import python_calamine as calamine

from chatapp.knowledge.formats.cell_formats import general
from chatapp.knowledge.formats.compound import CompoundFile
from chatapp.knowledge.formats.document import Builder, Document, Unreadable
from chatapp.knowledge.formats.tables import Row, paragraphs
from chatapp.knowledge.formats.xls_numbers import Numbers, Sheets

XLS, XLSB = "application/vnd.ms-excel", "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
MAX_CELLS = 20_000_000  # of a sheet's rectangle, which calamine holds whole
NO_TIME = time()


def read_old(path: Path, compound: CompoundFile) -> Document:
    """Read an XLS; raise Unreadable where it is encrypted, damaged or empty."""
    stream = next(name for name in compound.names if name[0].lower() in ("workbook", "book"))
    return _read(path, Sheets(compound.read(stream)), XLS)


def read_binary(path: Path) -> Document:
    """Read an XLSB; raise Unreadable where it is damaged or empty."""
    return _read(path, None, XLSB)


def _read(path: Path, numbers: Sheets | None, media_type: str) -> Document:
    builder = Builder()
    try:
        book = calamine.load_workbook(str(path))
    except calamine.PasswordError as fault:
        raise Unreadable("encrypted") from fault
    except BaseException as fault:
        raise _translated(fault) from fault
    for place, sheet in enumerate(book.sheets_metadata):
        if (
            sheet.visible != calamine.SheetVisibleEnum.Visible
            or sheet.typ != calamine.SheetTypeEnum.WorkSheet
        ):
            continue
        builder.section(1, sheet.name)
        with builder.skips:
            shown = numbers.numbers(place) if numbers else {}
            for paragraph in paragraphs(_rows(book, place, shown)):
                builder.add(paragraph)
    return builder.finish(media_type)


def _rows(book: calamine.CalamineWorkbook, place: int, shown: Numbers) -> Iterator[Row]:
    """Yield a sheet's rows; a vertically merged cell is repeated in each row."""
    try:
        sheet = book.get_sheet_by_index(place)
        start, end = sheet.start, sheet.end
        if start is None or end is None:
            return
        if (end[0] - start[0] + 1) * (end[1] - start[1] + 1) > MAX_CELLS:
            raise Unreadable("bomb")
        merged = {
            first: last[0] for first, last in sheet.merged_cell_ranges or () if last[0] > first[0]
        }
        rows = sheet.iter_rows()
    except BaseException as fault:
        raise _translated(fault) from fault
    reaching: dict[int, tuple[int, str]] = {}
    # calamine's rows begin with the sheet's first, its cells with the first that is used.
    for number, cells in enumerate(rows):
        row = _row(cells, number, start[1], shown)
        if row:
            for column, (last, text) in list(reaching.items()):
                if number > last:
                    del reaching[column]
                else:
                    row.setdefault(column, text)
        for column in list(row):
            if (number, column) in merged:
                reaching[column] = (merged[number, column], row[column])
        yield row


def _row(
    cells: Sequence[object], number: int, first: int, shown: Mapping[tuple[int, int], str]
) -> dict[int, str]:
    row: dict[int, str] = {}
    for column, value in enumerate(cells, first):
        if value == "":
            continue
        text = "" if isinstance(value, str | bool) else shown.get((number, column), "")
        if text := text or _text(value):
            row[column] = text
    return row


def _text(value: object) -> str:
    """Return a value that has no format of its own."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == NO_TIME else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        return f"{minutes // 60}:{minutes % 60:02}"
    if isinstance(value, int | float):
        return general(value)
    return str(value).strip()


def _translated(fault: BaseException) -> BaseException:
    """Return the error for one of calamine's; a panic of its is no Exception."""
    is_theirs = (
        isinstance(fault, calamine.CalamineError) or type(fault).__name__ == "PanicException"
    )
    return Unreadable("damaged") if is_theirs else fault
