"""Documents for the tests: real files of every format, and broken ones."""

import json
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from io import BytesIO
from typing import Any

import docx
import openpyxl
import pptx
import pypdfium2
import xlsxwriter
from docx.oxml import parse_xml
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Cm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # reportlab's, on import
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen import canvas
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

PAGES = 30
_TOWNS = (
    "Aachen Berlin Coburg Dresden Erfurt Freiburg Goslar Hamburg Ilmenau Jena Kassel Lindau "
    "Marburg Nuremberg Oldenburg "
    "Potsdam Quedlinburg Rostock Schwerin Tuebingen Ulm Verden Weimar Xanten Ypern Zwickau Bonn "
    "Celle Dachau Emden"
)
_CHINESE_TOWNS = (
    "北京 上海 广州 深圳 杭州 南京 苏州 成都 重庆 武汉 西安 天津 长沙 郑州 青岛 "
    "大连 厦门 宁波 济南 合肥 福州 昆明 贵阳 南宁 海口 兰州 银川 西宁 太原 沈阳"
)
TOWNS, CHINESE_TOWNS = _TOWNS.split(), _CHINESE_TOWNS.split()


def english_pdf() -> bytes:
    """Thirty pages, one town each, with running heads, page numbers and sentences across lines
    and pages."""
    body = getSampleStyleSheet()["Normal"]
    story: list[Any] = []
    for number, town in enumerate(TOWNS, 1):
        story.append(Paragraph(f"The office in {town}", getSampleStyleSheet()["Heading1"]))
        for topic in ("bicycles", "laptops", "parking places"):
            story.append(
                Paragraph(
                    f"Everybody who works in the office of {town} may borrow one of the {topic} "
                    f"that belong to the Company, "
                    f"provided that the Head of Administration was asked {number + 2} working "
                    f"days before and that nobody "
                    "else needs it. ",
                    body,
                )
            )
            story.append(Spacer(1, 6))
        story.append(
            Paragraph(
                f"Employees in {town} get {number + 10} days of paid leave in every calendar year.",
                body,
            )
        )
        story.append(PageBreak())
    made = BytesIO()

    def head(page: Any, template: Any) -> None:
        page.drawString(100, 810, "ACME handbook, internal")
        page.drawString(290, 20, f"Page {template.page} of {PAGES}")

    SimpleDocTemplate(made, pagesize=A4).build(story, onFirstPage=head, onLaterPages=head)
    return made.getvalue()


def chinese_pdf() -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    style = ParagraphStyle(
        "chinese", fontName="STSong-Light", fontSize=11, leading=16, wordWrap="CJK"
    )
    story: list[Any] = []
    for number, town in enumerate(CHINESE_TOWNS, 1):
        story.append(Paragraph(f"第{number}章 {town}办事处", style))
        for topic in ("自行车", "笔记本电脑", "停车位"):
            story.append(
                Paragraph(
                    f"凡在{town}办事处工作的员工均可借用公司的{topic}，但须"
                    f"提前{number + 2}个工作日向行政部负责人提出申请，"
                    "并且确认没有其他同事需要使用。借用期间如有损坏，由借用人负责维修并承担相应的费用。",
                    style,
                )
            )
        story.append(Paragraph(f"{town}办事处的员工每年享有{number + 10}天带薪年假。", style))
        story.append(PageBreak())
    made = BytesIO()
    SimpleDocTemplate(made, pagesize=A4).build(story)
    return made.getvalue()


def pdf(*pages: str, encrypt: str | None = None, bookmarks: tuple[str, ...] = ()) -> bytes:
    """Return a PDF with the given lines on its pages."""
    made = BytesIO()
    page = canvas.Canvas(made, pagesize=A4, encrypt=encrypt)
    for number, content in enumerate(pages):
        if number < len(bookmarks):
            page.bookmarkPage(f"b{number}")
            page.addOutlineEntry(bookmarks[number], f"b{number}", 0)
        for row, line in enumerate(content.split("\n")):
            page.drawString(72, 760 - 16 * row, line)
        page.showPage()
    page.save()
    return made.getvalue()


def scan(pages: int = 3) -> bytes:
    """Return a PDF that contains only pictures."""
    made = BytesIO()
    page = canvas.Canvas(made, pagesize=A4)
    for _ in range(pages):
        page.rect(100, 100, 300, 500, fill=1)
        page.showPage()
    page.save()
    return made.getvalue()


