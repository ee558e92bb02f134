"""The text of documents, a part at a time, for programs that read on from a passage."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.core.unseen import visible
from chatapp.errors import InvalidRequest, NotFound
from chatapp.knowledge.access import readable_file
from chatapp.knowledge.ingest.chunking import page_of
from chatapp.knowledge.ingest.jobs import SEARCHABLE
from chatapp.knowledge.names import file_name
from chatapp.storage.database import Database
from chatapp.storage.text_models import FileText

MOST_CHARACTERS = 8000  # of one part


@dataclass(frozen=True, slots=True)
class Place:
    """Where to begin and end: offsets, or a page; without an end, as much as fits."""

    start: int = 0
    end: int | None = None
    page: int | None = None


class Documents:
    """Reads the stored text of files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, user_id: str, file_id: str, place: Place) -> dict[str, Any]:
        """Return a part of a file's text and where the text goes on; raise NotFound.

        Raises InvalidRequest for a place outside of the text.
        """
        return self._database.read(lambda t: _read(t, user_id, file_id, place))


def _read(t: Session, user_id: str, file_id: str, place: Place) -> dict[str, Any]:
    file = readable_file(t, user_id, file_id)
    query = select(FileText.pages, func.length(FileText.text)).where(FileText.file_id == file_id)
    row = t.execute(query).first() if file.status in SEARCHABLE else None
    if row is None:
        raise NotFound("text")
    pages, length = row
    start, limit = _range(place, pages, length)
    end = min(limit, start + MOST_CHARACTERS)
    part = func.substr(FileText.text, start + 1, end - start)
    text = t.scalar(select(part).where(FileText.file_id == file_id)) or ""
    return {
        "file_id": file_id,
        "knowledge_base_id": file.knowledge_base_id,
        "name": file_name(file.name),
        "url": file.url,
        "page": page_of(pages, start),
        "pages": len(pages) or None,
        "start": start,
        "end": end,
        "length": length,
        "next": end if end < length else None,
        "text": visible(text),
    }


def _range(place: Place, pages: list[int], length: int) -> tuple[int, int]:
    """Return the offsets of a place; raise InvalidRequest if the text does not have it."""
    if place.page is not None:
        if not pages:
            raise InvalidRequest("page", "no_pages")
        if place.page > len(pages):
            raise InvalidRequest("page", "at_most", le=len(pages))
        starts = [*pages, length]
        return starts[place.page - 1], starts[place.page]
    if place.start > length:
        raise InvalidRequest("start", "at_most", le=length)
    end = length if place.end is None else min(place.end, length)
    if end < place.start:
        raise InvalidRequest("end", "at_least", ge=place.start)
    return place.start, end
