"""Render one page of a PDF or picture. Runs in a child process:

    python -m chatapp.knowledge.pageview.render FILE PAGE TURNED PARENT SECONDS MEMORY

The page is written to stdout. The process limits itself before it opens the file: the web workers
that start it cannot run code between fork and exec. It may be killed at any moment and must not use
the database.
"""

import contextlib
import ctypes
import io
import math
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from chatapp.child import limit
from chatapp.knowledge.pageview.picture import (
    MAX_BYTES,
    UNITS,
    Box,
    NoPicture,
    PageImage,
    fault_bytes,
    layout_bytes,
)
from chatapp.knowledge.recognition.pictures import Frames

MAX_PIXELS = 3_000_000  # of a page's image: A4 at 175 dpi
MAX_SIDE = 8_000  # pixels
MAX_DPI = 300  # for small pages
MAX_CHARACTERS = 20_000  # of a page that can be marked
JPEG_QUALITY = 85
_EDGE = 1_000_000  # of the page on which PDFium places boxes: in whole numbers, so a large one
_NO_BOX = (0, 0, 0, 0)

Place: TypeAlias = Callable[[float, float], tuple[int, int]]


def render(path: Path, number: int, turned: int = 0) -> PageImage:
    """Render a page, counted from 1, turned clockwise by so many degrees, which only recognised
    pages are; raise NoPicture, or what the libraries raise."""
    with open(path, "rb") as file:
        is_pdf = b"%PDF-" in file.read(1024)
    return (_pdf_page if is_pdf else _picture)(path, number, turned)


# --- PDF


def _pdf_page(path: Path, number: int, turned: int) -> PageImage:
    opened = pypdfium2.PdfDocument(path)
    page = opened[number - 1]
    if opened.get_formtype() != pdfium.FORMTYPE_NONE:  # as formats/pdf.py reads it
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        page.close()
        page = opened[number - 1]
    image = page.render(scale=_scale(*page.get_size()), rev_byteorder=True).to_pil()
    if turned:  # then the page's own characters, if any, are of no use
        return encoded(image.rotate(-turned, expand=True), layout_bytes())
    return encoded(image, layout_bytes(*_characters(page)))


def _scale(width: float, height: float) -> float:
    """Return pixels per point for a page of this size."""
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise NoPicture("a page without a size")
    return min(
        math.sqrt(MAX_PIXELS / (width * height)), MAX_SIDE / max(width, height), MAX_DPI / 72
    )


def _characters(page: pypdfium2.PdfPage) -> tuple[str, list[Box]]:
    """Return the characters of a page's text and their boxes, in PDFium's order."""
    try:
        content = page.get_textpage()
    except pypdfium2.PdfiumError:
        return "", []
    place = _to_image(page)
    text: list[str] = []
    boxes: list[Box] = []
    found = pdfium.FS_RECTF()
    for index in range(min(content.count_chars(), MAX_CHARACTERS)):
        text.append(chr(min(pdfium.FPDFText_GetUnicode(content, index), sys.maxunicode)))
        box = _NO_BOX
        if pdfium.FPDFText_GetLooseCharBox(content, index, found):
            corners = place(found.left, found.bottom), place(found.right, found.top)
            (left, right), (top, bottom) = (sorted(pair) for pair in zip(*corners, strict=True))
            box = (left, top, right, bottom)
        boxes.append(box)
    return "".join(text), boxes


def _to_image(page: pypdfium2.PdfPage) -> Place:
    """Return the function from a place on a PDF page, which may be turned, to one on its image."""
    width, height = page.get_size()

    def corner(x: float, y: float) -> tuple[int, int]:
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, _EDGE, _EDGE, 0, x, y, across, down)
        return across.value, down.value

    reach = max(width, height)  # far enough from the origin to lose nothing by rounding
    origin, right, up = corner(0, 0), corner(reach, 0), corner(0, reach)

    def place(x: float, y: float) -> tuple[int, int]:
        found = (
            start + (one - start) * x / reach + (other - start) * y / reach
            for start, one, other in zip(origin, right, up, strict=True)
        )
        across, down = (round(min(max(n * UNITS / _EDGE, 0), UNITS)) for n in found)
        return across, down

    return place


# --- pictures


def _picture(path: Path, number: int, turned: int) -> PageImage:
    """Render a picture or a frame of one, upright and without transparency."""
    with open(path, "rb") as file:
        frames = Frames(file)
        if number > len(frames):
            raise NoPicture("no such frame")
        image = frames.picture(number - 1)
    width, height = image.size
    scale = min(1, math.sqrt(MAX_PIXELS / (width * height)), MAX_SIDE / max(width, height))
    image.thumbnail((max(1, int(width * scale)), max(1, int(height * scale))))
    return encoded(image.rotate(-turned, expand=True), layout_bytes())


# --- encoding


def encoded(image: Image.Image, layout: bytes) -> PageImage:
    """Return an image as PNG or JPEG, whichever is smaller, without metadata."""
    image.info = {}  # a JPEG's comment and a PNG's colour profile would be written again
    if image.mode == "RGB" and _is_grey(image):
        image = image.convert("L")
    photo, drawing = io.BytesIO(), io.BytesIO()
    image.save(photo, "JPEG", quality=JPEG_QUALITY)
    image.save(drawing, "PNG", compress_level=6)
    kind, made = min((("image/png", drawing), ("image/jpeg", photo)), key=lambda one: one[1].tell())
    return PageImage(kind, *image.size, made.getvalue(), layout)


def _is_grey(image: Image.Image) -> bool:
    red, green, blue = (band.tobytes() for band in image.split())
    return red == green == blue


def main(arguments: list[str]) -> int:
    """Print the page that the arguments name, or why it cannot be shown."""
    path = Path(arguments[0])
    number, turned, *limits = map(int, arguments[1:])
    return print_made(lambda: render(path, number, turned), *limits)


def print_made(make: Callable[[], PageImage], parent: int, seconds: int, memory: int) -> int:
    """Limit this process, then print what a function makes, or why it cannot be shown."""
    signal.alarm(seconds)
    limit(parent, seconds, memory, MAX_BYTES)
    try:
        made = make().to_bytes()
    except Exception as fault:  # of any library, on any file
        made = fault_bytes(f"{type(fault).__name__}: {fault}")
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(made)
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
