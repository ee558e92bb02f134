"""PDF pages drawn piece by piece: texts at given places, rules, pictures, crop boxes."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # reportlab's, on import
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen import canvas

PROSE = (
    "Everybody who works in one of our offices may borrow a bicycle that belongs to the Company "
    "after asking the Head of Administration, provided that nobody else needs it on that day. "
)


@dataclass
class Page:
    """A page to draw. A text is (x, y, text) with its font's name and size."""

    texts: list[tuple[float, float, str, str, float]] = field(default_factory=list)
    rules: list[tuple[float, float, float]] = field(default_factory=list)  # left, right, y
    picture: bool = False
    crop: tuple[float, float, float, float] | None = None
    turned: int = 0

    def write(
        self, x: float, y: float, text: str, font: str = "Helvetica", size: float = 10
    ) -> "Page":
        self.texts.append((x, y, text, font, size))
        return self

    def row(self, y: float, places: Sequence[float], cells: Iterable[str], **look: Any) -> "Page":
        """Write the cells that are not empty, each at its place."""
        for x, cell in zip(places, cells, strict=False):
            if cell:
                self.write(x, y, cell, **look)
        return self

    def prose(self, y: float, lines: int, x: float = 72, width: int = 88) -> "Page":
        """Write lines of prose, 12 points apart."""
        words = (PROSE * (1 + lines * width // len(PROSE))).split()
        for number in range(lines):
            line = ""
            while words and len(line) + len(words[0]) < width:
                line += words.pop(0) + " "
            self.write(x, y - 12 * number, line.strip())
        return self


def made(*pages: Page) -> bytes:
    """Return the PDF with these pages."""
    file = BytesIO()
    drawing = canvas.Canvas(file, pagesize=A4)
    for page in pages:
        if page.crop:
            drawing.setCropBox(page.crop)
        if page.turned:
            drawing.setPageRotation(page.turned)
        if page.picture:
            drawing.drawImage(_picture(), 0, 0, *A4)
        for left, right, y in page.rules:
            drawing.line(left, y, right, y)
        for x, y, text, font, size in page.texts:
            drawing.setFont(font, size)
            if page.turned == 90:  # drawn upwards, so that it is level when the page is turned
                drawing.saveState()
                drawing.translate(A4[0] - y + 200, x)
                drawing.rotate(90)
                drawing.drawString(0, 0, text)
                drawing.restoreState()
            else:
                drawing.drawString(x, y, text)
        drawing.showPage()
    drawing.save()
    return file.getvalue()


def _picture() -> ImageReader:
    """Return a grey picture of four dots."""
    return ImageReader(BytesIO(b"P5 2 2 255\n\x80\x90\xa0\xb0"))
