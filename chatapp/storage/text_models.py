"""The tables of the texts of files: normalised, and as recognised. See `models.py`."""

from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.storage.models import Model


class FileText(Model):
    """The normalised text of a file, which all offsets refer to, and its page starts."""

    __tablename__ = "file_texts"
    file_id: Mapped[str] = mapped_column(
        ForeignKey("files.id", ondelete="CASCADE"), primary_key=True
    )
    text: Mapped[str] = mapped_column(Text)
    pages: Mapped[list[Any]] = mapped_column(default=list)


class RecognisedPage(Model):
    """A page (from 1) that text recognition reads, has read or has given up.

    State is waiting, read (not in the file's text yet), done or failed. `lines` are [start, end,
    left, top, right, bottom]: offsets in `text`, which begins at the page's start in the file's
    text, and a box in shares (0..1) of the page's width and height. The page is as a viewer shows
    it (a PDF's rotation and a photo's orientation applied), then turned clockwise by `turned`
    degrees (0, 90, 180 or 270), which makes it upright.
    """

    __tablename__ = "recognised_pages"
    file_id: Mapped[str] = mapped_column(
        ForeignKey("files.id", ondelete="CASCADE"), primary_key=True
    )
    page: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    turned: Mapped[int] = mapped_column(default=0)
    text: Mapped[str] = mapped_column(Text, default="")
    lines: Mapped[list[Any]] = mapped_column(default=list)