def word() -> bytes:
    """Return a Word document with headings, a table, a content control and a tracked change."""
    made = docx.Document()
    made.add_heading("Leave", 1)
    made.add_paragraph("Employees get 25 days of leave.")
    made.add_heading("Sickness", 2)
    made.add_paragraph("Call before ten o'clock.")
    table = made.add_table(rows=2, cols=2)
    for row, cells in enumerate((("Town", "Days"), ("Bonn", "27"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    made.add_heading("出差", 1)
    made.add_paragraph("出差须提前三天申请。")
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    changed = made.add_paragraph("The fee is ")
    changed._p.append(
        parse_xml(f"<w:ins {space} w:id='1' w:author='a'><w:r><w:t>nine</w:t></w:r></w:ins>")
    )
    changed._p.append(
        parse_xml(
            f"<w:del {space} w:id='2' w:author='a'><w:r><w:delText>seven</w:delText></w:r></w:del>"
        )
    )
    control = (
        f"<w:sdt {space}><w:sdtContent><w:p><w:r><w:t>Inside a "
        f"control.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    )
    made.element.body.insert(len(made.element.body) - 1, parse_xml(control))
    file = BytesIO()
    made.save(file)
    return file.getvalue()


def with_part(document: bytes, name: str, content: bytes) -> bytes:
    """Return a Word document with one part replaced or added."""
    made = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(document)) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            if entry.filename != name:
                new.writestr(entry, old.read(entry))
        new.writestr(name, content)
    return made.getvalue()


def bomb() -> bytes:
    """Return a Word document that unpacks to 400 MB."""
    return archive(
        {
            "[Content_Types].xml": b"<Types/>",
            "word/document.xml": (b" " * 1024 * 1024 for _ in range(400)),
        }
    )


def archive(parts: Mapping[str, bytes | str | Iterable[bytes]]) -> bytes:
    """Return a zip archive; a part may be given in pieces."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            pieces = (
                [content.encode()]
                if isinstance(content, str)
                else [content]
                if isinstance(content, bytes)
                else content
            )
            with packed.open(name, "w", force_zip64=True) as part:
                for piece in pieces:
                    part.write(piece)
    return made.getvalue()


def parts_of(document: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(document)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def locked(document: bytes) -> bytes:
    """Return an archive whose entries are marked as encrypted."""
    changed = bytearray(document)
    with zipfile.ZipFile(BytesIO(document)) as packed:
        for entry in packed.infolist():
            changed[entry.header_offset + 6] |= 1
    place = -1
    while (place := changed.find(b"PK\x01\x02", place + 1)) >= 0:
        changed[place + 8] |= 1
    return bytes(changed)


# --- Office files from XML, for what the libraries cannot write

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STRICT_WORD = 'xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"'
_RELATED = "http://schemas.openxmlformats.org/package/2006/relationships"


def written_word(body: str, space: str = WORD, **parts: str) -> bytes:
    """Return a Word document with this body and parts such as `styles` and `numbering`."""
    type_ = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    roots = {
        "styles": "styles",
        "numbering": "numbering",
        "footnotes": "footnotes",
        "header": "hdr",
        "footer": "ftr",
    }
    roots |= {"diagramData": "dataModel"}
    links = "".join(
        f'<Relationship Id="r{name}" Type="http://x/relationships/{name}" Target="{name}.xml"/>'
        for name in parts
    )
    main = (
        '<Relationship Id="r1" Type="http://x/relationships/officeDocument" '
        'Target="word/document.xml"/>'
    )
    made = {
        "[Content_Types].xml": (
            f'<Types><Override PartName="/word/document.xml" ContentType="{type_}"/></Types>'
        ),
        "_rels/.rels": f'<Relationships xmlns="{_RELATED}">{main}</Relationships>',
        "word/document.xml": f"<w:document {space}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": (
            f'<Relationships xmlns="{_RELATED}">{links}</Relationships>'
        ),
    }
    for name, content in parts.items():
        made[f"word/{name}.xml"] = f"<w:{roots[name]} {space}>{content}</w:{roots[name]}>"
    return archive(made)


def p(text: str, properties: str = "", letters: str = "") -> str:
    """Return a paragraph of Word's XML."""
    looks = f"<w:rPr>{letters}</w:rPr>" if letters else ""
    of_paragraph = f"<w:pPr>{properties}</w:pPr>" if properties else ""
    return f'<w:p>{of_paragraph}<w:r>{looks}<w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def tbl(*rows: Iterable[str], header: bool = False) -> str:
    """Return a table of Word's XML; its cells are XML or text."""
    lines = ""
    for number, row in enumerate(rows):
        cells = "".join(f"<w:tc>{cell if cell.startswith('<') else p(cell)}</w:tc>" for cell in row)
        properties = "<w:trPr><w:tblHeader/></w:trPr>" if header and not number else ""
        lines += f"<w:tr>{properties}{cells}</w:tr>"
    return f"<w:tbl>{lines}</w:tbl>"


# --- workbooks


def workbook() -> bytes:
    """Return a workbook as Excel writes it: shared strings, formats, formula results, merged
    cells, a hidden sheet."""
    made = BytesIO()
    book = xlsxwriter.Workbook(made, {"default_date_format": "dd.mm.yyyy"})
    sheet = book.add_worksheet("Sales")
    euros, share, long_date = (
        book.add_format({"num_format": code}) for code in ('#,##0.00 "€"', "0.0%", "d mmmm yyyy")
    )
    sheet.merge_range("A1:E1", "Sales of the year 2024")
    sheet.write_row("A3", ["Region", "Town", "Opened", "Sales", "Share"])
    sheet.merge_range("A4:A5", "North")
    sheet.write_row("B4", ["Kiel"])
    sheet.write_datetime("C4", datetime(2024, 3, 5))
    sheet.write("D4", 1234.5, euros)
    sheet.write("E4", 0.125, share)
    sheet.write_row("B5", ["Bremen"])
    sheet.write_datetime("C5", datetime(1999, 12, 31), long_date)
    sheet.write_formula("D5", "=D4*2", euros, 2469)
    sheet.write("A6", "South")
    sheet.write_rich_string("B6", "Frei", book.add_format({"bold": True}), "burg")
    sheet.write("D6", -7, euros)
    sheet.write_boolean("E6", True)
    sheet.write("ZZ9000", "far away")
    secret = book.add_worksheet("Secret")
    secret.write("A1", "hidden from sight")
    secret.hide()
    chinese = book.add_worksheet("员工")
    for number, row in enumerate(
        [("姓名", "城市", "年假"), ("张三", "北京", 15), ("李四", "上海", 10)]
    ):
        chinese.write_row(number, 0, row)
    book.close()
    return made.getvalue()


def annotated_workbook() -> bytes:
    """Return a workbook with a comment, a chart and a text box, and a sheet of one box alone."""
    file = BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet("Towns")
    for row, cells in enumerate((("Town", "Days"), ("Bonn", 27), ("Ulm", 28))):
        sheet.write_row(row, 0, cells)
    sheet.write_comment("B3", "Agreed\nin May")
    chart = book.add_chart({"type": "column"})
    chart.add_series({"values": "=Towns!$B$2:$B$3"})
    chart.set_title({"name": "Days by town"})
    sheet.insert_chart("D2", chart)
    sheet.insert_textbox("D20", "Apply by June")
    book.add_worksheet("Notes").insert_textbox("A1", "Only a box")
    book.close()
    return file.getvalue()


def chart_deck() -> bytes:
    """Return a slide with a chart of percentages below two levels of categories."""
    made = pptx.Presentation()
    data = CategoryChartData(number_format="0.0%")
    north = data.add_category("North")
    north.add_sub_category("2023")
    north.add_sub_category("2024")
    data.add_series("Pens", (0.125, 0.14400000000000002))
    size = Cm(1), Cm(1), Cm(8), Cm(5)
    slide = made.slides.add_slide(made.slide_layouts[6])
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *size, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Share of sales"
    file = BytesIO()
    made.save(file)
    return file.getvalue()


def plain_workbook(rows: Iterable[Iterable[Any]], title: str = "Sheet1") -> bytes:
    """Return a workbook of one sheet, written by openpyxl."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(list(row))
    made = BytesIO()
    book.save(made)
    return made.getvalue()


def sheet_of(rows: Iterable[bytes]) -> bytes:
    """Return a workbook whose only sheet has these rows of XML."""
    parts: dict[str, Any] = parts_of(plain_workbook([]))
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'

    def sheet() -> Iterable[bytes]:
        yield b"<worksheet " + space + b"><sheetData>"
        yield from rows
        yield b"</sheetData></worksheet>"

    return archive({**parts, "xl/worksheets/sheet1.xml": sheet()})


# --- presentations


def slides() -> bytes:
    """Return a presentation: bullets, boxes out of order, a table, a group, a chart, notes, an
    untitled slide."""
    made = pptx.Presentation()
    first = made.slides.add_slide(made.slide_layouts[1])
    first.shapes.title.text = "Leave"
    frame = first.placeholders[1].text_frame
    frame.text = "Twenty days"
    deeper = frame.add_paragraph()
    deeper.text, deeper.level = "thirty after ten years", 1
    first.notes_slide.notes_text_frame.text = "Say that it was agreed in May."
    second = made.slides.add_slide(made.slide_layouts[5])
    second.shapes.title.text = "Towns"
    for left, top, text in ((12, 12, "last"), (12, 6, "upper right"), (2, 6, "upper left")):
        second.shapes.add_textbox(Cm(left), Cm(top), Cm(5), Cm(1)).text_frame.text = text
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(Cm(2), Cm(9), Cm(5), Cm(1)).text_frame.text = "in a group"
    table = second.shapes.add_table(3, 3, Cm(2), Cm(14), Cm(9), Cm(3)).table
    for row, cells in enumerate(
        (("Town", "Days", "Head"), ("Bonn", "27", "Ada"), ("Ulm", "28", "Bob"))
    ):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    third = made.slides.add_slide(made.slide_layouts[6])
    third.shapes.add_textbox(Cm(1), Cm(1), Cm(5), Cm(1)).text_frame.text = "No title here"
    data = CategoryChartData()
    data.categories = ["2023", "2024"]
    data.add_series("Sales", (11, 12))
    third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Cm(1), Cm(4), Cm(8), Cm(5), data)
    made.slides.add_slide(made.slide_layouts[6])
    file = BytesIO()
    made.save(file)
    return file.getvalue()


# --- OpenDocument and EPUB

_OPEN = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table", "draw", "presentation", "style")
)


def opendocument(kind: str, content: str, before: str = "") -> bytes:
    """Return an OpenDocument file of a kind: text, spreadsheet or presentation."""
    body = f"<office:body><office:{kind}>{content}</office:{kind}></office:body>"
    return archive(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {_OPEN}>{before}{body}"
            "</office:document-content>",
        }
    )


def epub(*pages: str, **more: str) -> bytes:
    """Return an e-book with these pages."""
    items = "".join(
        f'<item id="p{n}" href="page%20{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(pages))
    )
    spine = "".join(f'<itemref idref="p{n}"/>' for n in range(len(pages)))
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
        ),
        "OEBPS/book.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for number, page in enumerate(pages):
        head = '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">'
        parts[f"OEBPS/page {number}.xhtml"] = f"{head}<body>{page}</body></html>"
    return archive({**parts, **more})


# --- more PDFs


def form() -> bytes:
    """Return a PDF whose text is in form fields."""
    made = BytesIO()
    page = canvas.Canvas(made, pagesize=A4)
    page.drawString(72, 700, "Name of the applicant:")
    page.acroForm.textfield(name="name", value="Ada Lovelace", x=220, y=690, width=200, height=20)
    page.showPage()
    page.save()
    return made.getvalue()


def printed(*lines: tuple[str, float, bool]) -> bytes:
    """Return a one-page PDF without an outline; each line has a size and may be bold."""
    made = BytesIO()
    page = canvas.Canvas(made, pagesize=A4)
    height = 800.0
    for text, size, bold in lines:
        page.setFont("Helvetica-Bold" if bold else "Helvetica", size)
        height -= size * 1.6
        page.drawString(60, height, text)
    page.showPage()
    page.save()
    return made.getvalue()


def no_page() -> bytes:
    """Return a PDF without any page."""
    made = BytesIO()
    pypdfium2.PdfDocument.new().save(made)
    return made.getvalue()


def written_pdf(content: bytes, filters: str = "") -> bytes:
    """Return a one-page PDF written by hand."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 "
        b"0 R>>>>>>",
        f"<</Length {len(content)}{filters}>>\nstream\n".encode() + content + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = b"".join(
        f"{number} 0 obj\n".encode() + one + b"\nendobj\n" for number, one in enumerate(objects, 1)
    )
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R>>"


def nested_pdf() -> bytes:
    """Return a PDF whose page decompresses, in three steps, to 100 MB."""
    content = b"BT /F1 12 Tf 72 720 Td (Twenty days.) Tj ET " + b" " * 100_000_000
    for _ in range(3):
        content = zlib.compress(content, 9)
    return written_pdf(content, "/Filter[/FlateDecode/FlateDecode/FlateDecode]")


def notebook(*cells: dict[str, Any]) -> bytes:
    return json.dumps({"cells": list(cells), "nbformat": 4, "metadata": {}}).encode()
