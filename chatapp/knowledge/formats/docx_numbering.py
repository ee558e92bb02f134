"""Word's automatic paragraph numbers, which the text does not contain: "3.2", "（一）"."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from chatapp.knowledge.formats.packages import attribute, child, local_name

BULLET = "-"
_PLACEHOLDER = re.compile("%([1-9])")
_DIGITS, _PLACES = "〇一二三四五六七八九", ("", "十", "百", "千")
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40,
    "xl"), (10, "x"), (9, "ix"),
    (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_CHINESE = (
    "chineseCounting chineseCountingThousand taiwaneseCounting taiwaneseCountingThousand "
    "japaneseCounting ideographDigital"
)


@dataclass(frozen=True, slots=True)
class _Level:
    """A level's number format, text (%1 is the first level's number) and first number."""

    kind: str
    text: str
    start: int


class Numbering:
    """Counts the numbered paragraphs of a document in order."""

    def __init__(self, root: Any) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}  # by list
        # Lists of the same definition continue each other's count, unless one restarts.
        self._counted_as: dict[str, str] = {}
        self._counts: dict[str, dict[int, int]] = {}
        if root is None:
            return
        shapes = {
            attribute(one, "abstractNumId"): _levels(one)
            for one in root
            if local_name(one.tag) == "abstractNum"
        }
        for one in root:
            if local_name(one.tag) != "num":
                continue
            number, abstract = attribute(one, "numId"), child(one, "abstractNumId")
            shape = attribute(abstract, "val") if abstract is not None else ""
            changes = [inner for inner in one if local_name(inner.tag) == "lvlOverride"]
            restarts = any(child(change, "startOverride") is not None for change in changes)
            self._counted_as[number] = f"list {number}" if restarts else shape
            self._levels[number] = dict(shapes.get(shape, {}))
            for change in changes:
                self._levels[number] |= _levels(change)

    def next(self, list_id: str, depth: int) -> str:
        """Count a paragraph at a depth (from 0) of a list; return its number, "" if unknown."""
        levels = self._levels.get(list_id, {})
        level = levels.get(depth)
        if level is None or level.kind == "none":
            return ""
        counts = self._counts.setdefault(self._counted_as[list_id], {})
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]
        if level.kind == "bullet":
            return BULLET

        def number(found: re.Match[str]) -> str:
            place = int(found.group(1)) - 1
            shape = levels.get(place, level)
            return format_number(counts.get(place, shape.start), shape.kind)

        return _PLACEHOLDER.sub(number, level.text).strip()


def _levels(parent: Any) -> dict[int, _Level]:
    found: dict[int, _Level] = {}
    for one in parent:
        if local_name(one.tag) != "lvl" or not attribute(one, "ilvl").isdecimal():
            continue
        start = _value(one, "start", "1")
        kind = _value(one, "numFmt", "decimal")
        found[int(attribute(one, "ilvl"))] = _Level(
            kind, _value(one, "lvlText", ""), int(start) if start.isdecimal() else 1
        )
    return found


def _value(level: Any, name: str, default: str) -> str:
    element = child(level, name)
    return default if element is None else attribute(element, "val", default)


def format_number(number: int, kind: str) -> str:
    """Format a number in one of Word's number formats; unknown ones as decimal."""
    return _FORMATS.get(kind, str)(number)


def _letters(number: int) -> str:
    return chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1) if number > 0 else ""


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN if 0 < number < 4000 else ():
        text += letters * (number // value)
        number %= value
    return text or str(number)


def _chinese(number: int) -> str:
    if not 0 < number < 10_000:
        return str(number)
    text = ""
    for place, digit in zip(range(len(str(number)) - 1, -1, -1), str(number), strict=True):
        text += _DIGITS[int(digit)] + _PLACES[place] if digit != "0" else "〇"
    text = re.sub("〇+", "零", text.rstrip("〇"))
    # 11 is 十一, 111 is 一百一十一.
    return text[1:] if 10 <= number < 20 else text


def _circled(number: int) -> str:
    return chr(0x2460 + number - 1) if 0 < number <= 20 else str(number)


def _from(names: Iterable[str]) -> Callable[[int], str]:
    listed = tuple(names)
    return lambda number: listed[(number - 1) % len(listed)] if number > 0 else str(number)


_FORMATS: dict[str, Callable[[int], str]] = {
    "lowerLetter": _letters,
    "upperLetter": lambda number: _letters(number).upper(),
    "lowerRoman": _roman,
    "upperRoman": lambda number: _roman(number).upper(),
    "decimalZero": lambda number: f"{number:02}",
    "decimalEnclosedCircle": _circled,
    "decimalEnclosedCircleChinese": _circled,
    "ideographTraditional": _from("甲乙丙丁戊己庚辛壬癸"),
    "ideographZodiac": _from("子丑寅卯辰巳午未申酉戌亥"),
    **dict.fromkeys(_CHINESE.split(), _chinese),
}
