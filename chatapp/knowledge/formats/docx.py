"""Word documents in reading order: numbered paragraphs, headings, tables, text boxes, notes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from chatapp.knowledge.formats.document import Builder, Document, LeftOut, Skips, Unreadable
from chatapp.knowledge.formats.docx_numbering import BULLET, Numbering
from chatapp.knowledge.formats.docx_styles import BODY_SIZE, Styles, font_size, is_on
from chatapp.knowledge.formats.drawings import alt_text, drawn_texts
from chatapp.knowledge.formats.inferred_headings import Line, infer_headings
from chatapp.knowledge.formats.members import Members, shown_name
from chatapp.knowledge.formats.omml import FORMULAS, formula_text
from chatapp.knowledge.formats.packages import Package, attribute, child, local_name
from chatapp.knowledge.formats.tables import Row, paragraphs

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# Average characters of a cell, above which a table is layout and not data.
LAYOUT_CELL_CHARACTERS = 400
MAX_ITEM_CHARACTERS = 200  # of a list item; longer ones are paragraphs
BELOW_ALL = 10  # level of an embedded file's headings
MAX_DEPTH = 40  # nested tables and text boxes
_CONTAINERS = frozenset(("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml"))
_SKIPPED = frozenset(("del", "moveFrom", "pPr", "rPr", "Fallback", "rt", "instrText", "delText"))
_WHITE = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}
PAGE_NUMBER = re.compile(r"[\W\d_]*(?:(?:page|seite|of|von|第|页|頁|共)[\W\d_]*)*$", re.IGNORECASE)


@dataclass(slots=True)
class _Paragraph:
    """A paragraph of the text; `level` is None unless it is a heading."""

    text: str
    level: int | None
    item: bool = False
    bold: bool = False
    size: float = 0.0


@dataclass(slots=True)
class _Found:
    """A paragraph's text and what is attached to it."""

    pieces: list[str] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)
    drawings: list[Any] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


_Block: TypeAlias = _Paragraph | Document | str  # a document is an embedded file


def read(package: Package, members: Members) -> Document:
    """Read a Word document; raise Unreadable where it is damaged or has no text."""
    main = package.main_part()
    body = child(package.root(main), "body") if main else None
    if main is None or body is None:
        raise Unreadable("damaged")
    builder = Builder()
    reader = _Reader(package, main, builder.skips, members)
    blocks = list(reader.blocks(body))
    _infer_headings(blocks)
    follows = False
    for block in blocks:
        if isinstance(block, Document):
            builder.include(BELOW_ALL, "", block)
        elif isinstance(block, str):
            builder.add(block)
        elif block.level is not None:
            builder.heading(block.level, block.text)
        else:
            builder.add(block.text, "\n" if block.item and follows else "\n\n")
        follows = isinstance(block, _Paragraph) and block.item
    for place, line in enumerate(reader.page_texts()):
        if not place:
            builder.section(0, "")
        builder.add(line)
    return builder.finish(MEDIA_TYPE)


def _infer_headings(blocks: Sequence[_Block]) -> None:
    """Infer the headings of a document that marks none."""
    lines = [block for block in blocks if isinstance(block, _Paragraph)]
    if any((block.level or 0) > 0 for block in lines):
        return
    levels = infer_headings(
        [Line("" if block.item else block.text, block.size, block.bold) for block in lines]
    )
    for place, level in levels.items():
        lines[place].level = level


