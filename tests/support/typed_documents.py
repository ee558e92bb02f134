"""PDFs for the page: a short handbook, and thirty pages with one unique sentence a language."""

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # reportlab's, on import
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

from tests.support.handbook import CHINESE, ENGLISH, Chapter

PAGES = 30
ENGLISH_PAGE, CHINESE_PAGE = 17, 23
ENGLISH_SENTENCE = "The lighthouse keeper of Rottumeroog is paid in smoked eel and lamp oil."
CHINESE_SENTENCE = "青瓷工坊的窑温必须保持在一千三百一十度。"


def write_handbook(folder: Path, language: str) -> Path:
    """Write the handbook as a PDF."""
    chapters, name = (
        (CHINESE, "员工手册 2026.pdf")
        if language == "zh-CN"
        else (ENGLISH, "Employee Handbook 2026.pdf")
    )
    return _write(folder / name, chapters)


def write_long_pdf(folder: Path) -> Path:
    """Write thirty pages of which two hold the distinctive sentences."""
    chapters: list[Chapter] = []
    for number in range(1, PAGES + 1):
        filler = (
            f"On page {number} of the logbook the harbour master notes wind, tide "
            "and the ships that came in. "
            "Nothing else of importance happened on that day, and the bell was rung at noon."
        )
        more = {ENGLISH_PAGE: (ENGLISH_SENTENCE,), CHINESE_PAGE: (CHINESE_SENTENCE,)}.get(
            number, ()
        )
        chapters.append((f"Day {number}", (filler, *more)))
    return _write(folder / "logbook.pdf", chapters)


def write_damaged_pdf(folder: Path) -> Path:
    """Write a file that begins like a PDF but is not one."""
    path = folder / "damaged.pdf"
    path.write_bytes(b"%PDF-1.7\n" + b"\x00\x01\x02 nothing that can be read" * 40)
    return path


class _Outlined(SimpleDocTemplate):
    """Puts every heading into the PDF's outline."""

    def afterFlowable(self, flowable: Any) -> None:  # noqa: N802 (reportlab's name)
        if isinstance(flowable, Paragraph) and flowable.style.name == "heading":
            key = f"h{self.page}"
            self.canv.bookmarkPage(key)
            self.canv.addOutlineEntry(flowable.getPlainText(), key, 0)


def _write(path: Path, chapters: Sequence[Chapter]) -> Path:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    story: list[Any] = []
    for title, paragraphs in chapters:
        story.append(Paragraph(title, _style("heading", title, 16)))
        story += [Paragraph(text, _style("text", text, 11)) for text in paragraphs]
        story.append(PageBreak())
    made = BytesIO()
    _Outlined(made, pagesize=A4, title=path.stem).build(story)
    path.write_bytes(made.getvalue())
    return path


def _style(name: str, text: str, size: int) -> ParagraphStyle:
    chinese = any("\u4e00" <= character <= "\u9fff" for character in text)
    font = {"fontName": "STSong-Light", "wordWrap": "CJK"} if chinese else {}
    return ParagraphStyle(name, fontSize=size, leading=size * 1.5, spaceAfter=size, **font)
