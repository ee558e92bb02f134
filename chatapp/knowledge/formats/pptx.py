"""PowerPoint: each slide is a page and a section of texts in reading order, tables and notes."""

from collections.abc import Iterator
from typing import Any

from chatapp.knowledge.formats.document import Builder, Document, Skips, Unreadable
from chatapp.knowledge.formats.drawings import alt_text, drawn_texts
from chatapp.knowledge.formats.omml import FORMULAS, formula_text
from chatapp.knowledge.formats.packages import Package, attribute, child, local_name
from chatapp.knowledge.formats.tables import Row, paragraphs

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
# One centimetre in English Metric Units: shapes whose tops differ by less are on one line.
LINE_HEIGHT = 360_000
MAX_DEPTH = 40  # nested groups
MAX_TITLE = 120  # characters of a first text that serves as the title of a slide without one
_TITLES = ("title", "ctrTitle")
# Date, footer and number: the same on every slide. A footer is read once.
_FOOTER_TYPES = (
    "dt",
    "ftr",
    "sldNum",
    "hdr",
    "sldImg",
)
_SHAPES = ("sp", "grpSp", "graphicFrame", "cxnSp", "pic")
_OPTIONAL = "AlternateContent"


def read(package: Package, max_pages: int) -> Document:
    """Read a presentation; raise Unreadable where it is damaged, has too many slides or no text."""
    main = package.main_part()
    listed = child(package.root(main), "sldIdLst") if main else None
    if main is None:
        raise Unreadable("damaged")
    related = package.relationships(main)
    names = (
        [related.get(_reference(one), ("", ""))[1] for one in listed] if listed is not None else []
    )
    if len(names) > max_pages:
        raise Unreadable("pages", limit=max_pages)
    builder = Builder()
    reader = _Reader(package, builder.skips)
    for name in names:
        builder.page()
        with builder.skips:
            reader.add_slide(builder, name)
    return builder.finish(MEDIA_TYPE)


def _reference(element: Any) -> str:
    """Return an element's r:id, which is not its own id."""
    return next(
        (str(value) for key, value in element.items() if "}" in key and local_name(key) == "id"), ""
    )


class _Reader:
    """Reads the slides of one presentation."""

    def __init__(self, package: Package, skips: Skips) -> None:
        self._package = package
        self._skips = skips
        self._footers = {""}
        self._places: dict[str, dict[str, tuple[int, int]]] = {}  # by layout and placeholder

    def add_slide(self, builder: Builder, name: str) -> None:
        """Add a slide's texts and notes."""
        tree = child(self._package.root(name), "cSld", "spTree")
        shapes = list(_shapes(tree)) if tree is not None else []
        titles = [shape for shape in shapes if _kind(shape) in _TITLES]
        title = " ".join(" ".join(_lines(shape)) for shape in titles)
        rest = [
            shape for shape in shapes if shape not in titles and _kind(shape) not in _FOOTER_TYPES
        ]
        texts: list[str] = []
        for shape in self._in_order(rest, name):
            texts += filter(None, self._texts(name, shape))
        for shape in (shape for shape in shapes if _kind(shape) == "ftr"):
            footer = " ".join(_lines(shape))
            texts += [] if footer in self._footers else [footer]
            self._footers.add(footer)
        with self._skips:
            for notes in self._package.parts_of_type(name, "notesSlide"):
                texts += self._notes(notes)
        if title.strip():
            builder.heading(1, title)
        else:
            builder.section(
                1,
                texts[0] if texts and len(texts[0]) <= MAX_TITLE and "\n" not in texts[0] else "",
            )
        for text in texts:
            builder.add(text)

    def _notes(self, name: str) -> Iterator[str]:
        tree = child(self._package.root(name), "cSld", "spTree")
        for shape in _shapes(tree) if tree is not None else ():
            if _kind(shape) == "body" and (text := "\n".join(_lines(shape))):
                yield text

    def _texts(self, part: str, shape: Any, depth: int = 0) -> Iterator[str]:
        """Yield a shape's texts: a picture's is its description; connectors have none."""
        name = local_name(shape.tag)
        if name in ("pic", "graphicFrame") and (properties := _properties(shape)) is not None:
            yield alt_text(properties)
        with self._skips:
            if name == "grpSp":
                if depth < MAX_DEPTH:
                    for inner in self._in_order(list(_shapes(shape)), ""):
                        yield from self._texts(part, inner, depth + 1)
            elif name == "graphicFrame":
                data = child(shape, "graphic", "graphicData")
                table = child(data, "tbl") if data is not None else None
                if table is not None:
                    yield from paragraphs([row for row in _rows(table) if row])
                elif data is not None:
                    yield from drawn_texts(self._package, part, data)
            else:
                lines = list(_lines(shape))
                yield "\n".join(
                    lines if len(lines) < 2 or _kind(shape) == "subTitle" else _bulleted(shape)
                )

    # --- positions of shapes

    def _in_order(self, shapes: list[Any], slide: str) -> list[Any]:
        """Sort shapes by line from the top, then from the left.

        A shape without a position takes its placeholder's. If one has neither, the order is kept.
        """
        placed: list[tuple[tuple[int, int] | None, int, Any]] = []
        with self._skips:
            layout = next(iter(self._package.parts_of_type(slide, "slideLayout")), "")
            placed = [(self._place(one, layout), order, one) for order, one in enumerate(shapes)]
        if not placed or any(place is None for place, _, _ in placed):
            return shapes
        lines: list[tuple[int, int, Any]] = []
        top = 0
        for (y, x), _, shape in sorted(
            (place, order, shape) for place, order, shape in placed if place is not None
        ):
            top = y if not lines or y - top > LINE_HEIGHT else top
            lines.append((top, x, shape))
        return [shape for _, _, shape in sorted(lines, key=lambda one: one[:2])]

    def _place(self, shape: Any, layout: str) -> tuple[int, int] | None:
        own = _offset(shape)
        placeholder = _placeholder(shape)
        if own is not None or placeholder is None or not layout:
            return own
        if layout not in self._places:
            tree = child(self._package.root(layout), "cSld", "spTree")
            of_layout = (
                [(one, _placeholder(one)) for one in _shapes(tree)] if tree is not None else []
            )
            self._places[layout] = {
                attribute(found, "idx", attribute(found, "type")): place
                for one, found in of_layout
                if found is not None and (place := _offset(one)) is not None
            }
        return self._places[layout].get(
            attribute(placeholder, "idx", attribute(placeholder, "type"))
        )


