"""Word, Excel, PowerPoint, OpenDocument and EPUB: what is read, and in which order."""

import re
from pathlib import Path

import pytest

from tests.support import documents
from tests.support.documents import p, tbl, written_word
from tests.support.reading import headings, in_order, outline, read, refusal_reason

SMALL_TABLE = (("Town", "Days", "Head"), ("Bonn", "27", "Ada"), ("Ulm", "28", "Bob"))
ROWS = "Town: Bonn · Days: 27 · Head: Ada\n\nTown: Ulm · Days: 28 · Head: Bob"


def style(key: str, name: str, more: str = "", kind: str = "paragraph") -> str:
    return f'<w:style w:type="{kind}" w:styleId="{key}"><w:name w:val="{name}"/>{more}</w:style>'


def numbered(list_id: int, depth: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{list_id}"/></w:numPr>'


def level(depth: int, kind: str, text: str) -> str:
    return (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/>'
        f'<w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/></w:lvl>'
    )


# --- Word


def test_word_keeps_headings_tables_and_order(tmp_path: Path) -> None:
    document = read(tmp_path, documents.word(), "rules.docx")
    assert headings(document) == ["Leave", "Leave › Sickness", "出差"]
    assert "The fee is nine" in document.text and "seven" not in document.text
    assert in_order(
        document.text, ["Call before", "Town: Days", "Bonn: 27", "出差", "Inside a control."]
    )


def test_headings_come_from_inherited_styles_and_outline_levels(
    tmp_path: Path,
) -> None:
    styles = (
        style("1", "heading 1")
        + style("mine", "Chapter of mine", '<w:basedOn w:val="1"/>')
        + style("t", "Title")
        + style("flat", "flat", '<w:pPr><w:outlineLvl w:val="1"/></w:pPr>')
    )
    body = (
        p("Handbook", '<w:pStyle w:val="t"/>')
        + p("Leave", '<w:pStyle w:val="mine"/>')
        + p("Twenty days.")
        + p("Of parents", '<w:pStyle w:val="flat"/>')
        + p("Thirty days.")
    )
    document = read(tmp_path, written_word(body, styles=styles))
    assert outline(document) == [
        ("Handbook", "Handbook"),
        ("Handbook › Leave", "Leave"),
        ("Handbook › Leave › Of parents", "Of parents"),
    ]


def test_headings_are_inferred_without_heading_styles(tmp_path: Path) -> None:
    text = (
        p(
            "Employees get twenty days of leave a year, and they have to ask for them three days "
            "before."
        )
        * 3
    )
    body = (
        p("Rules of the house", letters='<w:sz w:val="36"/>')
        + p("Leave", letters="<w:b/>")
        + text
        + p("This whole sentence is bold, but it is a sentence.", letters="<w:b/>")
        + p("Travel", letters="<w:b/>")
        + text
    )
    assert headings(read(tmp_path, written_word(body))) == [
        "Rules of the house",
        "Rules of the house › Leave",
        "Rules of the house › Travel",
    ]
    law = (
        p("第一章 总则")
        + p("为规范公司的管理，特制定本办法。") * 3
        + p("第二章 差旅")
        + p("第五条 出差须提前三天申请，并在系统中登记。") * 3
    )
    assert headings(read(tmp_path, written_word(law))) == ["第一章 总则", "第二章 差旅"]
    assert (
        headings(
            read(tmp_path, written_word(p("All", letters="<w:b/>") + p("bold", letters="<w:b/>")))
        )
        == []
    )


def test_automatic_numbers_are_written_into_the_text(tmp_path: Path) -> None:
    numbering = (
        '<w:abstractNum w:abstractNumId="0">'
        + level(0, "decimal", "%1.")
        + level(1, "decimal", "%1.%2")
        + "</w:abstractNum>"
        '<w:abstractNum w:abstractNumId="1">'
        + level(0, "chineseCounting", "第%1条")
        + "</w:abstractNum>"
        '<w:abstractNum w:abstractNumId="2">'
        + level(0, "bullet", "•")
        + level(1, "lowerLetter", "%2)")
        + "</w:abstractNum>"
        + "".join(
            f'<w:num w:numId="{n + 1}"><w:abstractNumId w:val="{n}"/></w:num>' for n in range(3)
        )
    )
    body = (
        p("Leave", numbered(1))
        + p("of staff", numbered(1, 1))
        + p("of trainees", numbered(1, 1))
        + p("Travel", numbered(1))
        + p("of all", numbered(1, 1))
        + p("公司", numbered(2))
        + p("员工", numbered(2))
        + p("apples", numbered(3))
        + p("green ones", numbered(3, 1))
    )
    text = read(tmp_path, written_word(body, numbering=numbering)).text
    assert (
        text == "1. Leave\n1.1 of staff\n1.2 of trainees\n2. Travel\n2.1 of all\n"
        "第一条 公司\n第二条 员工\n- apples\na) green ones"
    )


def test_each_table_row_repeats_its_header(tmp_path: Path) -> None:
    assert read(tmp_path, written_word(tbl(*SMALL_TABLE))).text == ROWS
    two = read(
        tmp_path, written_word(tbl(("Town", "Head"), ("Bonn", "Ada"), ("Ulm", "Bob"), header=True))
    ).text
    assert two == "Town: Bonn · Head: Ada\n\nTown: Ulm · Head: Bob"


def test_a_two_column_form_becomes_labelled_lines(tmp_path: Path) -> None:
    form = tbl(("Supplier", "ACME"), ("Price", "100"), ("Date", "2024-05-01"), ("Contact", "Ada"))
    assert (
        read(tmp_path, written_word(form)).text
        == "Supplier: ACME\n\nPrice: 100\n\nDate: 2024-05-01\n\nContact: Ada"
    )


def test_a_merged_cell_is_repeated_in_each_row(tmp_path: Path) -> None:
    begin, run_step = (
        "<w:tcPr><w:vMerge" + value + "/></w:tcPr>" for value in (' w:val="restart"', "")
    )
    body = tbl(
        ("Region", "Town", "Days"),
        (begin + p("North"), "Kiel", "27"),
        (run_step + p(""), "Bremen", "28"),
    )
    assert "Region: North · Town: Bremen · Days: 28" in read(tmp_path, written_word(body)).text


def test_a_layout_table_is_read_as_text_each_cell_once(tmp_path: Path) -> None:
    body = tbl((p("Left") + tbl(*SMALL_TABLE), p("Right. " * 100)))
    text = read(tmp_path, written_word(body)).text
    assert in_order(text, ["Left", ROWS, "Right."])
    assert text.count("Bonn") == 1
    assert read(tmp_path, written_word(tbl((p("One") + p("column"),)))).text == "One\n\ncolumn"


def test_a_note_that_refers_to_notes_is_read_once(tmp_path: Path) -> None:
    """Each level would read all of them again."""
    refer = '<w:p><w:r><w:t>See.</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
    notes = f'<w:footnote w:id="2">{refer * 3}</w:footnote>'
    text = read(tmp_path, written_word(refer, footnotes=notes)).text
    assert text.count("See.") == 4


def test_text_boxes_notes_and_headers_are_read_once_hidden_text_is_not(
    tmp_path: Path,
) -> None:
    box = f"<w:r><w:pict><txbxContent>{p('In the box.')}</txbxContent></w:pict></w:r>"
    again = f"<Fallback>{box}</Fallback>"
    body = (
        p("Leave . . . . 3", '<w:pStyle w:val="c"/>')
        + f"<w:p>{box}{again}<w:r><w:t>Beside the box.</w:t></w:r></w:p>"
        + '<w:p><w:r><w:t>As agreed.</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
        + p("Not to be seen.", letters="<w:vanish/>")
        + p("The end.")
    )
    document = read(
        tmp_path,
        written_word(
            body,
            styles=style("c", "toc 1"),
            footnotes=f'<w:footnote w:id="2">{p("With the works council.")}</w:footnote>',
            header=p("ACME, version 3.2"),
            footer=p("Page 3 of 10"),
        ),
    )
    assert document.text == "\n\n".join(
        [
            "Beside the box.",
            "In the box.",
            "As agreed.",
            "With the works council.",
            "The end.",
            "ACME, version 3.2",
        ]
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("A red bicycle&#10;&#10;Description automatically generated", "A red bicycle"),
        ("一辆红色自行车", "一辆红色自行车"),
        ("Picture 3.png", ""),
        ("C:\\Pictures\\a b.tmp", ""),
        ("https://example.org/a.png", ""),
        ("fig3", ""),
    ],
)
def test_a_picture_is_read_as_described(tmp_path: Path, said: str, shown: str) -> None:
    inline = f'<w:drawing><wp:inline xmlns:wp="w"><wp:docPr id="1" descr="{said}"/></wp:inline>'
    body = f"<w:p><w:r><w:t>Before</w:t>{inline}</w:drawing></w:r></w:p>"
    expected = "\n\n".join(filter(None, ("Before", shown)))
    assert read(tmp_path, written_word(body), "a.docx").text == expected
    picture = (
        f'<p:pic><p:nvPicPr><p:cNvPr id="9" name="Picture 1" descr="{said}"/></p:nvPicPr></p:pic>'
    )
    made = documents.slides()
    slide = documents.parts_of(made)["ppt/slides/slide3.xml"]
    slide = slide.replace(b"</p:spTree>", f"{picture}</p:spTree>".encode())
    text = read(tmp_path, documents.with_part(made, "ppt/slides/slide3.xml", slide), "a.pptx").text
    assert "No title here" in text and "png" not in text and shown in text
    drawn = '<draw:frame><draw:image/><svg:desc xmlns:svg="s">A red bicycle</svg:desc></draw:frame>'
    file = documents.opendocument("text", f"<text:p>Before{drawn}</text:p>")
    assert read(tmp_path, file, "a.odt").text == "Before\n\nA red bicycle"


