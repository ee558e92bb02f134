"""RTF: headings, tables and every code page; nothing that is not shown."""

from pathlib import Path

import pytest

from tests.support.reading import outline, read, refusal_reason

HEAD = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset134 SimSun;}"
HEAD += r"{\f2\fcharset204 Arial Cyr;}{\f3\fcharset128 Mincho;}}"
STYLES = r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2 heading 2;}}"


def escaped(text: str, encoding: str) -> str:
    return "".join(f"\\'{byte:02x}" for byte in text.encode(encoding))


def test_headings_and_tables_keep_their_structure(tmp_path: Path) -> None:
    body = (
        r"\pard\s1 Leave\par\pard\s0 27 days.\par\pard\s2 Tables\par"
        r"\pard\intbl Town\cell Days\cell\row\pard\intbl Bonn\cell 27\cell\row"
        r"\pard\intbl Ulm\cell 28\cell\row\pard After it.\par\pard{\listtext\'b7\tab}Keys\par}"
    )
    found = read(tmp_path, HEAD + STYLES + body, "a.rtf")
    assert outline(found) == [("Leave", "Leave"), ("Leave › Tables", "Tables")]
    assert found.text == (
        "Leave\n\n27 days.\n\nTables\n\nTown: Bonn · Days: 27\n\nTown: Ulm · Days: 28\n\nAfter it."
        "\n\n- Keys"
    )


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (rf"\f1 {escaped('年假十五天', 'gb18030')}", "年假十五天"),
        (rf"\f2 {escaped('отпуск', 'cp1251')}\f0 {escaped('é', 'cp1252')}", "отпускé"),
        (rf"\f3 {escaped('有給休暇', 'cp932')}", "有給休暇"),
        (r"\uc1\u24180 ?\u20551 ?", "年假"),
        (r"\uc2\u24180\'c4\'ea\u20551\'bc\'d9", "年假"),
        (r"\uc0\u-10179 \u-8704 ", "😀"),
        (r"{\upr{old}{\*\ud\uc0\u24180 }}", "年"),
        (r"\ldblquote a\rdblquote\emdash b\~c\-d\_e", "“a”—b cd-e"),
        (r"\{a\}\\", "{a}\\"),
    ],
)
def test_characters_are_decoded(tmp_path: Path, written: str, text: str) -> None:
    assert read(tmp_path, HEAD + written + "}", "a.rtf").text == text


def test_bytes_of_a_document_in_an_asian_code_page_are_decoded(tmp_path: Path) -> None:
    made = r"{\rtf1\ansi\ansicpg936{\fonttbl{\f0\fcharset0 Arial;}}\f0 年假十五天}"
    assert read(tmp_path, made.encode("gb18030"), "a.rtf").text == "年假十五天"


@pytest.mark.parametrize(
    "unseen",
    [
        r"{\v hidden}",
        r"\v hidden\v0 ",
        r"{\deleted hidden}",
        r"{\info{\title hidden}}",
        r"{\*\unknown hidden}",
        r"{\header hidden\par}",
        r"{\pict\pngblip 89504e470d0a}",
        "{\\pict\\bin5 }}}}}}",
        r"{\field{\*\fldinst HYPERLINK hidden}{\fldrslt }}",
        r"{\object{\*\objdata 0105}{\result }}",
    ],
)
def test_what_is_not_shown_is_left_out(tmp_path: Path, unseen: str) -> None:
    assert read(tmp_path, rf"{HEAD}27 {unseen}days\par}}", "a.rtf").text.split() == ["27", "days"]


def test_notes_links_and_boxes_are_read(tmp_path: Path) -> None:
    body = (
        r"27 days{\footnote not for interns} of "
        r"{\field{\*\fldinst HYPERLINK x}{\fldrslt leave}}.\par"
        r"{\shp{\*\shpinst\shpleft1{\sp{\sn a}{\sv b}}{\shptxt Box\par}}}}"
    )
    found = read(tmp_path, HEAD + body, "a.rtf").text
    assert found == "27 days [not for interns] of leave.\n\nBox"


@pytest.mark.parametrize(
    "body",
    ["{" * 200_000, "}" * 1000, r"\u" * 1000, r"\bin99999999999 x", "\\'", "\\", r"\pard" * 9999],
)
def test_broken_documents_end(tmp_path: Path, body: str) -> None:
    assert read(tmp_path, rf"{HEAD}27 days\par {body}", "a.rtf").text.startswith("27 days")


def test_an_empty_document_says_so(tmp_path: Path) -> None:
    assert refusal_reason(tmp_path, HEAD + "}", "a.rtf") == "blank_document"
