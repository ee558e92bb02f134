"""PageImage: what the renderer makes of a page, and its form in files. Standard library only.

    {"media_type", "width", "height", "layout", "image"}    one line of JSON, then as many bytes
    [text, boxes]                                           as `layout` says, and of the image
                                                            as many as `image` says

A page that cannot be shown has the line {"fault": why} instead, so that it is not tried again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

# Part of each cached file's name. A change of what is rendered needs the next number.
VERSION = 1
MAX_BYTES = 24 * 1024 * 1024  # of a page in this form
TOO_MANY = "too many pixels"  # why a picture is not read
UNITS = 10_000  # of an image's width or height, in which boxes are given

Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom in UNITS


class NoPicture(Exception):
    """A page that cannot be shown; the reason is for the log."""


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page's image and, packed by `layout_bytes`, its characters with their boxes."""

    media_type: str
    width: int
    height: int
    image: bytes
    layout: bytes

    def characters(self) -> tuple[str, list[Box]]:
        """Return the characters of the page's text and the box of each."""
        text, numbers = json.loads(self.layout)
        return text, list(zip(*[iter(numbers)] * 4, strict=True))

    def to_bytes(self) -> bytes:
        """Return the page as it is sent and stored."""
        head = {
            "media_type": self.media_type,
            "width": self.width,
            "height": self.height,
            "layout": len(self.layout),
            "image": len(self.image),
        }
        return json.dumps(head).encode() + b"\n" + self.layout + self.image


def layout_bytes(text: str = "", boxes: Sequence[Box] = ()) -> bytes:
    """Pack a page's characters and their boxes."""
    numbers = [number for box in boxes for number in box]
    return json.dumps([text, numbers], separators=(",", ":")).encode()


def fault_bytes(why: str) -> bytes:
    """Return the form of a page that cannot be shown."""
    return json.dumps({"fault": why}).encode() + b"\n"


def from_bytes(data: bytes) -> PageImage:
    """Return a page; raise NoPicture for one that cannot be shown, ValueError for damaged data."""
    line, _, rest = data.partition(b"\n")
    head = json.loads(line)
    if not isinstance(head, dict):
        raise ValueError("not a page")
    if "fault" in head:
        raise NoPicture(str(head["fault"]))
    try:
        layout = int(head["layout"])
        if len(rest) != layout + int(head["image"]):
            raise ValueError("cut off")
        kind, width, height = str(head["media_type"]), int(head["width"]), int(head["height"])
    except (KeyError, TypeError) as fault:
        raise ValueError("not a page") from fault
    return PageImage(kind, width, height, rest[layout:], rest[:layout])
