"""Documents for the tests of the page view: laid out so that places are known, and hostile ones."""

import struct
import warnings
import zlib
from io import BytesIO
from typing import Any

from PIL import Image

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # reportlab's, on import
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen import canvas
    from reportlab.platypus import SimpleDocTemplate, Table

WIDTH, HEIGHT = A4
LEFT = 72


def lines_pdf(*pages: list[tuple[float, str]], rotate: int = 0) -> bytes:
    """Return a PDF with lines at these heights (points from the top) on its pages."""
    made = BytesIO()
    page = canvas.Canvas(made, pagesize=A4)
    for lines in pages:
        page.setPageRotation(rotate)
        for top, line in lines:
            page.drawString(LEFT, HEIGHT - top, line)
        page.showPage()
    page.save()
    return made.getvalue()


def table_pdf(rows: list[list[str]]) -> bytes:
    made = BytesIO()
    SimpleDocTemplate(made, pagesize=A4).build([Table(rows, colWidths=[120] * len(rows[0]))])
    return made.getvalue()


def raw_pdf(content: bytes, box: str = "0 0 595 842", extra: bytes = b"", more: str = "") -> bytes:
    """Return a PDF of one page with this content; `extra` are objects from number 5 on."""
    head = (
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R"
        f"/Resources<</Font<</F 9 0 R>>{more}>>>>"
    )
    stream = zlib.compress(content)
    return b"".join(
        (
            b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n",
            b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n",
            b"3 0 obj" + head.encode() + b"endobj\n",
            b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n" % len(stream),
            stream + b"\nendstream endobj\n",
            b"9 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n",
            extra,
            b"trailer<</Root 1 0 R>>\n%%EOF",
        )
    )


TEXT = b"BT /F 12 Tf 72 700 Td (The kiln stays at 1280 degrees) Tj ET\n"


def huge_page_pdf() -> bytes:
    return raw_pdf(TEXT, box="0 0 10000000 10000000")


def thread_page_pdf() -> bytes:
    """A page that is very long and hardly wide."""
    return raw_pdf(TEXT, box="0 0 2 14400000")


def huge_image_pdf() -> bytes:
    """A page with a picture of 30,000 × 30,000 pixels in 2.7 MB, without its checksum."""
    rows = zlib.compressobj(9)
    head = rows.flush(zlib.Z_FULL_FLUSH)
    block = rows.compress(bytes(30_000 * 3 * 100)) + rows.flush(zlib.Z_FULL_FLUSH)
    pixels = head + 300 * block + rows.flush()
    image = (
        b"5 0 obj<</Type/XObject/Subtype/Image/Width 30000/Height 30000/ColorSpace/DeviceRGB"
        b"/BitsPerComponent 8/Filter/FlateDecode/Length %d>>stream\n" % len(pixels)
    )
    return raw_pdf(
        TEXT + b"q 500 0 0 500 40 40 cm /I Do Q",
        extra=image + pixels + b"\nendstream endobj\n",
        more="/XObject<</I 5 0 R>>",
    )


def endless_pdf() -> bytes:
    """A form that draws ten others, each of which draws ten more: 10^20 in all."""
    forms = []
    for number in range(10, 31):
        content = b"/N Do " * 10 if number < 30 else b"0 0 9 9 re f"
        inner = b"/Resources<</XObject<</N %d 0 R>>>>" % (number + 1) if number < 30 else b""
        forms.append(
            b"%d 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 500 500]%s/Length %d>>stream\n%s\n"
            b"endstream endobj\n" % (number, inner, len(content), content)
        )
    return raw_pdf(TEXT + b"/N Do", extra=b"".join(forms), more="/XObject<</N 10 0 R>>")


def huge_png() -> bytes:
    """A picture of 30,000 × 30,000 pixels in 0.1 MB."""

    def part(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    packed = zlib.compressobj(9)
    row = bytes(1 + 30_000 // 8)
    pixels = b"".join(packed.compress(row * 100) for _ in range(300)) + packed.flush()
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", pixels) + part(b"IEND", b"")


def photo(kind: str = "JPEG", orientation: int = 1, **options: Any) -> bytes:
    """A picture, 300 × 200, whose upper half is red and whose lower half is blue."""
    image = Image.new("RGB", (300, 200), "blue")
    image.paste("red", (0, 0, 300, 100))
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = BytesIO()
    image.save(made, kind, exif=exif, **options)
    return made.getvalue()


def frames(kind: str) -> bytes:
    """A picture of three frames: red, green, blue."""
    made = BytesIO()
    first, *others = (Image.new("RGB", (60, 40), colour) for colour in ("red", "lime", "blue"))
    first.save(made, kind, save_all=True, append_images=others)
    return made.getvalue()
