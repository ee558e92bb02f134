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
            if row:
                yield _paragraph(row, labels)
            else:
                known = False
            continue
        if row:
            pending.append(row)
        if len(pending) >= LOOKAHEAD or (pending and not row):
            yield from _begin_table(pending, labels, header)
            pending, known, header = [], bool(row), None
    if pending:
        yield from _begin_table(pending, labels, header)


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
            yield _labelled(*(row[column] for column in sorted(row)))
        else:
            yield _paragraph(row, labels)


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
    if place is None or not _all_words(rows[place]) or place + 1 >= len(rows):
        return None
    titles = place
    if _is_below(rows[place + 1], rows[place]):
        place += 1
    elif place and _is_below(rows[place], rows[place - 1]):
        titles -= 1
    labels = _labels(rows[titles : place + 1])
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
        and _all_words(row)
        and _all_words(groups)
        and len(groups) > 1
        and bool(row.keys() - groups.keys())
    )


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
    return len(row) > 1 and _all_words(row) and len(set(row.values())) == len(row)


def _all_words(row: Row) -> bool:
    return all(
        len(text) <= MAX_LABEL and (not is_figure(text) or _PERIOD.match(text))
        for text in row.values()
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


def is_figure(text: str) -> bool:
    """Return whether a cell holds a number, an amount, a date or a time rather than words."""
    digits = sum(map(str.isdigit, text))
    return digits * 2 > sum(map(str.isalnum, text))
