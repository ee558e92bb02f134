"""Parses a document in a test and checks what holds for every format."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from chatapp.core.text import normalise, split
from chatapp.knowledge.formats.document import Document, Unreadable
from chatapp.knowledge.ingest.parse import parse


def read(
    tmp_path: Path, content: bytes | str, name: str = "file.bin", most_pages: int = 100
) -> Document:
    """Parse a file and check its offsets."""
    path = tmp_path / "original"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    document = parse(path, name, most_pages)
    check(document)
    return document


def refusal_reason(
    tmp_path: Path, content: bytes | str, name: str = "file.bin", most_pages: int = 100
) -> str:
    """Return why a file is refused."""
    with pytest.raises(Unreadable) as refused:
        read(tmp_path, content, name, most_pages)
    return refused.value.reason


def check(document: Document) -> None:
    """Check that sections and pages begin within the text and in order, and that its chunks lose
    no text."""
    text = document.text
    starts = [section.start for section in document.sections]
    assert text and normalise(text) == text
    assert starts == sorted(set(starts)) and all(0 <= start < len(text) for start in starts)
    assert list(document.pages) == sorted(document.pages) and all(
        0 <= page <= len(text) for page in document.pages
    )
    spans = split(text, sorted({*starts, *document.pages}))
    assert "".join("".join(text[span.start : span.end] for span in spans).split()) == "".join(
        text.split()
    )
    assert Document.from_json(document.to_json()) == document


def outline(document: Document) -> list[tuple[str, str]]:
    """Return each section's heading path and its first line."""
    return [
        (section.heading, document.text[section.start :].split("\n")[0])
        for section in document.sections
    ]


def headings(document: Document) -> list[str]:
    return [section.heading for section in document.sections]


def in_order(text: str, parts: Sequence[str]) -> bool:
    """Return whether all parts occur in a text, in this order."""
    place = 0
    for part in parts:
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True
