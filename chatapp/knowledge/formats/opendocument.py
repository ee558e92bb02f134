"""OpenDocument texts, spreadsheets, presentations and formulas: each is one XML part, content.xml.

Embedded formulas and charts are parts of their own and are read where they stand.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from chatapp.knowledge.formats.document import Builder, Document, Skips, Unreadable
from chatapp.knowledge.formats.docx import PAGE_NUMBER
from chatapp.knowledge.formats.mathml import formula_text
from chatapp.knowledge.formats.packages import Package, attribute, child, local_name
from chatapp.knowledge.formats.regions import one_below_another
from chatapp.knowledge.formats.tables import Row, paragraphs

CONTENT = "content.xml"
MEDIA_TYPE = "application/vnd.oasis.opendocument."
MAX_REPEATED = 100  # repetitions of a row or cell that are written
MAX_DEPTH = 60  # nested lists, frames and tables
_GROUPS = frozenset(
    (
        "section",
        "list-header",
        "index-body",
        "frame",
        "text-box",
        "g",
        "a",
        "page-thumbnail",
        "custom-shape",
    )
)
_SKIPPED = frozenset(
    (
        "tracked-changes",
        "table-of-content",
        "annotation",
        "sequence-decls",
        "forms",
        "note-citation",
    )
)
_ANCHORED = frozenset(("note", "frame"))  # anchored to a paragraph, and read after it
_PAGE_PARTS = frozenset(
    (
        "header",
        "footer",
        "header-left",
        "footer-left",
        "header-first",
        "footer-first",
        "frame",
        "custom-shape",
    )
)
_PROMPT = re.compile(r"<[^<>]*>$")  # what LibreOffice writes where nothing is filled in
_KINDS = ("text", "spreadsheet", "presentation", "drawing")


def read(package: Package, max_pages: int) -> Document:
    """Read any of the three kinds; raise Unreadable where it is encrypted, damaged or empty."""
    if package.has("META-INF/manifest.xml") and b"encryption-data" in package.read(
        "META-INF/manifest.xml"
    ):
        raise Unreadable("encrypted")
    root = package.root(CONTENT)
    builder = Builder()
    if local_name(root.tag) == "math":
        builder.add(formula_text(root, True))
        return builder.finish(MEDIA_TYPE + "formula")
    body = child(root, "body")
    kind = next((name for name in _KINDS if body is not None and child(body, name) is not None), "")
    if not kind:
        raise Unreadable("unsupported")
    content = child(body, kind)
    _insert_objects(package, content, builder.skips)
    if kind == "text":
        _add_blocks(builder, content)
    elif kind == "spreadsheet":
        _add_sheets(builder, content, _hidden(root))
    else:
        _add_slides(builder, content, max_pages)
    with builder.skips:
        _add_page_texts(builder, package)
    return builder.finish(MEDIA_TYPE + kind)


def _add_page_texts(builder: Builder, package: Package) -> None:
    """Add the texts of all pages once: headers, footers, and what is drawn on a slide's master."""
    styles = package.root("styles.xml") if package.has("styles.xml") else None
    masters = child(styles, "master-styles") if styles is not None else None
    texts: dict[str, None] = {}
    for part in masters.iter("{*}master-page") if masters is not None else ():
        for one in part:
            if local_name(one.tag) in _PAGE_PARTS and not attribute(one, "placeholder"):
                texts |= dict.fromkeys(_text(line) for line in one.iter("{*}p"))
    shown = [text for text in texts if not PAGE_NUMBER.match(text) and not _PROMPT.match(text)]
    for place, text in enumerate(shown):
        if not place:
            builder.section(0, "")
        builder.add(text)


def _add_sheets(builder: Builder, content: Any, hidden: set[str]) -> None:
    for table in (one for one in content if local_name(one.tag) == "table"):
        if attribute(table, "style-name") not in hidden:
            builder.section(1, attribute(table, "name"))
            for row in paragraphs(one_below_another(_rows(table, builder.skips))):
                builder.add(row)
            for drawn in table.iter("{*}frame", "{*}custom-shape"):
                _add_blocks(builder, [drawn])


def _insert_objects(package: Package, content: Any, skips: Skips) -> None:
    """Replace each embedded formula and chart by its text."""
    for frame in list(content.iter("{*}frame")):
        embedded = child(frame, "object")
        if embedded is None:
            continue
        with skips:
            inner = next((one for one in embedded if local_name(one.tag) == "math"), None)
            part = posixpath.join(posixpath.normpath(attribute(embedded, "href")), CONTENT)
            if inner is None and package.has(part):
                inner = package.root(part)
            if inner is not None and local_name(inner.tag) == "math":
                _insert_formula(frame, inner)
            elif inner is not None and (chart := child(inner, "body", "chart")) is not None:
                _insert_chart(frame, chart)


def _insert_formula(frame: Any, formula: Any) -> None:
    paragraph = frame.getparent()
    is_inline = local_name(paragraph.tag) in ("p", "h", "span", "a")
    alone = len(paragraph) == 1 and not _text(paragraph)
    text, behind = formula_text(formula, alone or not is_inline), frame.tail
    frame.clear()
    frame.tag = "span" if is_inline else "p"
    frame.text, frame.tail = text, behind