def test_a_diagram_becomes_a_list(tmp_path: Path) -> None:
    drawn = (
        "<w:p><w:r><w:drawing><graphicData>"
        '<relIds dm="rdiagramData"/></graphicData></w:drawing></w:r></w:p>'
    )
    points = "".join(
        f"<w:pt><w:t><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:t></w:pt>"
        for text in ("Ask", "Wait")
    )
    assert (
        read(tmp_path, written_word(p("Steps:") + drawn, diagramData=points)).text
        == "Steps:\n\n- Ask\n\n- Wait"
    )


def test_a_file_embedded_in_the_text_is_read_where_it_stands(tmp_path: Path) -> None:
    chunks = {
        "a.html": b"<html><body><h1>From the web</h1><p>Apply by <b>June</b>.</p></body></html>",
        "b.docx": written_word(p("An inner document.")),
        "c.rtf": rb"{\rtf1\ansi An old letter.}",
        "d.txt": "Zwölf Tage".encode(),
        "e.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
    }
    body = p("Leave", '<w:outlineLvl w:val="0"/>')
    body += "".join(f'<w:altChunk r:id="{name[0]}"/>{p(f"Behind {name}")}' for name in chunks)
    body += '<w:altChunk r:id="lost"/>'
    made = documents.parts_of(written_word(body, f'{documents.WORD} xmlns:r="urn:r"'))
    links = "".join(
        f'<Relationship Id="{name[0]}" Type="http://x/aFChunk" Target="/word/{name}"/>'
        for name in chunks
    )
    rels = "word/_rels/document.xml.rels"
    made[rels] = made[rels].replace(b"</Relationships>", f"{links}</Relationships>".encode())
    made |= {f"word/{name}": content for name, content in chunks.items()}
    document = read(tmp_path, documents.archive(made), "a.docx")
    assert document.text.split("\n\n") == [
        "Leave", "From the web", "Apply by June.", "Behind a.html", "An inner document.",
        "Behind b.docx", "An old letter.", "Behind c.rtf", "Zwölf Tage", "Behind d.txt",
        "Behind e.png",
    ]  # fmt: skip
    assert headings(document)[1] == "Leave › From the web"
    assert document.skipped == 2 and document.left_out[0].name == "word/e.png"


