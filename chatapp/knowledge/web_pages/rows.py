"""The rows of web pages: added, fetched again, stored, replaced.

A page is a file with `url`. Its job begins in `fetching` and goes on as an upload's (jobs.py):

    fetching → queued → parsing → indexing → embedding → ready | failed

To fetch a page again that can be searched, a second row is made that `replaces` it. It is shown
nowhere, and once its text is indexed, the two exchange their content in one transaction; the page
keeps its id. Until then, and where that fails, the old content stays.

`fetch` holds: `name` and `charset` as the server gave them, `etag` and `last_modified`, `tries`
that failed in a row, and of fetching it again the outcome (`again`) and `error`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chatapp.knowledge.ingest.jobs import (
    DELETING,
    FETCHING,
    SEARCHABLE,
    queue_again,
)
from chatapp.knowledge.ingest.remove import mark_deleting
from chatapp.knowledge.web_pages.names import name_of_address
from chatapp.storage.models import Chunk, File, new_id, now
from chatapp.storage.text_models import FileText, RecognisedPage

RUNNING, REPLACED, UNCHANGED, FAILED = "fetching", "replaced", "unchanged", "failed"
MEDIA_TYPE = "text/html"  # until it is read
# Of a file when another takes over its content: everything else is content, or the job's state.
IDENTITY = ("id", "knowledge_base_id", "url", "replaces", "created_at")


def add_page(t: Session, base_id: str, address: str) -> tuple[File, bool]:
    """Return the base's page with this address, and whether it was there already.

    One that failed is fetched again.
    """
    same = select(File).where(
        File.knowledge_base_id == base_id,
        File.url == address,
        File.replaces.is_(None),
        File.status != DELETING,
    )
    if (file := t.scalars(same.limit(1)).first()) is not None:
        if file.status == "failed":
            queue_again(file, file.split)
        return file, True
    file = _page(base_id, address, name_of_address(address), _unfetched("page", address))
    t.add(file)
    t.flush()
    return file, False


def fetch_again(t: Session, file: File) -> None:
    """Begin to fetch a page again; one that is being fetched or read goes on."""
    if file.status not in SEARCHABLE:
        queue_again(file, file.split)
        return
    if t.scalar(select(File.id).where(File.replaces == file.id, File.status != DELETING)):
        return
    copy = _page(file.knowledge_base_id, file.url or "", file.name, _unfetched(new_id(), file.id))
    copy.replaces = file.id
    t.add(copy)
    file.fetch = {**(file.fetch or {}), "again": RUNNING, "error": None}
    t.flush()


def _page(base_id: str, address: str, name: str, sha256: str) -> File:
    return File(
        id=new_id(),
        knowledge_base_id=base_id,
        name=name,
        md5="",
        sha256=sha256,
        size=0,
        media_type=MEDIA_TYPE,
        status=FETCHING,
        url=address,
        fetch={},
        created_at=now(),
    )


def _unfetched(*what: str) -> str:
    """Return what stands for the hash of content that is not there; no file has it."""
    return hashlib.sha256("\0".join(("not fetched", *what)).encode()).hexdigest()


def take_over(t: Session, copy_id: str) -> None:
    """Give a page the content of the row that replaces it, which gets the old one and is marked
    for deletion."""
    copy = t.get_one(File, copy_id)
    file = t.get(File, copy.replaces, with_for_update=True)
    mark_deleting(t, copy_id, leased=False)
    if file is None or file.status == DELETING:
        return
    old, new = _content(file), _content(copy)
    copy.sha256 = _unfetched(copy.id)
    t.flush()
    _set(file, {**new, "fetch": {**(copy.fetch or {}), "again": REPLACED}})
    t.flush()
    _set(copy, {name: old[name] for name in ("md5", "sha256", "size")})
    t.flush()
    _exchange_texts(t, file.id, copy.id)


def _content(file: File) -> dict[str, Any]:
    columns = File.__table__.columns.keys()
    return {name: getattr(file, name) for name in columns if name not in IDENTITY}


def _set(file: File, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        setattr(file, name, value)


def _exchange_texts(t: Session, file_id: str, copy_id: str) -> None:
    for table in (FileText, RecognisedPage):
        t.execute(delete(table).where(table.file_id == file_id))
        t.execute(update(table).where(table.file_id == copy_id).values(file_id=file_id))
    # Negative for a moment: a file has each ordinal once.
    away = update(Chunk).where(Chunk.file_id == file_id)
    t.execute(away.values(file_id=copy_id, ordinal=-1 - Chunk.ordinal))
    here = update(Chunk).where(Chunk.file_id == copy_id, Chunk.ordinal >= 0)
    t.execute(here.values(file_id=file_id))


def settle(t: Session) -> None:
    """Note at each page why the row that was to replace it failed, and mark that for deletion."""
    failed = select(File).where(File.replaces.is_not(None), File.status == "failed").limit(20)
    for copy in t.scalars(failed).all():
        end_again(t, copy, FAILED, copy.error)


def end_again(t: Session, copy: File, outcome: str, error: Mapping[str, Any] | None = None) -> None:
    """Keep a page's content, with the outcome of fetching it again."""
    file = t.get(File, copy.replaces, with_for_update=True)
    mark_deleting(t, copy.id, leased=False)
    if file is None:
        return
    if outcome == UNCHANGED:
        file.fetched_at = now()
    file.fetch = {**(file.fetch or {}), "again": outcome, "error": error}


def same_content(t: Session, file: File, sha256: str) -> File | None:
    """Return another file of the base that holds the same bytes; it may be about to be deleted."""
    other = select(File).where(
        File.knowledge_base_id == file.knowledge_base_id,
        File.sha256 == sha256,
        File.id != file.id,
        File.id != (file.replaces or ""),
    )
    return t.scalars(other.limit(1)).first()
