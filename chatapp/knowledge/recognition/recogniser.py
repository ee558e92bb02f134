"""The recogniser: the picture of a page in, its text and the place of each line out.

Two models of PP-OCR run on onnxruntime: one finds the lines (boxes.py), one reads a line. A page
that lies on its side or stands on its head is turned by quarters first.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from chatapp.core.text import normalise
from chatapp.knowledge.recognition.boxes import Box, find_boxes
from chatapp.knowledge.recognition.layout import Piece, compose

Array = np.ndarray[Any, Any]

STRIDE = 32  # both sides of the detection model's input are multiples of it
MAX_POINTS = 900_000  # of that input; it takes 300 MB
LINE_HEIGHT = 48  # points, of the recognition model's input
MIN_LINE, MAX_LINE = 16, 3840  # points, its length
MIN_CONFIDENCE = 0.5  # mean over a line's characters; below, it is no text
SURE = 0.85  # confidence from which a page stands upright
SAMPLES = 4  # lines that are read to find out how a page stands
TALL = 1.5  # height to length, from which a line runs downwards
TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180,
         270: Image.Transpose.ROTATE_90}  # fmt: skip  # clockwise; Pillow turns the other way


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page: where it stands in the page's text, and its box.

    The box is left, top, right, bottom as shares (0..1) of the page's width and height, as it
    stands upright.
    """

    start: int
    end: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Page:
    """The text of a page. `turned` is by how many degrees, clockwise, its picture was turned to
    stand upright."""

    text: str
    lines: tuple[Line, ...]
    turned: int


class Recogniser:
    """The models in a folder that set-up has made. `rest` is called after each piece of work."""

    def __init__(self, folder: Path, rest: Callable[[], None] = lambda: None) -> None:
        self._detection = _session(folder / "detection.onnx")
        self._recognition = _session(folder / "recognition.onnx")
        known = self._recognition.get_modelmeta().custom_metadata_map["character"]
        self._characters = ("", *known.splitlines(), " ")
        self._rest = rest

    def read(self, picture: Image.Image) -> Page:
        """Read a page."""
        picture = picture.convert("RGB")
        turned, picture, boxes = self._upright(picture)
        pieces = [
            _piece(text, box, number, boxes)
            for number, box in enumerate(boxes)
            if (text := self._text(picture, box))
        ]
        text, places = compose(pieces)
        lines = [
            Line(start, end, _share(boxes[number], picture.size)) for number, start, end in places
        ]
        return Page(text, tuple(lines), turned)

    def _upright(self, picture: Image.Image) -> tuple[int, Image.Image, list[Box]]:
        """Return by how much a page is turned to stand upright, its picture then, and its boxes."""
        boxes = self._boxes(picture)
        tall = sum(box.height for box in boxes if box.height > TALL * box.length)
        lying = tall > sum(box.length for box in boxes if box.length > TALL * box.height)
        turn = 90 if lying else 0
        if lying:
            picture = picture.transpose(TURNS[90])
            boxes = self._boxes(picture)
        samples = sorted(boxes, key=lambda box: -box.length)[:SAMPLES]
        sure = self._confidence(picture, samples)
        if not boxes or sure >= SURE:
            return turn, picture, boxes
        other = picture.transpose(TURNS[180])
        turned = [_upside_down(box, picture.size) for box in samples]
        if self._confidence(other, turned) <= sure:
            return turn, picture, boxes
        return turn + 180, other, [_upside_down(box, picture.size) for box in boxes]

    def _boxes(self, picture: Image.Image) -> list[Box]:
        """Find the lines of a page."""
        shrink = min(1.0, math.sqrt(MAX_POINTS / (picture.width * picture.height)))
        width, height = (
            max(STRIDE, round(side * shrink / STRIDE) * STRIDE) for side in picture.size
        )
        small = picture.resize((width, height), Image.Resampling.BILINEAR)
        heat = _run(self._detection, small)[0, 0]
        self._rest()
        return [
            box.scaled(picture.width / width, picture.height / height) for box in find_boxes(heat)
        ]

    def _text(self, picture: Image.Image, box: Box) -> str:
        """Read a line; empty where it is no text."""
        text, confidence = self._read_line(_cut(picture, box))
        if box.height > TALL * box.length:  # a line that runs downwards on an upright page
            downwards = _cut(picture, box).transpose(TURNS[270])
            upwards = downwards.transpose(TURNS[180])
            for each in (downwards, upwards):
                text, confidence = max(
                    (text, confidence), self._read_line(each), key=lambda read: read[1]
                )
        return " ".join(normalise(text).split()) if confidence >= MIN_CONFIDENCE else ""

    def _confidence(self, picture: Image.Image, boxes: Sequence[Box]) -> float:
        read = [self._read_line(_cut(picture, box))[1] for box in boxes]
        return sum(read) / max(1, len(read))

    def _read_line(self, line: Image.Image) -> tuple[str, float]:
        """Return a line's text, and the mean confidence in its characters."""
        length = round(LINE_HEIGHT * line.width / line.height)
        size = (min(max(length, MIN_LINE), MAX_LINE), LINE_HEIGHT)
        scores = _run(self._recognition, line.resize(size, Image.Resampling.BICUBIC))[0]
        self._rest()
        best = scores.argmax(axis=1)
        # Connectionist temporal classification: repetitions are one character, 0 separates.
        kept = (best > 0) & np.concatenate([[True], best[1:] != best[:-1]])
        if not kept.any():
            return "", 0.0
        text = "".join(self._characters[number] for number in best[kept])
        return text, float(scores.max(axis=1)[kept].mean())


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # live answers matter more than the speed of this
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it would keep the memory of the largest input
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(session: Any, picture: Image.Image) -> Array:
    """Run a model on a picture: channels blue, green, red, values from -1 to 1."""
    points = np.asarray(picture, np.float32)[:, :, ::-1].transpose(2, 0, 1)
    made: Array = session.run(None, {session.get_inputs()[0].name: points[None] / 127.5 - 1})[0]
    return made


