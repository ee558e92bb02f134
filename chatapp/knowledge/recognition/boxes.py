"""Find the lines of text in the map that the detection model makes of a page.

The model gives each point the probability that it belongs to the inner part of a line (Liao et al.,
"Real-time Scene Text Detection with Differentiable Binarization", 2020). Connected points above a
threshold are one line; its box is grown by what the model leaves out at the borders.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

THRESHOLD = 0.3  # above which a point belongs to a line
MIN_SCORE = 0.5  # mean of a line's points; below, it is noise
GROWTH = 1.6  # share of area to circumference by which a box grows on each side
MIN_SIDE = 3  # points; smaller is noise
MAX_BOXES = 2000  # of a page, the largest ones
LONG = 4  # length to height from which a box shows its own angle
MAX_ANGLE = 0.6  # radians; steeper ones are turned by a quarter instead


@dataclass(frozen=True, slots=True)
class Box:
    """A line's place: centre, length along the line, height across it, angle (clockwise)."""

    x: float
    y: float
    length: float
    height: float
    angle: float

    def scaled(self, across: float, down: float) -> "Box":
        """Return the box in a picture that is larger by these factors, which are nearly equal."""
        return Box(
            self.x * across, self.y * down, self.length * across, self.height * down, self.angle
        )


def find_boxes(heat: Array) -> list[Box]:
    """Return the boxes of a map [height, width] of probabilities, in its points."""
    starts, ends = _runs(heat > THRESHOLD)
    if not len(starts):
        return []
    width = heat.shape[1]
    rows, left, right = starts // width, starts % width, ends - starts // width * width
    labels, count = _components(rows, left, right)
    length = (right - left).astype(np.float64)
    totals = np.concatenate([[0.0], np.cumsum(heat, dtype=np.float64)])
    area = np.bincount(labels, length, count)
    score = np.bincount(labels, totals[ends] - totals[starts], count) / area
    angles = _angles(rows, left, right, labels, area)
    boxes = _extents(rows, left, right, labels, angles, count)
    kept = [
        number
        for number in np.argsort(-area)[:MAX_BOXES]
        if score[number] >= MIN_SCORE
        and min(boxes[number].height, boxes[number].length) >= MIN_SIDE
    ]
    return [_grown(boxes[number]) for number in kept]


def _runs(mask: Array) -> tuple[Array, Array]:
    """Return where the runs of true points begin and end, counted through all rows."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    width = mask.shape[1]
    row, column = np.nonzero(steps == 1)
    row_end, column_end = np.nonzero(steps == -1)
    return row * width + column, row_end * width + column_end


def _components(rows: Array, left: Array, right: Array) -> tuple[Array, int]:
    """Return the number of the component of each run: runs that touch, also by a corner."""
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    row, begin, end = rows.tolist(), left.tolist(), right.tolist()
    above = 0
    for run in range(len(row)):
        while row[above] < row[run] - 1 or (row[above] == row[run] - 1 and end[above] < begin[run]):
            above += 1
        other = above
        while row[other] == row[run] - 1 and begin[other] <= end[run]:
            parent[root(run)] = root(other)
            other += 1
    roots = np.array([root(run) for run in range(len(row))])
    found, labels = np.unique(roots, return_inverse=True)
    return labels, len(found)


def _angles(rows: Array, left: Array, right: Array, labels: Array, area: Array) -> Array:
    """Return the angle of each component: its main axis if it is long, else the page's."""
    count = len(area)
    length = (right - left).astype(np.float64)
    middle = (left + right - 1) / 2
    x = np.bincount(labels, middle * length, count) / area
    y = np.bincount(labels, rows * length, count) / area
    dx, dy = middle - x[labels], rows - y[labels]
    xx = np.bincount(labels, (dx**2 + (length**2 - 1) / 12) * length, count) / area + 1 / 12
    yy = np.bincount(labels, dy**2 * length, count) / area + 1 / 12
    xy = np.bincount(labels, dx * dy * length, count) / area
    angles = np.arctan2(2 * xy, xx - yy) / 2
    is_long = (xx > LONG**2 * yy) & (np.abs(angles) < MAX_ANGLE)
    page = float(np.median(angles[is_long])) if is_long.any() else 0.0
    return np.where(is_long, angles, page)


def _extents(
    rows: Array, left: Array, right: Array, labels: Array, angles: Array, count: int
) -> list[Box]:
    """Return the box around each component, along its angle."""
    cosine, sine = np.cos(angles)[labels], np.sin(angles)[labels]
    low, high = np.full((2, count), np.inf), np.full((2, count), -np.inf)
    for x in (left, right):
        for y in (rows, rows + 1):
            for axis, place in enumerate((x * cosine + y * sine, y * cosine - x * sine)):
                np.minimum.at(low[axis], labels, place)
                np.maximum.at(high[axis], labels, place)
    size, centre = high - low, (high + low) / 2
    x = centre[0] * np.cos(angles) - centre[1] * np.sin(angles)
    y = centre[0] * np.sin(angles) + centre[1] * np.cos(angles)
    return [Box(*map(float, each)) for each in zip(x, y, size[0], size[1], angles, strict=True)]


def _grown(box: Box) -> Box:
    distance = box.length * box.height * GROWTH / (2 * (box.length + box.height))
    return Box(box.x, box.y, box.length + 2 * distance, box.height + 2 * distance, box.angle)
