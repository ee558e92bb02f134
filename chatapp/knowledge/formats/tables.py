"""Tables as text: each row repeats its header.

A row becomes the paragraph "Town: Bonn · Days: 27". A chunk holds a few rows of a large table, and
a quote is one row. With the header repeated, each number keeps its meaning, a question that names
column and row matches both together, and splitting never separates a row from its header. The
header is detected, since few files mark it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

LOOKAHEAD = 30  # rows examined to find a header
MAX_LABEL = 80  # characters of a header cell
LONG_CELL = 100  # characters, above which a cell gets a line of its own
TITLE_SHARE = 0.6  # of the usual number of cells; rows above the header with fewer are titles
# A column holds text where its cells are this many times as long as the label, and this long.
TEXT_COLUMN_RATIO = 3
TEXT_COLUMN_CHARACTERS = 20
JOINT = " · "

Row = Mapping[int, str]  # column (from 0) → text; empty cells are absent
# Periods, which may head columns although they are numbers.
_PERIOD = re.compile(r"(?:[QH][1-4][ -]?)?(?:19|20)\d\d(?:\s*年|[-/.]\d\d|[ -]?[QH][1-4])?$")
_UNIT = (
    r"[€$£¥￥₩₹%‰°′″Ω]|[A-Z]{0,3}\$|EUR|USD|GBP|CHF|JPY|CNY|RMB|HKD|TWD|KRW|INR|AUD|CAD|SEK|NOK|DKK|"
    r"PLN|CZK|m|mn|mio|k|t|bn|billions?|millions?|thousands?|000s?|'000|cents?|pence|euros?|dollars?|"
    r"[mcdkµμn]?m[²³23]?|[kmµμ]?g|tonnes?|[mcµμ]?[lL]|ha|h|hrs?|hours?|min|mins|minutes?|m?s|secs?|"
    r"seconds?|days?|weeks?|months?|years?|°?[CFK]|[kMGT]?(?:W|Wh|J|V|A|Hz|N|Pa|B|bit)|[mh]?bar|"
    r"pcs|pieces|units?|persons?|people|number|no\.|percent|per cent|ppm|ppb|mol|"
    r"[十百千万亿萬億]*(?:美?元|人民币|人|个|個|件|台|套|吨|噸|公斤|千克|克|米|公里|天|日|年|月|"
    r"小时|小時|分钟|次|户|辆|册|头|只|亩|公顷|升|度|倍)|百分比"
)
# "€ m", "kg/ha", "in % of GDP", "(per year)": units, and what stands in brackets.
_UNITS = re.compile(
    rf"(?:in )?(?:{_UNIT})(?:[ /·.*^-]{{1,2}}(?:of |per )?(?:{_UNIT}))*(?: of [A-Za-z]+)?"
    rf"|[(\[（].{{1,40}}[)\]）](?: ?\(\w\))?"
)
_WHITE = re.compile(r"\s*\n\s*")


def paragraphs(rows: Iterable[Row], header: int | None = None) -> Iterator[str]:
    """Yield a paragraph for each row.

    `header` is the number of header rows; None if it has to be detected. An empty row ends a table:
    what follows has its own header, or else continues under the one above.
    """
    labels: dict[int, str] = {}
    pending: list[Row] = []
    known = False
    for row in rows:
        if known:
            if not row:
                known = False
            elif not _repeats(row, labels):
                yield _paragraph(row, labels)
            continue
        if row:
            pending.append(row)
        if len(pending) >= LOOKAHEAD or (pending and not row):
            yield from _begin_table(pending, labels, header)
            pending, known, header = [], bool(row), None
    if pending:
        yield from _begin_table(pending, labels, header)


def confirms(head: Row, rows: Sequence[Row]) -> bool:
    """Return whether rows below a row of words show that it heads their columns."""
    return all_words(head) and _body_confirms(head, [row for row in rows if row is not head])


def continued(
    rows: Sequence[Row], labels: dict[int, str], header: int | None = None
) -> Iterator[str]:
    """Yield a paragraph for each row of a table that may continue another.

    `labels` are those of the table above; they are replaced where these rows have a header.
    """
    if not rows:
        return
    before = dict(labels)
    written = list(_begin_table(rows, labels, header))
    if labels != before and labels.keys() - _body_columns(rows, labels):
        yield _paragraph(labels, {})  # a label without cells is said once
    yield from written


def _body_columns(rows: Sequence[Row], labels: Mapping[int, str]) -> set[int]:
    """Return the columns with a cell besides their label."""
    return {
        column for row in rows for column, text in row.items() if text not in labels.get(column, "")
    }


def _begin_table(rows: Sequence[Row], labels: dict[int, str], header: int | None) -> Iterator[str]:
    """Find the header of a table's first rows, put it into `labels`, and yield the paragraphs."""
    found = (
        _find_header(rows)
        if header is None
        else (_Header(header - 1, _labels(rows[:header])) if header else None)
    )
    first = 0
    if found and (header or found.place + 1 < len(rows)):
        labels.clear()
        labels.update(found.labels)
        for row in rows[: found.titles]:
            yield _paragraph(row, {})
        first = found.place + 1
        if first >= len(rows):
            yield _paragraph(rows[-1], {})
    elif not {column for row in rows for column in row} <= labels.keys() or max(
        map(len, rows)
    ) * 2 < len(labels):
        labels.clear()
    pairs = not labels and len({column for row in rows for column in row}) == 2
    for row in rows[first:]:
        if pairs and len(row) == 2 and not is_figure(row[min(row)]):
            label, text = (row[column] for column in sorted(row))
            yield _labelled(label.rstrip(":： "), text)
        elif not _repeats(row, labels):
            yield _paragraph(row, labels)


