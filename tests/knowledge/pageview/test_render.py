"""Pages as images: real PDFs and pictures through the real child process, and hostile ones."""

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from chatapp.knowledge.pageview import sandboxed
from chatapp.knowledge.pageview.picture import NoPicture, PageImage, from_bytes
from chatapp.knowledge.pageview.render import MAX_PIXELS, MAX_SIDE
from chatapp.knowledge.pageview.sandboxed import RendererEnded, render_limited
from chatapp.settings import MB
from tests.support import page_documents as documents
from tests.support.service import wait_for

MEMORY = 1024 * MB
RED, BLUE = (255, 0, 0), (0, 0, 255)


def rendered(folder: Path, content: bytes, page: int = 1, turned: int = 0) -> PageImage:
    file = folder / "file"
    file.write_bytes(content)
    return from_bytes(render_limited(file, page, turned, MEMORY))


def opened(page: PageImage) -> Image.Image:
    image = Image.open(BytesIO(page.image))
    assert Image.MIME[image.format or ""] == page.media_type
    assert image.size == (page.width, page.height)
    return image.convert("RGB")


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 40 for one, other in zip(pixel, colour, strict=True))  # type: ignore[call-overload]


def test_a_page_of_a_pdf_becomes_an_image_with_the_boxes_of_its_characters(tmp_path: Path) -> None:
    page = rendered(tmp_path, documents.lines_pdf([(100, "First")], [(421, "Second page")]), 2)
    assert 0.9 * MAX_PIXELS < page.width * page.height <= 1.01 * MAX_PIXELS
    text, boxes = page.characters()
    assert text == "Second page" and len(boxes) == len(text)
    left, top, right, bottom = boxes[0]
    assert left == pytest.approx(10_000 * 72 / documents.WIDTH, abs=30)
    assert top < 5000 < bottom + 60 and right > left
    image = opened(page)
    around = image.crop(
        (page.width * left // 10_000, page.height * top // 10_000, page.width // 2, page.height)
    )
    assert around.convert("L").getextrema()[0] < 60, "no ink where the box is"  # type: ignore[operator]


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_boxes_follow_the_rotation_of_a_page(tmp_path: Path, rotate: int) -> None:
    page = rendered(tmp_path, documents.lines_pdf([(500, "Kiln")], rotate=rotate))
    image = opened(page).convert("L")
    _, boxes = page.characters()
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    ink = image.point(lambda value: 255 if value < 128 else 0).getbbox()
    assert ink is not None
    across, down = page.width / 10_000, page.height / 10_000
    assert left * across - 3 <= ink[0] and ink[2] <= right * across + 3
    assert top * down - 3 <= ink[1] and ink[3] <= bottom * down + 3


def test_a_small_photo_stays_as_it_is_and_a_large_one_is_reduced(tmp_path: Path) -> None:
    small = opened(rendered(tmp_path, documents.photo()))
    assert small.size == (300, 200)
    assert near(small.getpixel((150, 20)), RED) and near(small.getpixel((150, 180)), BLUE)
    made = BytesIO()
    Image.new("RGB", (6000, 4000), "red").save(made, "JPEG")
    large = opened(rendered(tmp_path, made.getvalue()))
    assert large.width * large.height <= MAX_PIXELS and large.width / large.height > 1.4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_shown_upright(tmp_path: Path, kind: str) -> None:
    image = opened(rendered(tmp_path, documents.photo(kind, orientation=6)))
    assert image.size == (200, 300)
    assert near(image.getpixel((180, 150)), RED) and near(image.getpixel((20, 150)), BLUE)


def test_a_page_is_turned_as_recognition_says(tmp_path: Path) -> None:
    image = opened(rendered(tmp_path, documents.photo(), turned=90))
    assert image.size == (200, 300)
    assert near(image.getpixel((180, 150)), RED) and near(image.getpixel((20, 150)), BLUE)
    page = rendered(tmp_path, documents.lines_pdf([(100, "Kiln")]), turned=270)
    assert page.width > page.height and page.characters() == ("", [])


def test_transparency_is_shown_on_white(tmp_path: Path) -> None:
    made = BytesIO()
    Image.new("RGBA", (30, 20), (0, 0, 0, 0)).save(made, "PNG")
    assert near(opened(rendered(tmp_path, made.getvalue())).getpixel((5, 5)), (255, 255, 255))


def test_sixteen_bits_of_grey_become_eight(tmp_path: Path) -> None:
    made = BytesIO()
    Image.new("I;16", (30, 20), 0x8000).save(made, "PNG")
    assert near(opened(rendered(tmp_path, made.getvalue())).getpixel((5, 5)), (128, 128, 128))


def test_frames_of_a_tiff_are_pages_and_an_animation_is_one(tmp_path: Path) -> None:
    several = documents.frames("TIFF")
    assert near(opened(rendered(tmp_path, several, 3)).getpixel((5, 5)), BLUE)
    assert near(opened(rendered(tmp_path, documents.frames("GIF"))).getpixel((5, 5)), RED)
    for content, page in ((several, 4), (documents.frames("GIF"), 2)):
        with pytest.raises(NoPicture):
            rendered(tmp_path, content, page)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7 broken",
        b"\x89PNG\r\n\x1a\n broken",
        documents.photo()[:500],
        documents.huge_png(),
    ],
    ids=["empty", "text", "svg", "pdf", "png", "cut", "huge"],
)
def test_what_is_no_page_is_a_fault_of_the_page(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NoPicture):
        rendered(tmp_path, content)


def test_a_page_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(NoPicture):
        rendered(tmp_path, documents.lines_pdf([(100, "One")]), 2)


@pytest.mark.parametrize("content", [documents.huge_page_pdf(), documents.thread_page_pdf()])
def test_a_page_of_any_size_becomes_an_image_within_the_limits(
    tmp_path: Path, content: bytes
) -> None:
    page = rendered(tmp_path, content)
    assert page.width * page.height <= 1.01 * MAX_PIXELS
    assert 1 <= page.width <= MAX_SIDE + 1 and 1 <= page.height <= MAX_SIDE + 1


def test_a_huge_picture_in_a_pdf_stays_within_the_memory(tmp_path: Path) -> None:
    try:
        page = rendered(tmp_path, documents.huge_image_pdf())
    except NoPicture:
        return
    assert page.width * page.height <= 1.01 * MAX_PIXELS


def test_an_endless_page_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxed, "SECONDS", 2)
    with pytest.raises(NoPicture, match="signal"):
        rendered(tmp_path, documents.endless_pdf())


def test_a_renderer_that_is_killed_says_nothing_about_the_page(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(documents.endless_pdf())
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(render_limited, file, 1, 0, MEMORY)
        os.kill(wait_for(lambda: renderer_of(file)), signal.SIGKILL)
        with pytest.raises(RendererEnded):
            running.result()


def renderer_of(file: Path) -> int | None:
    """Return the process that renders a file."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.fsencode(file) in (entry / "cmdline").read_bytes():
                return int(entry.name)
    return None
