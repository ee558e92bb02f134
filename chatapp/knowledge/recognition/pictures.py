"""The pages of a file as pictures: pages of a PDF, frames of a TIFF, or one picture.

A picture's size is checked before it is decoded, and a large one is made smaller at once. A page is
seen as a viewer shows it: a PDF's own rotation and a photo's orientation (EXIF) are applied.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol, TypeVar

import pi_heif
import pypdfium2
from PIL import Image, ImageOps

from chatapp.knowledge.formats.document import Unreadable

DPI = 200  # at which pages of a PDF are drawn
POINTS_PER_INCH = 72
MAX_PAGE_POINTS = 9_000_000  # of a page's picture; an A4 page has 8.7 million at 300 dpi
MAX_DECODED_BYTES = 256 * 1024 * 1024  # of a picture while it is made smaller
CANVAS_BYTES = 4  # of a point of a WebP
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF")
JPEG = ("JPEG", "MPO")  # the latter holds several, as cameras write them
PAGED = "TIFF"  # other formats with several frames are animations or thumbnails: the first counts
# Bytes of a point in Pillow's memory, with those of the copy of which a smaller picture is made;
# four for all other modes.
POINT_BYTES = {"1": 2, "L": 1, "P": 2, "RGBA": 8, "LA": 8, "I;16": 3, "I;16B": 3, "I;16L": 3}
WEBP_HEAD = 30  # bytes, which hold the size

T = TypeVar("T")

pi_heif.register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # our own limit counts bytes


class Pages(Protocol):
    """The pages of an opened file."""

    media_type: str

    def __len__(self) -> int: ...

    def picture(self, index: int) -> Image.Image:
        """Return a page's picture in RGB; raise Unreadable."""


@contextmanager
def open_pages(path: Path) -> Iterator[Pages]:
    """Open a PDF or a picture; raise Unreadable for others."""
    with open(path, "rb") as opened:
        if b"%PDF-" in opened.read(1024):
            with closing(PdfPages(path)) as pages:
                yield pages
        else:
            yield Frames(opened)


class PdfPages:
    """The pages of a PDF."""

    media_type = "application/pdf"

    def __init__(self, path: Path) -> None:
        try:
            self._opened = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as fault:
            raise Unreadable("damaged") from fault
        self._opened.init_forms()

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def __len__(self) -> int:
        return len(self._opened)

    def picture(self, index: int) -> Image.Image:
        """Draw a page; raise Unreadable where PDFium cannot."""
        try:
            page = self._opened[index]
            width, height = page.get_size()
            most = math.sqrt(MAX_PAGE_POINTS / max(1.0, width * height))
            bitmap = page.render(scale=min(DPI / POINTS_PER_INCH, most))
            drawn: Image.Image = bitmap.to_pil().convert("RGB")
            page.close()
        except (pypdfium2.PdfiumError, ValueError) as fault:
            raise Unreadable("damaged") from fault
        return drawn


class Frames:
    """The frames of a TIFF, or another picture as one page."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.seek(0)
        if webp_points(file.read(WEBP_HEAD)) * CANVAS_BYTES > MAX_DECODED_BYTES:
            raise Unreadable("picture_size")
        first = self._open()
        _require_size(first)
        self.media_type = str(Image.MIME.get(first.format or "", "image/heic"))
        paged = first.format == PAGED
        self._count = _decoded(lambda: int(getattr(first, "n_frames", 1))) if paged else 1

    def __len__(self) -> int:
        return self._count

    def picture(self, index: int) -> Image.Image:
        """Decode a frame."""
        frame = self._open()  # anew each time: it keeps what it has decoded
        if index:
            _decoded(lambda: frame.seek(index))
        shrink = math.sqrt(frame.width * frame.height / MAX_PAGE_POINTS)
        if frame.format in JPEG and shrink > 1:  # then the decoder makes it smaller
            frame.draft(None, (round(frame.width / shrink), round(frame.height / shrink)))
        _require_size(frame)
        small = _decoded(lambda: _smaller(frame))
        with suppress(Exception):  # a damaged EXIF block
            small = ImageOps.exif_transpose(small)
        return _on_white(small)

    def _open(self) -> Image.Image:
        self._file.seek(0)
        return _decoded(lambda: Image.open(self._file, formats=FORMATS))


def webp_points(head: bytes) -> int:
    """Return how many points a WebP has, by its first bytes; 0 for what is none.

    Pillow's decoder allocates its canvas before it tells the size.
    Source: https://developers.google.com/speed/webp/docs/riff_container
    """
    if len(head) < WEBP_HEAD or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return 0
    number = int.from_bytes(head[20:], "little")  # of the bits of the header
    width, height = {
        b"VP8X": ((number >> 32 & 0xFFFFFF) + 1, (number >> 56 & 0xFFFFFF) + 1),
        b"VP8L": ((number >> 8 & 0x3FFF) + 1, (number >> 22 & 0x3FFF) + 1),
        b"VP8 ": (number >> 48 & 0x3FFF, number >> 64 & 0x3FFF),
    }.get(head[12:16], (0, 0))
    return width * height


def _require_size(frame: Image.Image) -> None:
    """Raise Unreadable for a picture that would take too much memory."""
    width, height = frame.size
    if frame.format in JPEG:  # it can be decoded at an eighth of its sides
        width, height = math.ceil(width / 8), math.ceil(height / 8)
    if width * height * POINT_BYTES.get(frame.mode, 4) > MAX_DECODED_BYTES:
        raise Unreadable("picture_size")


def _decoded(decode: Callable[[], T]) -> T:
    """Call a decoder of Pillow; raise Unreadable where it fails."""
    try:
        return decode()
    except (MemoryError, Unreadable):
        raise
    except Exception as fault:  # a damaged file makes its decoders raise anything
        raise Unreadable("damaged") from fault


def _smaller(frame: Image.Image) -> Image.Image:
    """Decode a frame, and make it smaller where it is large."""
    factor = math.ceil(math.sqrt(frame.width * frame.height / MAX_PAGE_POINTS))
    if factor <= 1:
        return frame.copy()
    if frame.mode.startswith("I;16"):  # Pillow cannot reduce those
        frame = _of_eight_bits(frame)
    if frame.mode in ("1", "P"):
        frame = frame.convert("L")  # reduced points are mixtures
    return frame.reduce(factor)


def _of_eight_bits(picture: Image.Image) -> Image.Image:
    return picture.point(lambda shade: shade * (1 / 256)).convert("L")


def _on_white(picture: Image.Image) -> Image.Image:
    """Return a picture in RGB; transparent places become white."""
    if picture.mode.startswith("I"):  # 16 bits
        picture = _of_eight_bits(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
