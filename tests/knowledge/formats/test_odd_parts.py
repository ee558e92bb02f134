"""One part that a reader does not understand costs itself and not the file."""

import json
from io import BytesIO
from pathlib import Path

import pptx
import pytest
from pptx.enum.shapes import MSO_CONNECTOR
from pptx.util import Cm

from chatapp.i18n import LANGUAGES, say
from chatapp.knowledge.formats.document import Skips, Unreadable
from tests.support import documents
from tests.support.reading import read, refusal_reason

NAMED = '<p:{0}><p:cNvPr id="9" name="x" descr="An alternative text"/><p:c{0}/><p:nvPr/></p:{0}>'
ODD_SHAPES = {
    "connector": f"<p:cxnSp>{NAMED.format('nvCxnSpPr')}<p:spPr/></p:cxnSp>",
    "freeform": f"<p:sp>{NAMED.format('nvSpPr')}<p:spPr><a:custGeom/></p:spPr></p:sp>",
    "empty text": f"<p:sp>{NAMED.format('nvSpPr')}<p:spPr/><p:txBody/></p:sp>",
    "picture": f"<p:pic>{NAMED.format('nvPicPr')}<p:blipFill/><p:spPr/></p:pic>",
    "bare": "<p:sp/>",
    "empty group": "<p:grpSp/>",
    "group of connectors": "<p:grpSp><p:cxnSp/><p:cxnSp><p:spPr/></p:cxnSp></p:grpSp>",
    "frame": "<p:graphicFrame/>",
    "embedded object": (
        '<p:graphicFrame><a:graphic><a:graphicData uri="http://schemas.openxmlformats.org/'
        'presentationml/2006/ole"><p:oleObj><p:pic/></p:oleObj></a:graphicData></a:graphic>'
        "</p:graphicFrame>"
    ),
    "lost chart": (
        '<p:graphicFrame><a:graphic><a:graphicData><c:chart xmlns:c="urn:c" xmlns:r="urn:r" '
        'r:id="rId99"/></a:graphicData></a:graphic></p:graphicFrame>'
    ),
    "empty table": (
        "<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tr><a:tc/></a:tr></a:tbl>"
        "</a:graphicData></a:graphic></p:graphicFrame>"
    ),
    "comment": "<!-- note -->",
    "choice": "<mc:AlternateContent><!-- note --></mc:AlternateContent>",
    "content part": "<p:contentPart/>",
    "position": '<p:sp><p:spPr><a:xfrm><a:off x="²" y="many"/></a:xfrm></p:spPr></p:sp>',
    "level": (
        '<p:sp><p:txBody><a:p><a:pPr lvl="²"/><a:r><a:t>one</a:t></a:r></a:p>'
        "<a:p><a:r><a:t>two</a:t></a:r></a:p></p:txBody></p:sp>"
    ),
}
SLIDE = "ppt/slides/slide2.xml"
CHOICES = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


def deck_with(shape: str) -> bytes:
    """Return a presentation with one more shape on its second slide."""
    made = documents.slides()
    slide = documents.parts_of(made)[SLIDE].decode().replace("<p:sld ", f"<p:sld {CHOICES} ", 1)
    return documents.with_part(
        made, SLIDE, slide.replace("</p:spTree>", f"{shape}</p:spTree>", 1).encode()
    )


@pytest.mark.parametrize("shape", ODD_SHAPES.values(), ids=ODD_SHAPES)
def test_a_deck_with_a_shape_without_text_is_read(tmp_path: Path, shape: str) -> None:
    document = read(tmp_path, deck_with(shape), "deck.pptx")
    assert document.skipped == 0
    assert all(text in document.text for text in ("Twenty days", "upper right", "No title here"))


def test_a_connector_drawn_by_a_program_is_passed_over(tmp_path: Path) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    slide.shapes.add_textbox(Cm(1), Cm(1), Cm(5), Cm(1)).text_frame.text = "Twenty days"
    slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, Cm(1), Cm(3), Cm(5), Cm(3))
    freeform = slide.shapes.build_freeform(Cm(1), Cm(5))
    freeform.add_line_segments([(Cm(2), Cm(6)), (Cm(3), Cm(5))])
    freeform.convert_to_shape()
    file = BytesIO()
    made.save(file)
    document = read(tmp_path, file.getvalue(), "deck.pptx")
    assert (document.text, document.skipped) == ("Twenty days", 0)


def test_a_damaged_slide_layout_or_chart_costs_itself_alone(tmp_path: Path) -> None:
    made = documents.slides()
    slide = documents.with_part(made, "ppt/slides/slide1.xml", b"<p:sld")
    document = read(tmp_path, slide, "deck.pptx")
    assert document.skipped == 1 and len(document.pages) == 4
    assert "Twenty days" not in document.text and "upper right" in document.text
    for name in documents.parts_of(made):
        if "/charts/chart" in name or "/slideLayouts/slideLayout2.xml" in name:
            document = read(tmp_path, documents.with_part(made, name, b"<"), "deck.pptx")
            assert document.skipped >= 1 and "Twenty days" in document.text, name


def test_damaged_parts_of_a_word_document_cost_themselves_alone(tmp_path: Path) -> None:
    made = documents.word()
    for name in documents.parts_of(made):
        if name.endswith((".xml", ".rels")) and name.startswith("word/") and "document" not in name:
            document = read(tmp_path, documents.with_part(made, name, b"<"), "a.docx")
            assert "Twenty" in document.text or "Leave" in document.text, name


