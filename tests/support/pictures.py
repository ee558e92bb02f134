"""Pictures of text, drawn with Pillow."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from chatapp.home import MODELS

CHINESE_FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")  # fonts-noto-cjk
SIMPLIFIED = 2  # the font's number in that file

needs_models = pytest.mark.skipif(
    not (MODELS / "pp-ocrv6-small" / "model.json").is_file(),
    reason="set-up has not fetched the models of text recognition",
)
needs_chinese = pytest.mark.skipif(
    not CHINESE_FONT.exists(), reason="the package fonts-noto-cjk is not installed"
)


def page(
    lines: Sequence[str],
    size: tuple[int, int] = (900, 400),
    at: tuple[int, int] = (40, 30),
    points: int = 30,
    onto: Image.Image | None = None,
) -> Image.Image:
    """Draw lines of text below each other on white, or onto another page."""
    picture = onto or Image.new("RGB", size, "white")
    font = (
        ImageFont.load_default(points)
        if "".join(lines).isascii()
        else ImageFont.truetype(str(CHINESE_FONT), points, index=SIMPLIFIED)
    )
    for number, line in enumerate(lines):
        place = at[0], at[1] + number * round(points * 1.5)
        ImageDraw.Draw(picture).text(place, line, font=font, fill="black")
    return picture


def saved(pictures: Image.Image | Sequence[Image.Image], kind: str, **options: object) -> bytes:
    """Return a file with these pictures; PDF, TIFF and GIF hold several."""
    first, *others = [pictures] if isinstance(pictures, Image.Image) else pictures
    out = io.BytesIO()
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(out, kind, **more, **options)  # type: ignore[arg-type]
    return out.getvalue()


def scan(*pages: Sequence[str]) -> bytes:
    """Return a PDF whose pages are pictures of these lines."""
    return saved([page(lines) for lines in pages], "PDF", resolution=100)
