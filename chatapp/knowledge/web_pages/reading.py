"""What the pipeline does otherwise for a web page: its name, its errors, and the content that it
replaces."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from chatapp.errors import PageUnavailable, UnreadableFile
from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.ingest.jobs import Job
from chatapp.knowledge.web_pages.names import HTML_TYPES, name_of_address, name_of_title
from chatapp.knowledge.web_pages.rows import take_over


class Parse(Protocol):
    """Reads a file; `charset` is what a server says of a text."""

    def __call__(
        self, path: Path, name: str, heartbeat: Callable[[], None], charset: str = ..., /
    ) -> Document: ...


def parsed_page(parse: Parse, original: Path, job: Job, heartbeat: Callable[[], None]) -> Document:
    """Read a page by the name and charset that its server gave.

    Raises PageUnavailable for one without text: a script would write it in a browser.
    """
    page = job.page
    assert page is not None
    sent = page.sent_name or job.name
    try:
        document = parse(original, sent, heartbeat, page.charset)
    except UnreadableFile as error:
        if error.detail == "blank" and sent.endswith(".html"):
            raise PageUnavailable("no_text") from error
        raise
    if document.title and document.text == document.title:
        raise PageUnavailable("no_text")
    return document


def named_by_content(job: Job, document: Document) -> Job:
    """Return the job of a page with the name that its title gives it, of a file as it is."""
    if job.page is None:
        return job
    first = document.sections[0].heading if document.sections else ""
    title = document.title or (first if document.media_type in HTML_TYPES else "")
    return replace(job, name=name_of_title(title) or name_of_address(job.page.url))


def replace_page(t: Session, job: Job) -> None:
    """Let the page that this one replaces have its content; nothing for another file."""
    if job.page is not None and job.page.replaces is not None:
        take_over(t, job.file_id)