def test_strict_ooxml_is_read(tmp_path: Path) -> None:
    assert (
        read(tmp_path, written_word(p("Twenty days."), documents.STRICT_WORD)).text
        == "Twenty days."
    )


# --- Excel


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("ms-word.document.macroEnabled.main+xml", "a.docm"),
        ("openxmlformats-officedocument.wordprocessingml.template.main+xml", "a.dotx"),
        ("ms-word.template.macroEnabledTemplate.main+xml", "a.dotm"),
    ],
)
def test_templates_and_files_with_macros_are_read(tmp_path: Path, type_: str, name: str) -> None:
    made = documents.parts_of(written_word(p("Twenty days.")))
    plain = b"openxmlformats-officedocument.wordprocessingml.document.main+xml"
    made["[Content_Types].xml"] = made["[Content_Types].xml"].replace(plain, type_.encode())
    assert read(tmp_path, documents.archive(made), name).text == "Twenty days."


def test_odd_names_of_parts_are_understood(tmp_path: Path) -> None:
    for made in (documents.word(), documents.workbook(), documents.slides()):
        parts = documents.parts_of(made)
        expected = read(tmp_path, made).text
        backslashes = {name.replace("/", "\\"): content for name, content in parts.items()}
        assert read(tmp_path, documents.archive(backslashes)).text == expected
        backslashes["_rels\\.rels"] = re.sub(
            rb'Target="[^"]*"', lambda found: found[0].replace(b"/", b"\\"), parts["_rels/.rels"]
        )
        assert read(tmp_path, documents.archive(backslashes)).text == expected
        for missing in ("_rels/.rels", "[Content_Types].xml"):
            rest = {name: content for name, content in parts.items() if name != missing}
            assert read(tmp_path, documents.archive(rest)).text == expected
    parts = documents.parts_of(documents.opendocument("text", "<text:p>Ulm</text:p>"))
    unnamed = {"content.xml": parts["content.xml"], "META-INF/manifest.xml": b"<x/>"}
    assert read(tmp_path, documents.archive(unnamed)).text == "Ulm"


