"""Where a piece of text stands on a PDF's page."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in points: text runs to the right, y grows upwards."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(slots=True)
class Placed:
    """A line, or a part of one between wide gaps. `step` is the width of every letter in a font
    for code, else 0; `parts` are filled where wide gaps were found."""

    text: str
    box: Box
    size: float = 0.0
    bold: bool = False
    step: float = 0.0
    sideways: bool = False
    head: bool = False  # of a page, repeated on others
    parts: tuple["Placed", ...] = ()


Sides = tuple[float, float, float, float]  # a box's left, bottom, right and top


def around(one: Sides, two: Sides) -> Box:
    """Return the box around two."""
    left, bottom, right, top = one
    next_left, next_bottom, next_right, next_top = two
    if bottom == next_bottom and top == next_top and left <= next_left:
        return Box(left, bottom, next_right, top)
    return Box(
        min(left, next_left), min(bottom, next_bottom), max(right, next_right), max(top, next_top)
    )


def median(values: Iterable[float]) -> float:
    """Return the middle value; the standard library's module costs more to load than a page."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def merged(above: Placed, below: Placed, text: str) -> Placed:
    """Return the line that two become, of which the first ended in the middle of a word."""
    whole = around(above.box, below.box)
    line = Placed(text, whole, above.size, above.bold)
    line.sideways = above.sideways
    return line
