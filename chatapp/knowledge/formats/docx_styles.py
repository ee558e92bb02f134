"""Word's styles: heading levels, lists, bold text and font sizes."""

import re
from dataclasses import dataclass, replace
from typing import Any

from chatapp.knowledge.formats.packages import attribute, child, local_name

TITLE_LEVEL = 0
BODY_SIZE = 20.0  # default font size in half points
MAX_ANCESTORS = 20
_HEADING = re.compile(r"(?:heading|标题)\s*([1-9])$", re.IGNORECASE)
_CONTENTS = re.compile(r"(?:toc \d|table of figures|index \d|目录)", re.IGNORECASE)
_OFF = ("0", "false", "off", "none")


@dataclass(frozen=True, slots=True)
class Style:
    """A paragraph's properties; None where the parent style decides."""

    level: int | None = None
    contents: bool = False  # part of a table of contents
    list_id: str | None = None
    depth: int | None = None  # in the list
    bold: bool | None = None
    size: float | None = None


class Styles:
    """A document's styles with their inherited properties."""

    def __init__(self, root: Any) -> None:
        elements = (
            {attribute(one, "styleId"): one for one in root if local_name(one.tag) == "style"}
            if root is not None
            else {}
        )
        default = child(root, "docDefaults", "rPrDefault", "rPr") if root is not None else None
        self._plain = replace(Style(), size=font_size(default))
        self._styles = {key: _inherited(key, elements) for key in elements}
        self._normal = next((key for key, one in elements.items() if _is_default(one)), "")

    def of(self, properties: Any) -> Style:
        """Return the style of a paragraph with these properties (w:pPr, or None)."""
        named = child(properties, "pStyle") if properties is not None else None
        style = self._styles.get(
            attribute(named, "val") if named is not None else self._normal, Style()
        )
        own = _direct(properties) if properties is not None else Style()
        return _inherit(own, _inherit(style, self._plain))


def _inherited(key: str, elements: dict[str, Any]) -> Style:
    style = Style()
    for _ in range(MAX_ANCESTORS):
        element = elements.get(key)
        if element is None:
            break
        style = _inherit(style, _defined(element))
        above = child(element, "basedOn")
        if above is None:
            break
        key = attribute(above, "val")
    return style


def _defined(element: Any) -> Style:
    """Return a style's own properties. Built-in headings have English names in all languages."""
    named = child(element, "name")
    name = attribute(named, "val") if named is not None else ""
    properties, run_properties = child(element, "pPr"), child(element, "rPr")
    own = _direct(properties) if properties is not None else Style()
    found = _HEADING.match(name)
    level = int(found.group(1)) if found else TITLE_LEVEL if name.lower() == "title" else own.level
    return replace(
        own,
        level=level,
        contents=bool(_CONTENTS.match(name)),
        bold=is_on(run_properties, "b"),
        size=font_size(run_properties),
    )


def _direct(properties: Any) -> Style:
    outline, numbered = child(properties, "outlineLvl"), child(properties, "numPr")
    value = attribute(outline, "val") if outline is not None else ""
    list_id, depth = (
        (child(numbered, "numId"), child(numbered, "ilvl"))
        if numbered is not None
        else (None, None)
    )
    deep = attribute(depth, "val") if depth is not None else ""
    return Style(
        level=(int(value) + 1 if int(value) < 9 else -1) if value.isdecimal() else None,
        list_id=attribute(list_id, "val") if list_id is not None else None,
        depth=int(deep) if deep.isdecimal() else None,
    )


def _inherit(own: Style, above: Style) -> Style:
    return Style(
        level=above.level if own.level is None else own.level,
        contents=own.contents or above.contents,
        list_id=above.list_id if own.list_id is None else own.list_id,
        depth=above.depth if own.depth is None else own.depth,
        bold=above.bold if own.bold is None else own.bold,
        size=above.size if own.size is None else own.size,
    )


def is_on(properties: Any, name: str) -> bool | None:
    """Return whether run properties (w:rPr, or None) set a switch; None where it is not set."""
    element = child(properties, name) if properties is not None else None
    return None if element is None else attribute(element, "val", "1").lower() not in _OFF


def font_size(properties: Any) -> float | None:
    """Return a font size in half points; None where it is not given."""
    element = child(properties, "sz") if properties is not None else None
    value = attribute(element, "val") if element is not None else ""
    return float(value) if re.fullmatch(r"\d{1,4}(\.\d+)?", value) else None


def _is_default(element: Any) -> bool:
    return attribute(element, "type") == "paragraph" and attribute(element, "default") in (
        "1",
        "true",
        "on",
    )
