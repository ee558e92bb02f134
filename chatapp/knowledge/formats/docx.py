"""Word documents: paragraphs, headings and tables in the order of reading."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
from docx.oxml.ns import qn
from lxml.etree import LxmlError

from chatapp.knowledge.formats import Builder, Document, Unreadable

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_PARAGRAPH, _TABLE, _ROW, _CELL, _TEXT = (qn(f"w:{name}") for name in ("p", "tbl", "tr", "tc", "t"))
_CONTAINERS = {qn(f"w:{name}") for name in ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml")}
_WHITE = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_SKIPPED = {
    qn("w:del"),
    qn("w:moveFrom"),
    qn("w:pPr"),
    qn("w:rPr"),
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
}
_HEADING = re.compile(r"(?:heading|标题)\s*([1-9])$", re.IGNORECASE)


def read(path: Path, name: str) -> Document:
    """Read a Word document; raise Unreadable where its parts do not fit together or it holds no text."""
    try:
        opened = docx.Document(str(path))
    except (KeyError, ValueError, AttributeError, LxmlError, zipfile.BadZipFile) as fault:
        raise Unreadable("damaged") from fault
    levels = _heading_levels(opened)
    builder = Builder()
    for element in _blocks(opened.element.body):
        if element.tag == _TABLE:
            builder.add("\n".join(_rows(element)))
            continue
        text = "".join(_pieces(element))
        level = _level(element, levels)
        if level:
            builder.heading(level, text)
        else:
            builder.add(text)
    return builder.finish(MEDIA_TYPE)


def _blocks(parent: Any) -> Iterator[Any]:
    """Yield paragraphs and tables in order, those inside content controls too, which python-docx leaves out."""
    for child in parent:
        if child.tag in (_PARAGRAPH, _TABLE):
            yield child
        elif child.tag in _CONTAINERS:
            yield from _blocks(child)


def _pieces(element: Any) -> Iterator[str]:
    """Yield a paragraph's text, with what is inserted and without what is deleted in tracked changes."""
    for child in element:
        if child.tag == _TEXT:
            yield child.text or ""
        elif child.tag in _WHITE:
            yield _WHITE[child.tag]
        elif child.tag not in _SKIPPED:
            yield from _pieces(child)


def _rows(table: Any) -> Iterator[str]:
    for row in table.iter(_ROW):
        cells = [" ".join("".join(_pieces(p)).strip() for p in cell.iter(_PARAGRAPH)).strip() for cell in row.iter(_CELL)]
        yield "| " + " | ".join(cells) + " |"


def _heading_levels(opened: Any) -> dict[str, int]:
    """Return the level of each style that makes a heading, by the style's id; localised names are covered by theirs."""
    levels: dict[str, int] = {}
    for style in opened.styles:
        found = _HEADING.match(style.name or "")
        if found:
            levels[style.style_id] = int(found.group(1))
        elif (style.name or "").lower() == "title":
            levels[style.style_id] = 1
    return levels


def _level(paragraph: Any, levels: dict[str, int]) -> int | None:
    properties = paragraph.find(qn("w:pPr"))
    if properties is None:
        return None
    outline = properties.find(qn("w:outlineLvl"))
    if outline is not None and (outline.get(qn("w:val")) or "").isdigit() and int(outline.get(qn("w:val"))) < 9:
        return int(outline.get(qn("w:val"))) + 1
    style = properties.find(qn("w:pStyle"))
    return None if style is None else levels.get(style.get(qn("w:val")) or "")