def test_a_workbook_is_read_as_displayed(tmp_path: Path) -> None:
    document = read(tmp_path, documents.workbook(), "sales.xlsx")
    assert document.text == "\n\n".join(
        [
            "Sales of the year 2024",
            "Region: North · Town: Kiel · Opened: 2024-03-05 · Sales: 1,234.50 € · Share: 12.5%",
            "Region: North · Town: Bremen · Opened: 31 December 1999 · Sales: 2,469.00 €",
            "Region: South · Town: Freiburg · Sales: -7.00 € · Share: TRUE",
            "far away",
            "姓名: 张三 · 城市: 北京 · 年假: 15",
            "姓名: 李四 · 城市: 上海 · 年假: 10",
        ]
    )
    assert outline(document) == [
        ("Sales", "Sales of the year 2024"),
        ("员工", "姓名: 张三 · 城市: 北京 · 年假: 15"),
    ]


def test_each_row_of_a_long_sheet_repeats_its_header(tmp_path: Path) -> None:
    rows = [("Id", "Name", "Amount"), *((n, f"Name {n}", n / 4) for n in range(2000))]
    text = read(tmp_path, documents.plain_workbook(rows), "long.xlsx").text
    assert text.count("Name: Name ") == 2000
    assert text.endswith("Id: 1999 · Name: Name 1999 · Amount: 499.75")


def test_a_formula_without_a_result_is_shown(tmp_path: Path) -> None:
    assert read(tmp_path, documents.plain_workbook([["Total"], ["=A1*2"]])).text == "Total\n\n=A1*2"


def test_boxes_and_comments_of_a_sheet_follow_its_rows(tmp_path: Path) -> None:
    document = read(tmp_path, documents.annotated_workbook(), "a.xlsx")
    assert document.text == (
        "Town: Bonn · Days: 27\n\nTown: Ulm · Days: 28\n\nB3 · Ulm · 28: Agreed in May\n\n"
        "Days by town\n\nApply by June\n\nOnly a box"
    )
    assert headings(document) == ["Towns", "Notes"]


def test_a_thread_of_comments_is_read_instead_of_its_copy(tmp_path: Path) -> None:
    made = documents.parts_of(documents.annotated_workbook())
    rels = "xl/worksheets/_rels/sheet1.xml.rels"
    link = b'<Relationship Id="t" Type="http://x/threadedComment" Target="../threads.xml"/>'
    made[rels] = made[rels].replace(b"</Relationships>", link + b"</Relationships>")
    thread = '<t><threadedComment ref="B3"><text>Why?</text></threadedComment>'
    thread += '<threadedComment ref="B3"><text>By contract</text></threadedComment></t>'
    text = read(tmp_path, documents.archive({**made, "xl/threads.xml": thread}), "a.xlsx").text
    assert "B3 · Ulm · 28: Why? / By contract" in text and "Agreed in May" not in text


