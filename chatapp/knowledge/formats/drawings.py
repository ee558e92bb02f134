"""Charts as rows of numbers and diagrams as lists, from Office documents."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from chatapp.knowledge.formats.packages import Package, attribute, child, local_name
from chatapp.knowledge.formats.tables import Row, paragraphs


def drawn_texts(package: Package, part: str, drawing: Any) -> Iterator[str]:
    """Yield the text of the charts and diagrams within a part's drawing."""
    targets = {
        key: target
        for key, (_, target) in package.relationships(part).items()
        if package.has(target)
    }
    for element in drawing.iter():
        name = local_name(element.tag)
        if name == "chart" and (target := targets.get(attribute(element, "id"))):
            yield from _chart(package.root(target))
        elif name == "relIds" and (target := targets.get(attribute(element, "dm"))):
            yield from _diagram(package.root(target))


def texts_of(element: Any, name: str = "t") -> str:
    """Return all text below an element."""
    return "".join(one.text or "" for one in element.iter(f"{{*}}{name}"))


def _chart(root: Any) -> Iterator[str]:
    title = child(root, "chart", "title")
    if title is not None and (text := texts_of(title)):
        yield text
    head: dict[int, str] = {}
    rows: dict[int, dict[int, str]] = {}
    for column, series in enumerate(root.iter("{*}ser"), 1):
        named = child(series, "tx")
        if named is not None and (text := texts_of(named, "v")):
            head[column] = text
        for place, cell in chain(
            _points(child(series, "cat"), 0), _points(child(series, "val"), column)
        ):
            rows.setdefault(place, {}).update(cell)
    named_series: list[Row] = [head] if head else []
    yield from paragraphs(
        [*named_series, *(rows[place] for place in sorted(rows))], len(named_series)
    )


def _points(values: Any, column: int) -> Iterator[tuple[int, dict[int, str]]]:
    for point in values.iter("{*}pt") if values is not None else ():
        if attribute(point, "idx").isdecimal() and (text := texts_of(point, "v").strip()):
            yield int(attribute(point, "idx")), {column: text}


def _diagram(root: Any) -> Iterator[str]:
    for point in root.iter("{*}pt"):
        text = " ".join(
            filter(None, (texts_of(paragraph).strip() for paragraph in point.iter("{*}p")))
        )
        if text:
            yield f"- {text}"