def _cut(picture: Image.Image, box: Box) -> Image.Image:
    """Cut a line out of a page, levelled."""
    size = max(1, round(box.length)), max(1, round(box.height))
    cosine, sine = math.cos(box.angle), math.sin(box.angle)
    left = box.x - box.length / 2 * cosine + box.height / 2 * sine
    top = box.y - box.length / 2 * sine - box.height / 2 * cosine
    places = (cosine, -sine, left, sine, cosine, top)
    return picture.transform(size, Image.Transform.AFFINE, places, Image.Resampling.BICUBIC)


def _upside_down(box: Box, size: tuple[int, int]) -> Box:
    return Box(size[0] - box.x, size[1] - box.y, box.length, box.height, box.angle)


def _piece(text: str, box: Box, number: int, boxes: Sequence[Box]) -> Piece:
    """Return a line for the layout, with its place on the levelled page."""
    angle = median(each.angle for each in boxes)
    along = box.x * math.cos(angle) + box.y * math.sin(angle)
    down = box.y * math.cos(angle) - box.x * math.sin(angle)
    length, height = box.length / 2, box.height / 2
    return Piece(text, along - length, down - height, along + length, down + height, number)


def _share(box: Box, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the upright rectangle around a box, as shares of the page's size."""
    cosine, sine = abs(math.cos(box.angle)), abs(math.sin(box.angle))
    width = (box.length * cosine + box.height * sine) / 2
    height = (box.length * sine + box.height * cosine) / 2
    edges = (
        (box.x - width) / size[0],
        (box.y - height) / size[1],
        (box.x + width) / size[0],
        (box.y + height) / size[1],
    )
    left, top, right, bottom = (round(min(max(edge, 0.0), 1.0), 4) for edge in edges)
    return left, top, right, bottom