def test_a_workbook_is_read_but_for_its_damaged_sheet(tmp_path: Path) -> None:
    made = documents.workbook()
    first = documents.parts_of(made)["xl/worksheets/sheet1.xml"]
    whole = read(tmp_path, made, "a.xlsx")
    cut = read(
        tmp_path,
        documents.with_part(made, "xl/worksheets/sheet1.xml", first[: len(first) // 2]),
        "a.xlsx",
    )
    assert (whole.skipped, cut.skipped) == (0, 1)
    assert 0 < len(cut.text) < len(whole.text)
    assert cut.sections[-1].heading == whole.sections[-1].heading


@pytest.mark.parametrize("row", ['r="²"', 'r="x"', f'r="{"9" * 5000}"', 'r="-1"'])
def test_an_odd_row_number_is_counted_on(tmp_path: Path, row: str) -> None:
    cells = "<c><v>27</v></c><c><v>28</v></c>"
    document = read(tmp_path, documents.sheet_of([f"<row {row}>{cells}</row>".encode()]), "a.xlsx")
    assert (document.text, document.skipped) == ("27 · 28", 0)


def test_an_odd_cell_costs_its_row_at_most(tmp_path: Path) -> None:
    rows = [
        b"<row><c><v>1</v></c></row>",
        b'<row><c t="s"><v>99</v></c><c s="x"><v>2</v></c></row>',
    ]
    document = read(tmp_path, documents.sheet_of(rows), "a.xlsx")
    assert document.text.split() == ["1", "2"]


def test_odd_numbers_in_opendocument_are_passed_over(tmp_path: Path) -> None:
    content = (
        '<text:h text:outline-level="²">Leave</text:h><text:p>27<text:s text:c="²"/>days</text:p>'
        "<!-- note --><text:p><?page break?>28 days</text:p><text:unknown><text:p/></text:unknown>"
    )
    document = read(tmp_path, documents.opendocument("text", content), "a.odt")
    assert (document.text, document.skipped) == ("Leave\n\n27 days\n\n28 days", 0)


def test_a_book_is_read_but_for_its_lost_page(tmp_path: Path) -> None:
    parts = documents.parts_of(documents.epub("<p>one</p>", "<p>two</p>", "<p>three</p>"))
    del parts["OEBPS/page 1.xhtml"]
    document = read(tmp_path, documents.archive(parts), "a.epub")
    assert (document.text, document.skipped) == ("one\n\nthree", 1)


def test_a_mail_is_read_but_for_the_head_that_cannot_be_parsed(tmp_path: Path) -> None:
    mail = (
        'From: a@b\nTo: <a@b, "c: d;\nSubject: Leave\nMIME-Version: 1.0\nDate: someday\n\n27 days'
    )
    document = read(tmp_path, mail, "a.eml")
    assert "Subject: Leave" in document.text and "27 days" in document.text


def test_a_notebook_is_read_but_for_what_is_no_cell(tmp_path: Path) -> None:
    notebook = json.loads(documents.notebook({"cell_type": "markdown", "source": "27 days"}))
    notebook["cells"].insert(0, "no cell")
    document = read(tmp_path, json.dumps(notebook), "a.ipynb")
    assert (document.text, document.skipped) == ("27 days", 1)


EMPTY = {
    "blank_document": (
        documents.written_word("<w:p/>"),
        documents.opendocument("text", "<text:p/>"),
    ),
    "blank_workbook": (
        documents.plain_workbook([]),
        documents.opendocument("spreadsheet", "<table:table/>"),
    ),
    "blank_slides": (documents.opendocument("presentation", "<draw:page/>"),),
    "blank": (documents.epub("<p/>"), b"<html><body><p></p></body></html>"),
}


@pytest.mark.parametrize("reason", EMPTY)
def test_an_empty_file_is_refused_in_the_words_of_its_kind(tmp_path: Path, reason: str) -> None:
    for content in EMPTY[reason]:
        assert refusal_reason(tmp_path, content) == reason
    for language in LANGUAGES:
        said = say(language, f"error.unreadable_file.{reason}")
        assert "OCR" not in said and "damaged" not in said and "error." not in said


def test_a_file_of_which_nothing_can_be_read_is_damaged(tmp_path: Path) -> None:
    parts = documents.parts_of(documents.epub("<p>one</p>"))
    del parts["OEBPS/page 0.xhtml"]
    assert refusal_reason(tmp_path, documents.archive(parts), "a.epub") == "damaged"
    assert refusal_reason(tmp_path, documents.epub("<p/>"), "a.epub") == "blank"


# --- the guard


def test_the_guard_drops_what_is_left_of_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    skips, read = Skips(), []
    with skips:
        read.append("one")
        raise ValueError("the words of the document")
    with skips:
        raise Unreadable("damaged")
    assert (read, skips.count) == (["one"], 2)
    told = capsys.readouterr().err
    assert "skipped: ValueError at test_odd_parts.py:" in told and "words" not in told


@pytest.mark.parametrize(
    "fault", [Unreadable("bomb"), Unreadable("too_long"), MemoryError(), RecursionError()]
)
def test_limits_are_those_of_the_whole_file(fault: Exception) -> None:
    skips = Skips()
    with pytest.raises(type(fault)), skips:
        raise fault
    assert skips.count == 0