def _insert_chart(frame: Any, chart: Any) -> None:
    behind, tag = frame.tail, frame.tag
    frame.clear()
    frame.tag, frame.tail = tag, behind
    box = frame.makeelement("text-box")
    titles = list(chart.iter("{*}title", "{*}subtitle"))
    box.extend([one for title in titles for one in title if local_name(one.tag) == "p"])
    box.extend(list(chart.iter("{*}table")))
    frame.append(box)


def _hidden(root: Any) -> set[str]:
    """Return the styles of hidden sheets."""
    styles = child(root, "automatic-styles")
    return {
        attribute(style, "name")
        for style in (styles if styles is not None else ())
        if (properties := child(style, "table-properties")) is not None
        and attribute(properties, "display") == "false"
    }


def _add_slides(builder: Builder, content: Any, max_pages: int) -> None:
    slides = [one for one in content if local_name(one.tag) == "page"]
    if len(slides) > max_pages:
        raise Unreadable("pages", limit=max_pages)
    for slide in slides:
        builder.page()
        with builder.skips:
            _add_slide(builder, slide)


def _add_slide(builder: Builder, slide: Any) -> None:
    title = next((frame for frame in slide if attribute(frame, "class") == "title"), None)
    builder.section(1, _text(title) if title is not None else "")
    for shape in slide:
        if local_name(shape.tag) != "notes":
            _add_blocks(builder, [shape])
    notes = child(slide, "notes")
    if notes is not None:
        _add_blocks(builder, [one for one in notes if attribute(one, "class") == "notes"])


def _add_blocks(builder: Builder, parent: Any, depth: int = 0, mark: str = "") -> None:
    """Add the blocks below an element; `mark` begins a list item's first paragraph."""
    if depth > MAX_DEPTH:
        raise Unreadable("nested")
    for element in parent:
        with builder.skips:
            _add_block(builder, element, depth, mark)
        mark = "" if local_name(element.tag) == "p" else mark


def _add_block(builder: Builder, element: Any, depth: int, mark: str) -> None:
    name = local_name(element.tag)
    if name == "h":
        level = attribute(element, "outline-level", "1")
        builder.heading(int(level) if level.isdecimal() else 1, _text(element))
    elif name == "p":
        builder.add(mark + _text(element) if _text(element) else "", "\n" if mark else "\n\n")
        for inner in _anchored(element):
            _add_blocks(builder, inner, depth + 1)
    elif name == "list":
        _add_blocks(builder, element, depth + 1, mark)
    elif name == "list-item":
        _add_blocks(builder, element, depth + 1, "- ")
    elif name == "table":
        for row in paragraphs(_rows(element, builder.skips)):
            builder.add(row)
    elif name == "image":
        described = child(element.getparent(), "desc")
        builder.add(" ".join((described.text or "").split()) if described is not None else "")
    elif name in _GROUPS:
        _add_blocks(builder, element, depth + 1)


def _anchored(element: Any) -> Iterator[Any]:
    """Yield the notes and text boxes anchored to a paragraph, except nested ones."""
    for one in element:
        if local_name(one.tag) in ("note-body", "text-box"):
            yield one
        elif local_name(one.tag) == "image":
            yield [one]
        else:
            yield from _anchored(one)


def _text(element: Any) -> str:
    return "".join(_pieces(element)).strip()


def _pieces(element: Any) -> Iterator[str]:
    yield " ".join((element.text or "").split("\n"))
    for one in element:
        name = local_name(one.tag)
        if name == "s":
            count = attribute(one, "c", "1")
            yield " " * min(int(count) if count.isdecimal() else 1, MAX_REPEATED)
        elif name in ("tab", "line-break"):
            yield "\t" if name == "tab" else "\n"
        elif name == "p":
            yield "\n"
            yield from _pieces(one)
        elif name and name not in _SKIPPED and name not in _ANCHORED:
            yield from _pieces(one)
        yield " ".join((one.tail or "").split("\n"))


def _rows(table: Any, skips: Skips) -> Iterator[Row]:
    """Yield a table's rows, and one empty row for any number of empty ones."""
    for element in table.iter("{*}table-row"):
        row: dict[int, str] = {}
        try:
            _add_cells(row, element)
        except Exception as fault:
            skips.drop(fault)
        for _ in range(min(_repeated(element, "number-rows-repeated"), MAX_REPEATED) if row else 1):
            yield row


def _add_cells(row: dict[int, str], element: Any) -> None:
    column = 0
    for cell in element:
        if local_name(cell.tag) not in ("table-cell", "covered-table-cell"):
            continue
        text = "\n".join(
            filter(None, (_text(one) for one in cell if local_name(one.tag) in ("p", "h", "list")))
        )
        repeated = _repeated(cell, "number-columns-repeated")
        for place in range(column, column + min(repeated, MAX_REPEATED)) if text else ():
            row[place] = text
        column += repeated


def _repeated(element: Any, name: str) -> int:
    value = attribute(element, name, "1")
    return max(1, int(value)) if value.isdecimal() and len(value) < 9 else 1