def _shapes(parent: Any) -> Iterator[Any]:
    for one in parent:
        name = local_name(one.tag)
        if name in _SHAPES:
            yield one
        elif name == _OPTIONAL:
            yield from _shapes(_chosen(one))


def _chosen(optional: Any) -> Any:
    """Return the first choice; the others repeat it for older programs."""
    return next((choice for choice in optional if local_name(choice.tag)), ())


def _offset(shape: Any) -> tuple[int, int] | None:
    """Return a shape's own position (top, left)."""
    for path in (("spPr", "xfrm", "off"), ("grpSpPr", "xfrm", "off"), ("xfrm", "off")):
        place = child(shape, *path)
        if place is not None:
            try:
                return int(attribute(place, "y")), int(attribute(place, "x"))
            except ValueError:
                return None
    return None


def _properties(shape: Any, *path: str) -> Any:
    path = path or ("cNvPr",)
    return next((child(one, *path) for one in shape if local_name(one.tag).startswith("nv")), None)


def _placeholder(shape: Any) -> Any:
    return _properties(shape, "nvPr", "ph")


def _kind(shape: Any) -> str:
    placeholder = _placeholder(shape)
    return "" if placeholder is None else attribute(placeholder, "type", "obj")


# --- texts


def _lines(shape: Any) -> Iterator[str]:
    body = child(shape, "txBody")
    for paragraph in body if body is not None else ():
        if local_name(paragraph.tag) == "p" and (text := _text(paragraph)):
            yield text


def _bulleted(shape: Any) -> Iterator[str]:
    """Yield a shape's paragraphs as nested list items."""
    for paragraph in child(shape, "txBody"):
        if local_name(paragraph.tag) == "p" and (text := _text(paragraph)):
            properties = child(paragraph, "pPr")
            level = attribute(properties, "lvl", "0") if properties is not None else "0"
            plain = properties is not None and child(properties, "buNone") is not None
            yield (
                text
                if plain
                else "  " * min(int(level) if level.isdecimal() else 0, 8) + "- " + text
            )


def _text(paragraph: Any) -> str:
    return " ".join("".join(_pieces(paragraph)).split())


def _pieces(parent: Any) -> Iterator[str]:
    for one in parent:
        name = local_name(one.tag)
        if name == "t":
            yield one.text or ""
        elif name == "br":
            yield " "
        elif name in FORMULAS:
            yield f" {formula_text(one)} "
        elif name == _OPTIONAL:
            yield from _pieces(_chosen(one))
        elif name != "fld" or attribute(one, "type") != "slidenum":
            yield from _pieces(one)


def _rows(table: Any) -> Iterator[Row]:
    """Yield a table's rows; a vertically merged cell is repeated in each of its rows."""
    above: dict[int, str] = {}
    for line in (one for one in table if local_name(one.tag) == "tr"):
        row: dict[int, str] = {}
        for column, cell in enumerate(one for one in line if local_name(one.tag) == "tc"):
            text = (
                above.get(column, "")
                if attribute(cell, "vMerge") in ("1", "true")
                else "\n".join(_lines(cell))
            )
            if text:
                row[column] = text
        above = row
        yield row
