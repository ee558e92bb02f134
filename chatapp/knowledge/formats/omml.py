"""Office's formulas (OMML, ECMA-376 part 1, 22.1) as TeX."""

from collections.abc import Callable, Iterator
from typing import Any

from chatapp.knowledge.formats import tex
from chatapp.knowledge.formats.packages import attribute, child, local_name

FORMULAS = frozenset(("oMath", "oMathPara"))
_SKIPPED = frozenset(("del", "moveFrom", "delText", "instrText"))
_OFF = ("0", "false", "off")
_SCRIPTS = {"double-struck": "mathbb", "script": "mathcal", "fraktur": "mathfrak"}


def formula_text(element: Any) -> str:
    """Return an oMath as `$…$`, and the formulas of an oMathPara each as `$$…$$`."""
    if local_name(element.tag) == "oMathPara":
        inner = (one for one in element if local_name(one.tag) == "oMath")
        return "\n".join(filter(None, (tex.formula(_content(one), True) for one in inner)))
    return tex.formula(_content(element), False)


def _content(element: Any, separator: str = "") -> str:
    """Return the TeX of an element's children; None has none."""
    return tex.join(_pieces(element, separator)) if element is not None else ""


def _pieces(element: Any, separator: str) -> Iterator[str]:
    for one in element:
        name = local_name(one.tag)
        if name in _SKIPPED or name.endswith("Pr"):
            continue
        if name == "r":
            yield _run(one, separator)
        elif name in _WRITERS:
            yield _WRITERS[name](one)
        else:
            yield _content(one, separator)


def _part(element: Any, name: str) -> str:
    return _content(child(element, name))


def _property(element: Any, name: str, default: str = "", absent: str | None = None) -> str:
    """Return a property: `default` where it has no value, `absent` where it is not set."""
    own = local_name(element.tag) + "Pr"
    found = child(element, own, name)
    if found is None:
        return default if absent is None else absent
    return attribute(found, "val", default)


def _is_on(element: Any, name: str) -> bool:
    return _property(element, name, "1", "0").lower() not in _OFF


def _run(run: Any, separator: str) -> str:
    text = "".join(one.text or "" for one in run if local_name(one.tag) == "t")
    if any(local_name(one.tag) == "br" for one in run):
        text += " "
    if _is_on(run, "nor"):
        return tex.words(text)
    script = _SCRIPTS.get(_property(run, "scr"), "")
    if script and text.isalnum():
        return f"\\{script}{{{text}}}"
    if _property(run, "sty") in ("p", "b") and text.isalpha():
        return tex.name(text)
    return tex.symbols(text, separator)


def _fraction(element: Any) -> str:
    return tex.fraction(_part(element, "num"), _part(element, "den"), _property(element, "type"))


def _root(element: Any) -> str:
    degree = "" if _is_on(element, "degHide") else _part(element, "deg")
    return tex.root(_part(element, "e"), degree)


def _scripts(element: Any) -> str:
    return tex.scripts(_part(element, "e"), _part(element, "sub"), _part(element, "sup"))


def _scripts_before(element: Any) -> str:
    before = tex.scripts("", _part(element, "sub"), _part(element, "sup"))
    return tex.join((before, _part(element, "e")))


def _operator(element: Any) -> str:
    sign = tex.symbols(_property(element, "chr", "∫"))
    below = "" if _is_on(element, "subHide") else _part(element, "sub")
    above = "" if _is_on(element, "supHide") else _part(element, "sup")
    return tex.join((tex.scripts(sign, below, above), " ", _part(element, "e").strip()))


def _function(element: Any) -> str:
    return tex.join((_part(element, "fName").strip(), " ", _part(element, "e").strip()))


def _limit_below(element: Any) -> str:
    return tex.limits(_part(element, "e"), below=_part(element, "lim"))


def _limit_above(element: Any) -> str:
    return tex.limits(_part(element, "e"), above=_part(element, "lim"))


def _accent(element: Any) -> str:
    return tex.accent(_part(element, "e"), _property(element, "chr", "\u0302"))


def _bar(element: Any) -> str:
    over = _property(element, "pos", "bot") == "top"
    return tex.accent(_part(element, "e"), "‾" if over else "_")


def _group_sign(element: Any) -> str:
    sign = _property(element, "chr", "⏟")
    if sign in tex.ACCENTS_BELOW or sign == "⏞":
        return tex.accent(_part(element, "e"), sign)
    over = _property(element, "pos", "bot") == "top"
    sign = tex.symbols(sign)
    return tex.limits(_part(element, "e"), "" if over else sign, sign if over else "")


def _fenced(element: Any) -> str:
    inner = [_content(one) for one in element if local_name(one.tag) == "e"]
    begin, end = _property(element, "begChr", "", "("), _property(element, "endChr", "", ")")
    joint = tex.symbols(_property(element, "sepChr", "", "|"))
    return tex.fenced(joint.join(inner), begin, end)


def _matrix(element: Any) -> str:
    lines = (one for one in element if local_name(one.tag) == "mr")
    return tex.rows([[_content(cell) for cell in line] for line in lines])


def _equations(element: Any) -> str:
    """Return lines of an equation, aligned at "&"; "#" precedes the number of a single one."""
    lines = [one for one in element if local_name(one.tag) == "e"]
    if len(lines) == 1:
        return _content(lines[0]).replace("\\#", "\\quad ")
    return tex.rows([[_content(line, "&")] for line in lines], "aligned")


def _boxed(element: Any) -> str:
    return f"\\boxed{{{_part(element, 'e').strip()}}}"


def _phantom(element: Any) -> str:
    is_shown = _property(element, "show", "1", "1").lower() not in _OFF
    return _part(element, "e") if is_shown else ""


_WRITERS: dict[str, Callable[[Any], str]] = {
    "f": _fraction,
    "rad": _root,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": _scripts_before,
    "nary": _operator,
    "func": _function,
    "limLow": _limit_below,
    "limUpp": _limit_above,
    "acc": _accent,
    "bar": _bar,
    "groupChr": _group_sign,
    "d": _fenced,
    "m": _matrix,
    "eqArr": _equations,
    "borderBox": _boxed,
    "phant": _phantom,
}
