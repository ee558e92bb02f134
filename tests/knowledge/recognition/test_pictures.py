"""Pages as pictures: kinds of files, orientation, limits."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chatapp.knowledge.formats.document import Unreadable
from chatapp.knowledge.recognition.pictures import MAX_PAGE_POINTS, open_pages, webp_points
from tests.support import documents
from tests.support.pictures import page, saved, scan


def opened(folder: Path, data: bytes) -> list[Image.Image]:
    path = folder / "picture"
    path.write_bytes(data)
    with open_pages(path) as pages:
        return [pages.picture(number) for number in range(len(pages))]


def large_png(width: int, height: int) -> bytes:
    """Return a valid PNG of one colour that is small until it is decoded."""

    def block(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = b"\0" * (width * 3 + 1)
    packed = b"".join(packer.compress(row) for _ in range(min(height, 50))) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + block(b"IHDR", head) + block(b"IDAT", packed) + block(b"IEND", b"")
    )


def webp(kind: bytes, header: bytes) -> bytes:
    """Return the first bytes of a WebP with a chunk that holds the size."""
    return b"RIFF\xff\0\0\0WEBP" + kind + b"\xff\0\0\0" + header + bytes(30)


SIDE = 16383
LARGE_WEBP = webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", SIDE, SIDE))
LARGE_LOSSLESS_WEBP = webp(b"VP8L", b"\x2f" + struct.pack("<I", (SIDE - 1) << 14 | SIDE - 1))
LARGE_EXTENDED_WEBP = webp(b"VP8X", bytes(4) + struct.pack("<I", SIDE)[:3] * 2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_the_usual_kinds_of_pictures(tmp_path: Path, kind: str) -> None:
    (picture,) = opened(tmp_path, saved(page(["Keys"], size=(300, 100)), kind))
    assert (picture.mode, picture.size) == ("RGB", (300, 100))
    assert picture.getpixel((0, 0)) == pytest.approx((255, 255, 255), abs=3)


def test_every_page_of_a_tiff_and_of_a_pdf(tmp_path: Path) -> None:
    pages = [Image.new("L", (200, 100), shade) for shade in (255, 128, 0)]
    for kind in ("TIFF", "PDF"):
        shades = [picture.getpixel((20, 20)) for picture in opened(tmp_path, saved(pages, kind))]
        assert shades == [pytest.approx((shade,) * 3, abs=3) for shade in (255, 128, 0)], kind


def test_the_first_picture_of_an_animation(tmp_path: Path) -> None:
    pages = [Image.new("L", (200, 100), shade) for shade in (255, 0)]
    (picture,) = opened(tmp_path, saved(pages, "GIF"))
    assert picture.getpixel((20, 20)) == (255, 255, 255)


def test_a_photo_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # its first row is the right side
    photo = Image.new("RGB", (300, 100), "black")
    photo.paste("white", (0, 0, 100, 100))
    (picture,) = opened(tmp_path, saved(photo, "JPEG", exif=exif))
    assert picture.size == (100, 300)
    assert sum(picture.getpixel((50, 20))) > 700 > 50 > sum(picture.getpixel((50, 280)))


def test_transparent_places_are_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    (picture,) = opened(tmp_path, saved(clear, "PNG"))
    assert picture.getpixel((5, 5)) == (255, 255, 255)


def test_sixteen_bits(tmp_path: Path) -> None:
    deep = Image.new("I;16", (50, 50), 60000)
    (picture,) = opened(tmp_path, saved(deep, "PNG"))
    assert picture.getpixel((5, 5)) == (234, 234, 234)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "1"),
        ("PNG", "RGB"),
        ("PNG", "I;16"),
        ("PNG", "RGBA"),
        ("JPEG", "RGB"),
        ("TIFF", "1"),
        ("TIFF", "RGB"),
        ("TIFF", "I;16"),
        ("WEBP", "RGB"),
    ],
)
def test_a_large_picture_is_made_smaller(tmp_path: Path, kind: str, mode: str) -> None:
    (picture,) = opened(tmp_path, saved(Image.new(mode, (6000, 5000), 0), kind))
    assert picture.width * picture.height <= MAX_PAGE_POINTS
    assert picture.width / picture.height == pytest.approx(6 / 5, abs=0.01)


def test_a_picture_that_would_take_too_much_memory_is_refused_before_it_is_decoded(
    tmp_path: Path,
) -> None:
    for data in (large_png(30_000, 30_000), LARGE_WEBP, LARGE_LOSSLESS_WEBP, LARGE_EXTENDED_WEBP):
        with pytest.raises(Unreadable) as refused:
            opened(tmp_path, data)
        assert refused.value.reason == "picture_size"


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0"}])
def test_the_size_of_a_webp_is_read_from_its_first_bytes(options: dict[str, Any]) -> None:
    data = io.BytesIO()
    Image.new("RGB", (301, 205), "white").save(data, "WEBP", **options)
    assert webp_points(data.getvalue()[:30]) == 301 * 205
    assert webp_points(saved(page(["Keys"]), "PNG")[:30]) == 0 == webp_points(data.getvalue()[:29])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        saved(page(["Keys"]), "PNG")[:900],
        saved(page(["Keys"]), "TIFF")[:900],
        b"II*\0" + b"\xff" * 100,
        b"%PDF-1.4 nothing",
    ],
    ids=range(6),
)
def test_damaged_pictures(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        opened(tmp_path, data)
    assert refused.value.reason == "damaged"


def test_a_pdf_is_drawn_with_its_rotation_and_never_too_large(tmp_path: Path) -> None:
    (picture,) = opened(tmp_path, scan(["Keys"]))
    assert picture.size == (1800, 800)  # 9 by 4 inches, at 200 dpi
    assert len(opened(tmp_path, documents.english_pdf())) >= 1
    wide = saved(Image.new("L", (14_000, 14_000), 255), "PDF", resolution=72)
    (picture,) = opened(tmp_path, wide)
    assert 0.9 * MAX_PAGE_POINTS < picture.width * picture.height <= 1.01 * MAX_PAGE_POINTS
