"""Documents made for the tests: real files of every kind, and broken ones."""

import warnings
import zipfile
from io import BytesIO
from typing import Any

import docx
from docx.oxml import parse_xml

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
    "Aachen Berlin Coburg Dresden Erfurt Freiburg Goslar Hamburg Ilmenau Jena Kassel Lindau Marburg Nuremberg Oldenburg "
    "Potsdam Quedlinburg Rostock Schwerin Tuebingen Ulm Verden Weimar Xanten Ypern Zwickau Bonn Celle Dachau Emden"
)
_CHINESE_TOWNS = (
    "北京 上海 广州 深圳 杭州 南京 苏州 成都 重庆 武汉 西安 天津 长沙 郑州 青岛 "
    "大连 厦门 宁波 济南 合肥 福州 昆明 贵阳 南宁 海口 兰州 银川 西宁 太原 沈阳"
)
TOWNS, CHINESE_TOWNS = _TOWNS.split(), _CHINESE_TOWNS.split()


def english_pdf() -> bytes:
    """Thirty pages, one town each, with a running head and page numbers, sentences broken over lines and pages."""
    body = getSampleStyleSheet()["Normal"]
    story: list[Any] = []
    for number, town in enumerate(TOWNS, 1):
        story.append(Paragraph(f"The office in {town}", getSampleStyleSheet()["Heading1"]))
        for topic in ("bicycles", "laptops", "parking places"):
            story.append(
                Paragraph(
                    f"Everybody who works in the office of {town} may borrow one of the {topic} that belong to the Company, "
                    f"provided that the Head of Administration was asked {number + 2} working days before and that nobody "
                    "else needs it. ",
                    body,
                )
            )
            story.append(Spacer(1, 6))
        story.append(Paragraph(f"Employees in {town} get {number + 10} days of paid leave in every calendar year.", body))
        story.append(PageBreak())
    made = BytesIO()

    def head(page: Any, template: Any) -> None:
        page.drawString(100, 810, "ACME handbook, internal")
        page.drawString(290, 20, f"Page {template.page} of {PAGES}")

    SimpleDocTemplate(made, pagesize=A4).build(story, onFirstPage=head, onLaterPages=head)
    return made.getvalue()


def chinese_pdf() -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    style = ParagraphStyle("chinese", fontName="STSong-Light", fontSize=11, leading=16, wordWrap="CJK")
    story: list[Any] = []
    for number, town in enumerate(CHINESE_TOWNS, 1):
        story.append(Paragraph(f"第{number}章 {town}办事处", style))
        for topic in ("自行车", "笔记本电脑", "停车位"):
            story.append(
                Paragraph(
                    f"凡在{town}办事处工作的员工均可借用公司的{topic}，但须提前{number + 2}个工作日向行政部负责人提出申请，"
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
    """Return a PDF that holds pictures only."""
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
    changed._p.append(parse_xml(f"<w:ins {space} w:id='1' w:author='a'><w:r><w:t>nine</w:t></w:r></w:ins>"))
    changed._p.append(parse_xml(f"<w:del {space} w:id='2' w:author='a'><w:r><w:delText>seven</w:delText></w:r></w:del>"))
    control = f"<w:sdt {space}><w:sdtContent><w:p><w:r><w:t>Inside a control.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    made.element.body.insert(len(made.element.body) - 1, parse_xml(control))
    file = BytesIO()
    made.save(file)
    return file.getvalue()


def with_part(document: bytes, name: str, content: bytes) -> bytes:
    """Return a Word document with one part replaced or added."""
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(document)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename != name:
                new.writestr(entry, old.read(entry))
        new.writestr(name, content)
    return made.getvalue()


def bomb() -> bytes:
    """Return a Word document that unpacks to 400 MB."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            for _ in range(400):
                part.write(b" " * 1024 * 1024)
    return made.getvalue()
