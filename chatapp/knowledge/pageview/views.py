"""The entry point of this package: the image of a file's page, and a passage's boxes on it.

Methods take the id of the current user and raise NotFound for other users' files (access.py). They
wait without blocking the hub: the cache is read, pages are rendered and passages are looked for in
native threads.
"""

import logging
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.errors import KnowledgeUnavailable, NotFound, UnreadableFile
from chatapp.knowledge.access import find_file, readable_base
from chatapp.knowledge.ingest.jobs import SEARCHABLE
from chatapp.knowledge.ingest.originals import Originals
from chatapp.knowledge.ingest.recognising import DONE
from chatapp.knowledge.pageview.boxes import line_boxes, passage_boxes
from chatapp.knowledge.pageview.cache import PageCache
from chatapp.knowledge.pageview.picture import (
    UNITS,
    VERSION,
    Box,
    NoPicture,
    PageImage,
    fault_bytes,
    from_bytes,
)
from chatapp.knowledge.pageview.sandboxed import RendererEnded, render_limited, slot
from chatapp.settings import Settings
from chatapp.storage import threads
from chatapp.storage.database import Database
from chatapp.storage.models import File
from chatapp.storage.text_models import FileText, RecognisedPage

log = logging.getLogger("chatapp.knowledge")

PDF, PICTURE = "application/pdf", "image/"
MAX_MARKED_PAGES = 4  # of one passage
MAX_WAITING = 12  # pages that wait to be rendered, of one worker
RETRY_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Page:
    """A page that the user may see; `tag` changes with what it shows."""

    sha256: str
    number: int
    turned: int = 0  # degrees, clockwise, that make a recognised page upright

    @property
    def tag(self) -> str:
        """Return the name of this page's image, for caches."""
        return f"{self.sha256[:32]}-{VERSION}-{self.name}"

    @property
    def name(self) -> str:
        """Return its name in the cache, beside that of the file."""
        return f"{self.number}-{self.turned}"


class PageViews:
    """Pages of all users' files, rendered on demand and kept for a while."""

    def __init__(self, database: Database, settings: Settings, originals: Originals) -> None:
        self._database = database
        self._originals = originals
        self._cache = PageCache(settings.home, settings.page_cache_bytes)
        self._memory_bytes = settings.parse_bytes
        self._waiting = 0

    def page(self, user_id: str, base_id: str, file_id: str, number: int) -> Page:
        """Return a page, counted from 1; raise NotFound."""

        def find(t: Session) -> Page:
            file = find_file(t, readable_base(t, user_id, base_id), file_id)
            if not 1 <= number <= count_images(file):
                raise NotFound("page")
            return Page(file.sha256, number, _turned(t, file.id, number))

        return self._database.read(find)

    def image(self, page: Page) -> PageImage:
        """Return a page's image. Raises UnreadableFile for one that cannot be shown, and
        KnowledgeUnavailable while too many others wait."""
        data = threads.run(lambda: self._cache.read(page.sha256, page.name))
        if data is not None:
            try:
                return self._opened(data, page)
            except ValueError:
                log.warning("a stored page is damaged and is rendered again")
        if self._waiting >= MAX_WAITING:
            raise KnowledgeUnavailable("pages", retry_after=RETRY_SECONDS)
        self._waiting += 1
        try:
            data = threads.run(lambda: self._render(page), threads.PAGES)
        except (RendererEnded, OSError) as fault:
            log.warning("page %s was not rendered: %r", page.number, fault)
            raise KnowledgeUnavailable("pages", retry_after=RETRY_SECONDS) from fault
        finally:
            self._waiting -= 1
        return self._opened(data, page)

    def marks(
        self, user_id: str, base_id: str, file_id: str, start: int, end: int
    ) -> dict[str, Any]:
        """Return how many pages of a file can be shown, and those of a passage with its boxes."""
        count, pages = self._database.read(
            lambda t: _passage(t, user_id, base_id, file_id, start, end)
        )
        return {"count": count, "pages": [self._marked(page) for page in pages]}

    def _marked(self, passage: "_OnPage") -> dict[str, Any]:
        image = self.image(passage.page)
        found = threads.run(lambda: _boxes(image, passage))
        boxes = [
            [left / UNITS, top / UNITS, (right - left) / UNITS, (bottom - top) / UNITS]
            for left, top, right, bottom in found
        ]
        return {
            "page": passage.page.number,
            "width": image.width,
            "height": image.height,
            "boxes": boxes,
        }

    def _render(self, page: Page) -> bytes:
        original = self._originals.path(page.sha256)
        with slot(self._cache.folder, page.tag):
            stored = self._cache.read(page.sha256, page.name)  # another worker's, meanwhile
            if stored is not None and _is_whole(stored):
                return stored
            if not original.is_file():
                raise NotFound("file")
            data = render_limited(original, page.number, page.turned, self._memory_bytes)
        if not _is_whole(data):
            data = fault_bytes("no page")
        self._cache.write(page.sha256, page.name, data)
        if not original.is_file():  # deleted meanwhile
            self._cache.remove(page.sha256)
        return data

    def _opened(self, data: bytes, page: Page) -> PageImage:
        try:
            return from_bytes(data)
        except NoPicture as fault:
            log.info("page %s of %s cannot be shown: %s", page.number, page.sha256[:12], fault)
            raise UnreadableFile("page") from fault


@dataclass(frozen=True, slots=True)
class _OnPage:
    """The part of a passage on one page: `text` is what the document has of that page."""

    page: Page
    text: str
    start: int
    end: int
    lines: list[list[float]] | None = None  # of a page that recognition read


def count_images(file: File) -> int:
    """Return how many pages of a file can be shown; 0 for a file that is not shown by pages."""
    if file.status not in SEARCHABLE:
        return 0
    kind = file.media_type or ""
    if kind == PDF:
        return file.pages or 0
    return (file.pages or 1) if kind.startswith(PICTURE) else 0


def _passage(
    t: Session, user_id: str, base_id: str, file_id: str, start: int, end: int
) -> tuple[int, list[_OnPage]]:
    file = find_file(t, readable_base(t, user_id, base_id), file_id)
    count = count_images(file)
    found = t.get(FileText, file.id) if count and start < end else None
    if found is None:
        return count, []
    begins = [*(found.pages or [0]), len(found.text)]
    read = t.scalars(select(RecognisedPage).where(RecognisedPage.file_id == file.id))
    recognised = {one.page: one for one in read if one.state == DONE}
    pages: list[_OnPage] = []
    for number in range(max(1, bisect_right(begins, start)), len(begins)):
        first, last = begins[number - 1], begins[number]
        if first >= end or len(pages) == MAX_MARKED_PAGES:
            break
        if first < last and number <= count:
            text = found.text[first:last]
            at = max(start - first, 0), min(end, last) - first
            one = recognised.get(number)
            page = Page(file.sha256, number, one.turned if one else 0)
            pages.append(_OnPage(page, text, *at, one.lines if one else None))
    return count, pages


def _turned(t: Session, file_id: str, number: int) -> int:
    row = t.get(RecognisedPage, (file_id, number))
    return row.turned if row is not None and row.state == DONE else 0


def _boxes(image: PageImage, passage: _OnPage) -> list[Box]:
    if passage.lines is not None:
        return line_boxes(passage.lines, passage.start, passage.end)
    return passage_boxes(*image.characters(), passage.text, passage.start, passage.end)


def _is_whole(data: bytes) -> bool:
    try:
        from_bytes(data)
    except NoPicture:
        return True
    except ValueError:
        return False
    return True
