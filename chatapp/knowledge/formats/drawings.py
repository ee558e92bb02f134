"""Charts as rows of numbers, diagrams as lists, and the text boxes of sheets, from Office files."""

import re
from collections.abc import Iterator
from typing import Any

from chatapp.knowledge.formats.cell_formats import GENERAL, formatter, general
from chatapp.knowledge.formats.packages import Package, attribute, child, local_name
from chatapp.knowledge.formats.tables import Row, paragraphs

_AUTOMATIC = re.compile(r"\s*Description automatically generated.*|\s*描述已自动生成.*")
_NAME = re.compile(r"[!-~]*|[A-Za-z]:\\.*|.*\.(?:png|jpe?g|gif|bmp|tiff?|[ew]mf|svg|webp)", re.I)


def alt_text(properties: Any) -> str:
    """Return what a picture's properties say that it shows; "" for a name as of a file."""
    said = " ".join(_AUTOMATIC.sub("", attribute(properties, "descr")).split())
    return "" if _NAME.fullmatch(said) else said


def drawn_texts(package: Package, part: str, drawing: Any) -> Iterator[str]:
    """Yield the text of the charts and diagrams within a part's drawing."""
    for chart in _parts(package, part, drawing, "chart", "id"):
        yield from _chart(chart)
    for diagram in _parts(package, part, drawing, "relIds", "dm"):
        yield from _diagram(diagram)


def sheet_texts(package: Package, part: str) -> Iterator[str]:
    """Yield the texts drawn on a sheet: boxes, diagrams, and the titles of charts.

    A chart's numbers are in the cells already.
    """
    for element in package.root(part).iter("{*}sp", "{*}graphicFrame"):
        for chart in _parts(package, part, element, "chart", "id"):
            yield from _titles(chart)
        for diagram in _parts(package, part, element, "relIds", "dm"):
            yield from _diagram(diagram)
        body = child(element, "txBody")
        lines = (texts_of(line).strip() for line in body) if body is not None else ()
        yield "\n".join(filter(None, lines))


def texts_of(element: Any, name: str = "t") -> str:
    """Return all text below an element."""
    return "".join(one.text or "" for one in element.iter(f"{{*}}{name}"))


def _parts(package: Package, part: str, drawing: Any, name: str, key: str) -> Iterator[Any]:
    """Yield the roots of the parts that a drawing's elements of a name refer to."""
    for element in drawing.iter(f"{{*}}{name}"):
        target = package.relationships(part).get(attribute(element, key), ("", ""))[1]
        if target and package.has(target):
            yield package.root(target)


def _titles(root: Any) -> Iterator[str]:
    for title in root.iter("{*}title"):
        if text := " ".join((texts_of(title) or texts_of(title, "v")).split()):
            yield text


def _chart(root: Any) -> Iterator[str]:
    yield from _titles(root)
    head: dict[int, str] = {}
    rows: dict[int, dict[int, str]] = {}
    for column, series in enumerate(root.iter("{*}ser"), 1):
        named = child(series, "tx")
        if named is not None and (text := texts_of(named, "v")):
            head[column] = text
        names, values = (
            next((one for one in series if local_name(one.tag) in kinds), None)
            for kinds in (("cat", "xVal"), ("val", "yVal"))
        )
        for place, text in _points(names):
            rows.setdefault(place, {}).setdefault(0, text)
        for place, text in _points(values):
            rows.setdefault(place, {})[column] = text
    named_series: list[Row] = [head] if head else []
    yield from paragraphs(
        [*named_series, *(rows[place] for place in sorted(rows))], len(named_series)
    )


def _points(values: Any) -> Iterator[tuple[int, str]]:
    """Yield a series' values by place; groups of names precede the names."""
    if values is None:
        return
    levels = list(values.iter("{*}lvl"))
    if len(levels) < 2:
        yield from _texts(values)
        return
    groups = [dict(_texts(level)) for level in reversed(levels[1:])]
    current = [""] * len(groups)
    for place, text in _texts(levels[0]):
        current = [group.get(place, last) for group, last in zip(groups, current, strict=True)]
        yield place, " ".join(filter(None, (*current, text)))


def _texts(values: Any) -> Iterator[tuple[int, str]]:
    code = next((one.text or "" for one in values.iter("{*}formatCode")), GENERAL)
    for point in values.iter("{*}pt"):
        text = texts_of(point, "v").strip()
        if attribute(point, "idx").isdecimal() and text:
            is_number = any(local_name(one.tag) == "numCache" for one in point.iterancestors())
            yield int(attribute(point, "idx")), _shown(text, code) if is_number else text


def _shown(text: str, code: str) -> str:
    try:
        return (general if code == GENERAL else formatter(code))(float(text))
    except (ValueError, OverflowError):
        return text


def _diagram(root: Any) -> Iterator[str]:
    for point in root.iter("{*}pt"):
        text = " ".join(
            filter(None, (texts_of(paragraph).strip() for paragraph in point.iter("{*}p")))
        )
        if text:
            yield f"- {text}"