def test_a_chart_shows_its_titles_and_formatted_numbers(tmp_path: Path) -> None:
    text = read(tmp_path, documents.chart_deck(), "a.pptx").text
    assert text == "Share of sales\n\nNorth 2023 · Pens: 12.5%\n\nNorth 2024 · Pens: 14.4%"


def test_a_cell_in_the_last_row_and_column_is_read(tmp_path: Path) -> None:
    content = documents.sheet_of([b'<row r="1048576"><c r="XFD1048576"><v>7</v></c></row>'])
    assert read(tmp_path, content).text == "7"


# --- PowerPoint


def test_each_slide_is_a_page_and_a_section(tmp_path: Path) -> None:
    document = read(tmp_path, documents.slides(), "leave.pptx")
    assert len(document.pages) == 4, "including the empty one"
    assert headings(document) == ["Leave", "Towns", "No title here"]
    parts = [
        document.text[start:end].strip()
        for start, end in zip(document.pages, [*document.pages[1:], None], strict=True)
    ]
    assert (
        parts[0]
        == "Leave\n\n- Twenty days\n  - thirty after ten years\n\nSay that it was agreed in May."
    )
    assert in_order(parts[1], ["Towns", "upper left", "upper right", "in a group", "last", ROWS])
    assert in_order(parts[2], ["No title here", "2023 · Sales: 11", "2024 · Sales: 12"])
    assert parts[3] == ""
    assert refusal_reason(tmp_path, documents.slides(), most_pages=3) == "pages"


# --- OpenDocument and EPUB


def test_a_footer_of_many_slides_is_read_once(tmp_path: Path) -> None:
    footer = (
        '<p:sp><p:nvSpPr><p:cNvPr id="90" name="f"/><p:cNvSpPr/><p:nvPr><p:ph type="ftr"/></p:nvPr>'
        "</p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:p><a:r><a:t>Internal</a:t></a:r></a:p>"
        "</p:txBody></p:sp></p:spTree>"
    )
    made = documents.parts_of(documents.slides())
    for number in (1, 2, 3):
        name = f"ppt/slides/slide{number}.xml"
        made[name] = made[name].replace(b"</p:spTree>", footer.encode())
    text = read(tmp_path, documents.archive(made), "deck.pptx").text
    assert text.count("Internal") == 1 and text.index("Internal") < text.index("Towns")


def test_an_opendocument_text_is_read(tmp_path: Path) -> None:
    row = (
        "<table:table-row>"
        + "<table:table-cell><text:p>{}</text:p></table:table-cell>" * 3
        + "</table:table-row>"
    )
    content = (
        '<text:h text:outline-level="1">Leave</text:h><text:p>Twenty<text:s text:c="2"/>'
        "days<text:note><text:note-citation>1"
        "</text:note-citation><text:note-body><text:p>A "
        "note.</text:p></text:note-body></text:note>.</text:p>"
        "<text:list><text:list-item><text:p>one</text:p></text:list-item><text:list-item><text:p>two</text:p></text:list-item></text:list>"
        "<table:table>" + "".join(row.format(*cells) for cells in SMALL_TABLE) + "</table:table>"
    )
    document = read(tmp_path, documents.opendocument("text", content))
    assert document.text == f"Leave\n\nTwenty  days.\n\nA note.\n- one\n- two\n\n{ROWS}"
    assert outline(document) == [("Leave", "Leave")]


def test_headers_footers_and_masters_of_opendocument_are_read_once(tmp_path: Path) -> None:
    lines = "<text:p>Handbook of ACME</text:p>"
    footer = "<text:p>Page 1 of 2</text:p><text:p>&lt;footer&gt;</text:p>"
    page = (
        f"<style:master-page><style:header>{lines}</style:header>"
        f"<style:footer>{footer}</style:footer><draw:frame>"
        f"<draw:text-box>{lines}</draw:text-box></draw:frame>"
        '<draw:frame presentation:placeholder="true"><draw:text-box><text:p>Click to add</text:p>'
        "</draw:text-box></draw:frame></style:master-page>"
    )
    made = documents.parts_of(documents.opendocument("text", "<text:p>Ulm</text:p>"))
    made["styles.xml"] = (
        made["content.xml"]
        .replace(
            b"<office:body>", f"<office:master-styles>{page * 2}</office:master-styles>".encode()
        )
        .replace(b"</office:body>", b"")
        .replace(b"<office:text><text:p>Ulm</text:p></office:text>", b"")
    )
    document = read(tmp_path, documents.archive(made), "a.odt")
    assert document.text == "Ulm\n\nHandbook of ACME" and document.skipped == 0


