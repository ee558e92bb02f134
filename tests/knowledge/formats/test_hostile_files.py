"""Hostile files, parsed as the worker does: in a limited child process. Each yields its text or
its own reason."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from chatapp.errors import ChatAppError
from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.ingest.sandbox import parse_limited
from chatapp.settings import MB, Settings
from tests.support import documents
from tests.support.documents import WORD, p, sheet_of, tbl, written_word

LANGUAGES = ("en", "zh-CN")
ROOT = Path(__file__).parents[3]


def outcome(
    tmp_path: Path, content: bytes | str | Iterable[bytes], name: str, **limits: int
) -> Document | str:
    """Return the document, or the key of the error message."""
    path = tmp_path / "original"
    with open(path, "wb") as file:
        pieces = (
            [content.encode()]
            if isinstance(content, str)
            else [content]
            if isinstance(content, bytes)
            else content
        )
        file.writelines(pieces)
    try:
        return parse_limited(path, name, Settings(home=tmp_path, **limits), lambda: None)  # type: ignore[arg-type]
    except ChatAppError as error:
        assert all(
            error.key in json.loads((ROOT / "static" / "i18n" / f"{one}.json").read_text("utf-8"))
            for one in LANGUAGES
        )
        return error.key


def text_of(found: Document | str) -> str:
    assert isinstance(found, Document), found
    return found.text


def padded(document: bytes, part: str, content: Iterable[bytes], padding: int = 0) -> bytes:
    """Return an Office file with a part given in pieces and an incompressible one beside it."""
    parts: dict[str, Any] = documents.parts_of(document)
    return documents.archive(
        {**parts, part: content, **({"x.bin": os.urandom(padding)} if padding else {})}
    )


# --- too large


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.html", "a.json", "a.py", "a.md"])
def test_a_text_near_the_upload_limit_is_refused_before_parsing(tmp_path: Path, name: str) -> None:
    pieces = (b"words, and words " * 65536 for _ in range(190))
    assert outcome(tmp_path, pieces, name, parse_bytes=256 * MB) == "error.too_large.too_long"


def test_a_pdf_of_ten_thousand_pages_is_refused(tmp_path: Path) -> None:
    assert outcome(tmp_path, documents.pdf(*["page"] * 10_000), "a.pdf") == "error.too_large.pages"


def test_a_sheet_of_millions_of_characters_is_too_long(tmp_path: Path) -> None:
    row = b"<row>" + b"<c><v>1234567890</v></c>" * 10 + b"</row>"
    assert (
        outcome(tmp_path, sheet_of(row * 1000 for _ in range(110)), "a.xlsx")
        == "error.too_large.too_long"
    )


# --- bombs


def test_zip_bombs_are_refused_before_parsing(tmp_path: Path) -> None:
    row = b"<row><c><v>1</v></c></row>" * 40_000
    assert outcome(tmp_path, documents.bomb(), "a.docx") == "error.unreadable_file.bomb"
    assert (
        outcome(tmp_path, sheet_of(row for _ in range(400)), "a.xlsx")
        == "error.unreadable_file.bomb"
    )
    slide = "ppt/slides/slide1.xml"
    bomb = padded(documents.slides(), slide, (b" " * MB for _ in range(300)))
    assert outcome(tmp_path, bomb, "a.pptx") == "error.unreadable_file.bomb"


@pytest.mark.parametrize(
    "content", [documents.word(), documents.archive({"a.txt": "Leave"})], ids=["docx", "zip"]
)
def test_a_wrong_size_of_packed_parts_neither_takes_memory_nor_hides_text(
    tmp_path: Path, content: bytes
) -> None:
    damaged = bytearray(content)
    entry = damaged.find(b"PK\x01\x02")
    while entry >= 0:
        damaged[entry + 23] |= 0x60  # 1.5 GB
        entry = damaged.find(b"PK\x01\x02", entry + 1)
    assert "Leave" in text_of(outcome(tmp_path, bytes(damaged), "a.zip"))


def test_a_sheet_of_more_rows_than_there_can_be_is_refused(tmp_path: Path) -> None:
    row = b'<row><c s="1"/></row>' * 40_000
    parts: dict[str, Any] = documents.parts_of(documents.plain_workbook([]))
    space = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    sheet = [space, *([row] * 30), b"</sheetData></worksheet>"]
    content = documents.archive(
        {**parts, "xl/worksheets/sheet1.xml": sheet, "x.bin": os.urandom(200_000)}
    )
    assert outcome(tmp_path, content, "a.xlsx") == "error.unreadable_file.bomb"


def test_a_workbook_of_a_million_shared_strings_is_refused(tmp_path: Path) -> None:
    strings = (b"<si><t>" + b"a long string of letters " * 4 + b"</t></si>") * 1000
    space = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    content = padded(
        documents.workbook(), "xl/sharedStrings.xml", [space, *([strings] * 250), b"</sst>"], MB
    )
    assert outcome(tmp_path, content, "a.xlsx") == "error.too_large.too_long"


def test_expanding_entities_are_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    laughs = (
        f'<!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
        f"<w:document {WORD}><w:body>{p('&a9;')}</w:body></w:document>"
    )
    content = documents.with_part(documents.word(), "word/document.xml", laughs.encode())
    assert outcome(tmp_path, content, "a.docx") == "error.unreadable_file.unsafe"
    outside = (
        f'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        f"<w:document {WORD}><w:body/></w:document>"
    )
    content = documents.with_part(documents.word(), "word/document.xml", outside.encode())
    assert outcome(tmp_path, content, "a.docx") == "error.unreadable_file.unsafe"
    for content in (laughs, outside):
        assert outcome(tmp_path, content, "a.xml") == "error.unreadable_file.unsafe"


def test_a_pdf_with_nested_compression_stays_within_the_limits(tmp_path: Path) -> None:
    assert text_of(outcome(tmp_path, documents.nested_pdf(), "a.pdf")) == "Twenty days."
    assert (
        outcome(tmp_path, documents.nested_pdf(), "a.pdf", parse_bytes=160 * MB)
        == "error.unreadable_file.limits"
    )


# --- deep nesting


def test_deeply_nested_html_is_read_without_structure(tmp_path: Path) -> None:
    assert (
        text_of(outcome(tmp_path, "<html><body>" + "<div>" * 1_000_000 + "Twenty days.", "a.html"))
        == "Twenty days."
    )
    assert (
        text_of(outcome(tmp_path, "<html><body>" + "<i>a</b>" * 100_000, "a.html")) == "a" * 100_000
    )


def test_deeply_nested_json_is_read_as_text(tmp_path: Path) -> None:
    assert text_of(outcome(tmp_path, "[" * 1_000_000, "a.json")) == "[" * 1_000_000
    assert "Twenty" in text_of(outcome(tmp_path, '{"a":' * 900 + '"Twenty"' + "}" * 900, "a.json"))


def test_nested_word_tables_are_read_or_refused(tmp_path: Path) -> None:
    def nested(times: int) -> str:
        body = "Twenty days."
        for _ in range(times):
            body = tbl((body,))
        return body

    assert text_of(outcome(tmp_path, written_word(nested(60)), "a.docx")) == "Twenty days."
    assert outcome(tmp_path, written_word(nested(120)), "a.docx") == "error.unreadable_file.nested"


# --- long lines


def test_very_long_lines_are_read_or_too_long(tmp_path: Path) -> None:
    assert len(text_of(outcome(tmp_path, "x" * 9_000_000, "a.csv"))) == 9_000_000
    assert outcome(tmp_path, '"' + "x" * 12_000_000, "a.csv") == "error.too_large.too_long"
    assert len(text_of(outcome(tmp_path, "<a " * 3_000_000 + "<p>Twenty days.", "a.html"))) >= len(
        "Twenty days."
    )


# --- the child process


def test_a_parser_over_its_time_limit_is_killed(tmp_path: Path) -> None:
    row = b"<row>" + b"<c/>" * 10 + b"</row>"
    content = padded(
        documents.plain_workbook([]),
        "xl/worksheets/sheet1.xml",
        [b"<worksheet><sheetData>", row * 900_000],
        MB,
    )
    assert outcome(tmp_path, content, "a.xlsx", parse_seconds=1) == "error.unreadable_file.limits"


def test_a_pdf_without_pages_is_empty(tmp_path: Path) -> None:
    assert outcome(tmp_path, documents.no_page(), "a.pdf") == "error.unreadable_file.empty"
