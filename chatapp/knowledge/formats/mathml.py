"""MathML as TeX: the formulas of OpenDocument files, and of pages and e-books."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chatapp.knowledge.formats import tex
from chatapp.knowledge.formats.packages import attribute, local_name

_SKIPPED = frozenset(("annotation", "annotation-xml", "mphantom", "mspace", "none", "mprescripts"))
_TEX = ("application/x-tex", "tex", "latex", "application/x-latex")
_OPENING, _CLOSING = "([{|‖⌊⌈⟨〈", ")]}|‖⌋⌉⟩〉"


def formula_text(element: Any, display: bool) -> str:
    """Return a `math` element as `$…$` or `$$…$$`."""
    written = next(
        (
            one.text or ""
            for one in element.iter("{*}annotation")
            if attribute(one, "encoding").lower() in _TEX
        ),
        "",
    )
    return tex.formula(written if written.strip() else _row(element), display)


def _row(element: Any) -> str:
    """Return the TeX of an element's children; brackets around all of them may grow."""
    parts = [one for one in element if local_name(one.tag)]
    if len(parts) > 2 and _is_fence(parts[0]) and _is_fence(parts[-1]):
        begin, end = _text(parts[0]), _text(parts[-1])
        if (not begin or begin in _OPENING) and (not end or end in _CLOSING):
            return tex.fenced(tex.join(map(_write, parts[1:-1])), begin, end)
    return tex.join(map(_write, parts))


def _is_fence(element: Any) -> bool:
    return local_name(element.tag) == "mo" and "true" in (
        attribute(element, "fence"),
        attribute(element, "stretchy"),
    )


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _write(element: Any) -> str:
    name = local_name(element.tag)
    if name in _SKIPPED or not name:
        return " " if name == "mspace" else ""
    return _WRITERS.get(name, _row)(element)


def _parts(element: Any) -> Sequence[Any]:
    return [one for one in element if local_name(one.tag)]


def _written(element: Any, least: int) -> list[str]:
    """Return an element's children, with "" for the missing ones."""
    written = [_write(one) for one in _parts(element)]
    return written + [""] * (least - len(written))


def _identifier(element: Any) -> str:
    text = _text(element)
    return f"\\{text}" if text in tex.FUNCTIONS else tex.name(text)


def _operator(element: Any) -> str:
    text = _text(element)
    if len(text) > 1 and text.isalpha():
        return tex.name(text)
    return tex.symbols(text, "\\&")


def _plain(element: Any) -> str:
    return tex.symbols(_text(element), "\\&")


def _words(element: Any) -> str:
    return tex.words("".join(element.itertext()))


def _fraction(element: Any) -> str:
    above, below, *_ = _written(element, 2)
    stacked = attribute(element, "linethickness").startswith("0")
    kind = "noBar" if stacked else "lin" if attribute(element, "bevelled") == "true" else ""
    return tex.fraction(above, below, kind)


def _square_root(element: Any) -> str:
    return tex.root(_row(element))


def _root(element: Any) -> str:
    content, degree, *_ = _written(element, 2)
    return tex.root(content, degree)


def _superscript(element: Any) -> str:
    of, above, *_ = _written(element, 2)
    return tex.scripts(of, "", above)


def _subscripts(element: Any) -> str:
    of, below, above, *_ = _written(element, 3)
    return tex.scripts(of, below, above)


def _under(element: Any) -> str:
    of, below, *_ = _written(element, 2)
    sign = _sign(element)
    if sign in tex.ACCENTS_BELOW:
        return tex.accent(of, sign)
    return tex.limits(of, below=below)


def _over(element: Any) -> str:
    of, above, *_ = _written(element, 2)
    sign = _sign(element)
    return tex.accent(of, sign) if sign in tex.ACCENTS else tex.limits(of, above=above)


def _under_over(element: Any) -> str:
    of, below, above, *_ = _written(element, 3)
    return tex.limits(of, below, above)


def _sign(element: Any) -> str:
    """Return the sign that is set over or under something, "" where it is none."""
    parts = _parts(element)
    sign = _text(parts[1]) if len(parts) > 1 and local_name(parts[1].tag) == "mo" else ""
    return sign if _text(parts[0]) not in tex.OPERATORS else ""


def _scripts_around(element: Any) -> str:
    """Return something with indices behind and before it, which follow in pairs."""
    parts = _parts(element)
    names = [local_name(one.tag) for one in parts]
    middle = names.index("mprescripts") if "mprescripts" in names else len(parts)
    written = [_write(one) for one in parts]
    behind, before = written[1:middle], written[middle + 1 :]
    front = "".join(tex.scripts("", *pair) for pair in _pairs(before))
    of = written[0] if written else ""
    for pair in _pairs(behind):
        of = tex.scripts(of, *pair)
    return tex.join((front, of))


def _pairs(values: Sequence[str]) -> Iterator[tuple[str, str]]:
    for place in range(0, len(values) - 1, 2):
        yield values[place], values[place + 1]


def _fenced(element: Any) -> str:
    separators = attribute(element, "separators", ",").strip()[:1]
    inside = f"{separators} ".join(_written(element, 0))
    return tex.fenced(inside, attribute(element, "open", "("), attribute(element, "close", ")"))


def _table(element: Any) -> str:
    lines = [one for one in _parts(element) if local_name(one.tag) in ("mtr", "mlabeledtr")]
    cells = [
        [_row(cell) for cell in _parts(line) if local_name(cell.tag) == "mtd"] for line in lines
    ]
    if cells and all(len(line) == 1 for line in cells):
        return tex.rows(cells, "aligned")
    return tex.rows(cells)


def _first(element: Any) -> str:
    parts = _parts(element)
    return _write(parts[0]) if parts else ""


_WRITERS: dict[str, Callable[[Any], str]] = {
    "mi": _identifier,
    "mo": _operator,
    "mn": _plain,
    "mtext": _words,
    "ms": _words,
    "mfrac": _fraction,
    "msqrt": _square_root,
    "mroot": _root,
    "msup": _superscript,
    "msub": _subscripts,
    "msubsup": _subscripts,
    "munder": _under,
    "mover": _over,
    "munderover": _under_over,
    "mmultiscripts": _scripts_around,
    "mfenced": _fenced,
    "mtable": _table,
    "semantics": _first,
    "maction": _first,
}