def test_an_opendocument_workbook_shows_its_visible_sheets(tmp_path: Path) -> None:
    def sheet(name: str, *rows: str, looks: str = "seen") -> str:
        return (
            f'<table:table table:name="{name}" table:style-name="{looks}">'
            f"{''.join(rows)}</table:table>"
        )

    def row(*cells: str, times: int = 1) -> str:
        inner = "".join(
            f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells
        )
        return f'<table:table-row table:number-rows-repeated="{times}">{inner}</table:table-row>'

    gone = (
        '<style:style style:name="gone">'
        '<style:table-properties table:display="false"/></style:style>'
    )
    hidden = f"<office:automatic-styles>{gone}</office:automatic-styles>"
    content = sheet("Days", *(row(*cells) for cells in SMALL_TABLE), row(times=1_048_000)) + sheet(
        "Secret", row("hidden"), looks="gone"
    )
    document = read(tmp_path, documents.opendocument("spreadsheet", content, hidden))
    assert (document.text, headings(document)) == (ROWS, ["Days"])


def test_an_opendocument_presentation_has_pages(tmp_path: Path) -> None:
    def frame(text: str, kind: str = "") -> str:
        return (
            f'<draw:frame presentation:class="{kind}">'
            f"<draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>"
        )

    notes = f"<presentation:notes>{frame('Say it.', 'notes')}</presentation:notes>"
    page = frame("Leave", "title") + frame("Twenty days.") + notes
    content = f"<draw:page>{page}</draw:page><draw:page/>"
    document = read(tmp_path, documents.opendocument("presentation", content))
    assert document.text == "Leave\n\nTwenty days.\n\nSay it."
    assert (headings(document), len(document.pages)) == (["Leave"], 2)


def test_an_epub_is_read_in_spine_order(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        documents.epub("<h1>One</h1><p>Once.</p>", "<h1>Two</h1><p>Twice.</p>"),
        "book.epub",
    )
    assert outline(document) == [("One", "One"), ("Two", "Two")]
    rights = {
        "META-INF/encryption.xml": '<e><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></e>'
    }
    assert refusal_reason(tmp_path, documents.epub("<p>x</p>", **rights)) == "encrypted"


# --- unreadable files


@pytest.mark.parametrize(
    "made", [documents.word, documents.workbook, documents.slides], ids=["docx", "xlsx", "pptx"]
)
def test_broken_office_files_have_a_reason(tmp_path: Path, made: object) -> None:
    content: bytes = made()  # type: ignore[operator]
    assert refusal_reason(tmp_path, content[: len(content) // 2]) == "damaged"
    assert refusal_reason(tmp_path, documents.locked(content)) == "encrypted"
    main = next(
        name
        for name in documents.parts_of(content)
        if name.endswith(("document.xml", "workbook.xml", "presentation.xml"))
    )
    assert refusal_reason(tmp_path, documents.with_part(content, main, b"<not-xml")) == "damaged"
    evil = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert refusal_reason(tmp_path, documents.with_part(content, main, evil)) == "unsafe"
    late = b"<!--" + b" " * 200_000 + b"-->" + evil[21:]
    assert refusal_reason(tmp_path, documents.with_part(content, main, late)) == "unsafe", (
        "however late the document type comes"
    )


def test_a_zip_archive_is_classified_by_its_content(tmp_path: Path) -> None:
    assert read(tmp_path, documents.word(), "rules.zip").text.startswith("Leave")
    assert read(tmp_path, documents.archive({"a.txt": "text"}), "letter.docx").text == "text"
    assert refusal_reason(tmp_path, documents.bomb()) == "bomb"
    many = {"[Content_Types].xml": "", **{f"{n}": "" for n in range(10_001)}}
    assert refusal_reason(tmp_path, documents.archive(many)) == "bomb"
    binary = documents.with_part(documents.workbook(), "[Content_Types].xml", b"<Types/>")
    assert refusal_reason(tmp_path, binary) == "unsupported"
