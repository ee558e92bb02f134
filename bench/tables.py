"""Tables of benchmarks: plain text that is also Markdown, so a README can quote it."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Cell: TypeAlias = str | int | float | None  # None: not measured, or without meaning
EXACT_BELOW = 10  # figures below it are shown with two decimals, those above with one


class Skipped(Exception):
    """A benchmark cannot run here; the message says why, or what to do."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: title, columns with units, rows, and notes for the reader."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> list[Cell]:
        """Return the cells of a column."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def lines(self) -> Iterator[str]:
        """Yield the table as it is printed."""
        shown = [list(self.columns), *([_shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[place]) for row in shown) for place in range(len(self.columns))]
        yield self.title
        yield ""
        yield _line(shown[0], widths)
        yield (
            "|"
            + "|".join(
                "-" * (width + 1) + ("-" if place == 0 else ":")
                for place, width in enumerate(widths)
            )
            + "|"
        )
        yield from (_line(row, widths) for row in shown[1:])
        yield from (f"\n{note}" for note in self.notes)


def say(words: str) -> None:
    """Print progress on stderr; stdout holds the tables only."""
    print(f"  … {words}", file=sys.stderr, flush=True)


def _shown(cell: Cell) -> str:
    match cell:
        case None:
            return "–"
        case float():
            return f"{cell:,.2f}" if abs(cell) < EXACT_BELOW else f"{cell:,.1f}"
        case int():
            return f"{cell:,}"
    return cell


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "| " + " | ".join(padded) + " |"
