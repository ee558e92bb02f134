"""Write a picture anew, without its metadata. Runs in a child process, as render.py does:

    python -m chatapp.knowledge.pageview.reencode FILE PIXELS PARENT SECONDS MEMORY

The orientation of a photo is applied and its colours become sRGB; of an animation the first frame
is kept. A large picture is made smaller: models see no more.
"""

import contextlib
import io
import sys
from pathlib import Path

from PIL import Image, ImageCms

from chatapp.knowledge.pageview.picture import TOO_MANY, NoPicture, PageImage, layout_bytes
from chatapp.knowledge.pageview.render import encoded, print_made
from chatapp.knowledge.recognition.pictures import FORMATS, Frames

MAX_SIDE = 1568  # pixels; suppliers make larger ones smaller themselves


def reencode(path: Path, max_pixels: int) -> PageImage:
    """Return a picture as it is stored; raise NoPicture, or what the libraries raise."""
    with open(path, "rb") as file:
        with Image.open(file, formats=FORMATS) as opened:
            if opened.width * opened.height > max_pixels:
                raise NoPicture(TOO_MANY)
        picture = Frames(file).picture(0)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    return encoded(_in_srgb(picture), layout_bytes())


def _in_srgb(picture: Image.Image) -> Image.Image:
    """Return a picture whose colours are right without its profile."""
    profile = picture.info.get("icc_profile")
    if not profile:
        return picture
    with contextlib.suppress(Exception):  # a damaged profile, or one of other colours
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        made = ImageCms.profileToProfile(picture, own, ImageCms.createProfile("sRGB"))
        return made or picture
    return picture


def main(arguments: list[str]) -> int:
    """Print the picture that the arguments name, or why it cannot be read."""
    path = Path(arguments[0])
    pixels, *limits = map(int, arguments[1:])
    return print_made(lambda: reencode(path, pixels), *limits)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