class _Reader:
    """Reads one document."""

    def __init__(self, package: Package, main: str, skips: Skips, members: Members) -> None:
        self._package = package
        self._main = main
        self._skips = skips
        self._members = members
        self._styles, self._numbering = Styles(None), Numbering(None)
        with skips:
            self._styles = Styles(self._part("styles"))
        with skips:
            self._numbering = Numbering(self._part("numbering"))
        self._in_note = False
        self._notes: dict[str, dict[str | None, Any]] = {}
        for kind in _NOTES.values():
            with skips:
                notes = self._part(kind)
                if notes is not None:
                    self._notes[kind] = {attribute(note, "id"): note for note in reversed(notes)}

    def _part(self, kind: str) -> Any:
        names = self._package.parts_of_type(self._main, kind)
        return self._package.root(names[0]) if names else None

    def blocks(self, parent: Any, depth: int = 0) -> Iterator[_Block]:
        """Yield paragraphs, and table rows as text, including those in content controls."""
        for element in parent:
            name = local_name(element.tag)
            with self._skips:
                if name == "p":
                    yield from self._paragraph(element, depth)
                elif name == "tbl":
                    yield from self._table(element, depth)
                elif name == "altChunk":
                    yield from self._embedded(element)
                elif name in _CONTAINERS and not _is_contents(element):
                    yield from self.blocks(element, depth)

    def _embedded(self, element: Any) -> Iterator[Document]:
        """Yield a file of another kind that stands in the text: HTML, RTF, a mail, a document."""
        part = self._package.relationships(self._main).get(attribute(element, "id"), ("", ""))[1]
        try:
            yield self._members.document(part, [self._package.read(part)])
        except Unreadable as fault:
            self._skips.leave_out(LeftOut(shown_name(part), fault.reason))

    def page_texts(self) -> Iterator[str]:
        """Yield the text of headers and footers, once and without page numbers."""
        seen: set[str] = set()
        for kind in ("header", "footer"):
            for name in self._package.parts_of_type(self._main, kind):
                with self._skips:
                    for block in self.blocks(self._package.root(name)):
                        text = block if isinstance(block, str) else block.text
                        if not PAGE_NUMBER.match(text) and text not in seen:
                            seen.add(text)
                            yield text

    def _paragraph(self, element: Any, depth: int) -> Iterator[_Block]:
        properties = child(element, "pPr")
        style = self._styles.of(properties)
        found = _Found()
        bold, size = _collect(element, found, style.bold or False, style.size or BODY_SIZE)
        text = "".join(found.pieces).strip()
        number = ""
        if style.list_id:
            number = self._numbering.next(style.list_id, style.depth or 0)
        if text and not style.contents:
            level = style.level if style.level is not None and style.level >= 0 else None
            numbered = (
                f"{'  ' * (style.depth or 0) if number == BULLET else ''}{number} {text}"
                if number
                else text
            )
            item = level is None and number != "" and len(text) <= MAX_ITEM_CHARACTERS
            yield _Paragraph(numbered, level, item, bold, size)
        for kind, key in found.notes:
            yield from self._note(kind, key, depth)
        yield from found.pictures
        for drawing in found.drawings:
            with self._skips:
                yield from drawn_texts(self._package, self._main, drawing)
        for box in found.boxes if depth < MAX_DEPTH else ():
            yield from self.blocks(box, depth + 1)

    def _note(self, kind: str, key: str, depth: int) -> Iterator[_Block]:
        note = self._notes.get(kind, {}).get(key)
        if note is None or depth >= MAX_DEPTH or self._in_note:
            return
        self._in_note = True  # notes that refer to notes would be read again and again
        try:
            yield from self.blocks(note, depth + 1)
        finally:
            self._in_note = False

    # --- tables

    def _table(self, table: Any, depth: int) -> Iterator[_Block]:
        rows = list(_children(table, "tr"))
        cells = [list(_children(row, "tc")) for row in rows]
        if depth < MAX_DEPTH and self._is_layout(cells):
            for cell in (cell for row in cells for cell in row if not _continues_above(cell)):
                yield from self.blocks(cell, depth + 1)
            return
        header = 0
        while header < len(rows) - 1 and is_on(child(rows[header], "trPr"), "tblHeader"):
            header += 1
        filled = self._filled(cells, depth)
        yield from paragraphs([row for row in filled if row], header or None)

    def _is_layout(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Return whether a table is page layout, as in forms and letters, rather than data."""
        if max(map(len, rows), default=0) < 2:
            return True
        count = sum(map(len, rows))
        characters = 0
        for cell in (cell for row in rows for cell in row):
            for element in cell.iter():
                name = local_name(element.tag)
                if name == "tbl":
                    return True
                if name == "t":
                    characters += len(element.text or "")
                elif name == "pPr" and (self._styles.of(element).level or 0) > 0:
                    return True
        return characters > LAYOUT_CELL_CHARACTERS * count

    def _filled(self, rows: Sequence[Sequence[Any]], depth: int) -> Iterator[Row]:
        """Yield rows by column; a vertically merged cell is repeated in each of its rows."""
        above: dict[int, str] = {}
        for cells in rows:
            row: dict[int, str] = {}
            column = 0
            for cell in cells:
                text = above.get(column, "") if _continues_above(cell) else self._cell(cell, depth)
                if text:
                    row[column] = text
                column += _column_span(cell)
            above = row
            yield row

    def _cell(self, cell: Any, depth: int) -> str:
        return "\n".join(
            block if isinstance(block, str) else block.text
            for block in self.blocks(cell, depth + 1)
        )


def _collect(element: Any, found: _Found, bold: bool, size: float) -> tuple[bool, float]:
    """Collect a paragraph's text and attachments; return whether all is bold, and its font size."""
    all_bold, largest = True, 0.0
    for one in element:
        name = local_name(one.tag)
        if name in _SKIPPED:
            continue
        if name in FORMULAS:
            _add_formula(one, found)
        elif name == "r":
            run_properties = child(one, "rPr")
            if is_on(run_properties, "vanish"):
                continue
            own = is_on(run_properties, "b")
            before = len(found.pieces)
            _pieces(one, found)
            if any(piece.strip() for piece in found.pieces[before:]):
                all_bold = all_bold and (bold if own is None else own)
                largest = max(largest, font_size(run_properties) or size)
        else:
            inner = _collect(one, found, bold, size) if len(one) else (True, 0.0)
            all_bold, largest = all_bold and inner[0], max(largest, inner[1])
            if name == "t":
                found.pieces.append(one.text or "")
    return all_bold, largest


def _pieces(run: Any, found: _Found) -> None:
    for one in run:
        name = local_name(one.tag)
        if name == "t":
            found.pieces.append(one.text or "")
        elif name in _WHITE:
            found.pieces.append(_WHITE[name])
        elif name in _NOTES:
            found.notes.append((_NOTES[name], attribute(one, "id")))
        elif name == "txbxContent":
            found.boxes.append(one)
        elif name == "graphicData":
            found.drawings.append(one)
            _pieces(one, found)
        elif name == "docPr":
            found.pictures += filter(None, [alt_text(one)])
        elif name in FORMULAS:
            _add_formula(one, found)
        elif name not in _SKIPPED:
            _pieces(one, found)


def _add_formula(element: Any, found: _Found) -> None:
    text = formula_text(element)
    if text.startswith("$$"):
        begins = not found.pieces or found.pieces[-1].endswith("\n")
        text = f"{'' if begins else chr(10)}{text}\n"
    found.pieces.append(text)


def _children(parent: Any, wanted: str) -> Iterator[Any]:
    """Yield a table's rows or a row's cells, including those in content controls."""
    for one in parent:
        name = local_name(one.tag)
        if name == wanted:
            yield one
        elif name in _CONTAINERS:
            yield from _children(one, wanted)


def _continues_above(cell: Any) -> bool:
    """Return whether a cell continues a vertically merged one."""
    merged = child(cell, "tcPr", "vMerge")
    return merged is not None and attribute(merged, "val", "continue") == "continue"


def _column_span(cell: Any) -> int:
    span = child(cell, "tcPr", "gridSpan")
    value = attribute(span, "val") if span is not None else ""
    return int(value) if value.isdecimal() and 0 < int(value) < 1000 else 1


def _is_contents(element: Any) -> bool:
    """Return whether a content control is a table of contents, which would match every question."""
    gallery = child(element, "sdtPr", "docPartObj", "docPartGallery")
    return gallery is not None and "contents" in attribute(gallery, "val").lower()