def _repeats(row: Row, labels: Mapping[int, str]) -> bool:
    """Return whether a row repeats the header, as at the beginning of a printed page."""
    return row.items() <= labels.items() and len(row) > 1


def _paragraph(row: Row, labels: Mapping[int, str]) -> str:
    return row_text(_labelled(labels.get(column, ""), row[column]) for column in sorted(row))


def row_text(fields: Iterable[str]) -> str:
    """Join a row's fields: short ones in one line, long ones each in its own."""
    lines: list[str] = []
    short: list[str] = []
    for written in fields:
        if len(written) <= LONG_CELL:
            short.append(_WHITE.sub(" ", written) if "\n" in written else written)
            continue
        if short:
            lines.append(JOINT.join(short))
            short = []
        lines.append(written)
    if short:
        lines.append(JOINT.join(short))
    return "\n".join(lines)


def _labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if label else text


# --- header detection


@dataclass(frozen=True, slots=True)
class _Header:
    place: int
    labels: dict[int, str]
    titles: int = field(default=0)  # rows above the header


def _find_header(rows: Sequence[Row]) -> _Header | None:
    """Return the first row of usual width as header if it is all words and the body fits it."""
    widths = sorted(len(row) for row in rows)
    usual = widths[len(widths) // 2]
    place = next(
        (place for place, row in enumerate(rows) if len(row) >= max(2, TITLE_SHARE * usual)), None
    )
    if place is None or not all_words(rows[place]) or place + 1 >= len(rows):
        return None
    titles = place
    if _is_below(rows[place + 1], rows[place]):
        place += 1
    elif place and _is_below(rows[place], rows[place - 1]):
        titles -= 1
    labels = _labels(rows[titles : place + 1])
    while place + 2 < len(rows) and _is_units(rows[place + 1], labels):
        place += 1
        for column, unit in rows[place].items():
            labels[column] = f"{labels.get(column, '')} {unit}".strip()
    body = rows[place + 1 :]
    wide = len(labels) > 2
    if len(set(labels.values())) < TITLE_SHARE * len(labels) or not (
        wide or _body_confirms(labels, body)
    ):
        return None
    return _Header(place, labels, titles)


def _is_below(row: Row, groups: Row) -> bool:
    """Return whether a row repeats words below groups: Q1 | Q2 | Q1 | Q2 below 2023 | | 2024 |."""
    repeats = len(set(row.values())) < len(row)
    return (
        repeats
        and all_words(row)
        and all_words(groups)
        and len(groups) > 1
        and bool(row.keys() - groups.keys())
    )


def _is_units(row: Row, labels: Mapping[int, str]) -> bool:
    """Return whether a row below the labels says in which units the figures are."""
    return row.keys() <= labels.keys() and all(map(_UNITS.fullmatch, row.values()))


def _labels(head: Sequence[Row]) -> dict[int, str]:
    """Return the columns' labels; a group applies to the columns up to the next group."""
    labels = dict(head[-1]) if head else {}
    for above in reversed(head[:-1]):
        group = ""
        for column in range(max([*labels, *above], default=-1) + 1):
            group = above.get(column, group)
            if column in labels:
                labels[column] = f"{group} {labels[column]}" if group != labels[column] else group
            elif column in above:
                labels[column] = group
    return {column: _WHITE.sub(" ", label).strip(":： ") for column, label in labels.items()}


def is_header(row: Row) -> bool:
    """Return whether a row consists of distinct words, as a file's header does."""
    return len(row) > 1 and all_words(row) and len(set(row.values())) == len(row)


def all_words(row: Row) -> bool:
    """Return whether a row's cells may all be labels."""
    return all(
        len(text) <= MAX_LABEL and (not is_figure(text) or is_period(text)) for text in row.values()
    )


def _body_confirms(labels: Mapping[int, str], body: Sequence[Row]) -> bool:
    """Return whether a column below a word holds only numbers or only long texts.

    When in doubt, there is no header: "Bonn: 27" needs none, "Supplier: Price" is wrong.
    """
    for column, label in labels.items():
        cells = [row[column] for row in body if column in row]
        figures = all(map(is_figure, cells)) and not is_figure(label)
        longer = len(label) <= MAX_LABEL / 4 and all(
            len(cell) > max(TEXT_COLUMN_CHARACTERS, TEXT_COLUMN_RATIO * len(label))
            for cell in cells
        )
        if len(cells) > 1 and (figures or longer):
            return True
    return False


def is_period(text: str) -> bool:
    """Return whether a cell is a year, quarter or month, which may head a column."""
    return bool(_PERIOD.match(text))


def is_figure(text: str) -> bool:
    """Return whether a cell holds a number, an amount, a date or a time rather than words."""
    digits = sum(map(str.isdigit, text))
    return digits * 2 > sum(map(str.isalnum, text))
