"""The letters of a PDF's page: their text, and their places and weights one by one.

Asking pdfium for each letter costs more than the text, so callers ask for few.
"""

import ctypes
import re
import struct
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

BOLD = 600  # font weight; 400 is regular
NAME_BYTES = 128  # of a font's name

_BOLD = re.compile(rb"bold|black|heavy|demi|cmbx|simhei", re.IGNORECASE)
_SPLIT_IN_TWO = re.compile("[\U00010000-\U0010ffff]")


def unchecked(function: Any, *pointers: Any, result: Any = ctypes.c_int) -> Callable[..., int]:
    """Return a function of pdfium that takes integers and results of `ctypes.byref` as they are.

    ctypes converts and checks the arguments of the declared one, for more than the call costs.
    Addresses, where they are the first arguments, have their types in `pointers`.
    """
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address
    return ctypes.PYFUNCTYPE(result, *pointers)(address)


_count_chars = unchecked(pdfium.FPDFText_CountChars)
_get_text = unchecked(pdfium.FPDFText_GetText)
_text_index = unchecked(pdfium.FPDFText_GetTextIndexFromCharIndex)
_char_index = unchecked(pdfium.FPDFText_GetCharIndexFromTextIndex)
_loose_box = unchecked(pdfium.FPDFText_GetLooseCharBox)
_font_info = unchecked(pdfium.FPDFText_GetFontInfo)
_font_weight = unchecked(pdfium.FPDFText_GetFontWeight)
_sides = struct.Struct("4f").unpack_from  # of an FS_RECTF: left, top, right, bottom


class Gap(NamedTuple):
    """A gap between two words: the place of the second, and where the gap begins and ends along
    the line, as the page was written; `forward` where the second word stands behind the first."""

    place: int
    width: float
    begin: float
    end: float
    forward: bool


class Glyphs:
    """The letters of a page: boxes by their place in the text."""

    def __init__(self, content: pypdfium2.PdfTextPage) -> None:
        self._content = content
        self._raw = ctypes.byref(content.raw.contents)
        count = _count_chars(self._raw)
        self.text = self._read_text(count)
        self._shifted = len(self.text) != count
        self._split = (
            [found.start() for found in _SPLIT_IN_TWO.finditer(self.text)] if self._shifted else []
        )
        self._rectangle = pdfium.FS_RECTF()
        self._reference = ctypes.byref(self._rectangle)
        self._name = ctypes.create_string_buffer(NAME_BYTES)
        self._name_reference = ctypes.byref(self._name)
        self._name_bytes = ctypes.c_ulong(NAME_BYTES)  # an integer would be passed as an int
        self._flags = ctypes.byref(ctypes.c_int())

    def box(self, place: int) -> tuple[float, float, float, float]:
        """Return a letter's left, bottom, right and top on the page as it was written."""
        index = self._index(place) if self._shifted else place
        if not _loose_box(self._raw, index, self._reference):
            return 0.0, 0.0, 0.0, 0.0
        left, top, right, bottom = _sides(self._rectangle)
        return left, bottom, right, top

    def gaps(self, text: str, start: int, upright: bool, narrow: float) -> list[Gap]:
        """Return the gaps between the words of a line at `start` that are wider than `narrow`."""
        raw, reference, rectangle = self._raw, self._reference, self._rectangle
        low, high = (0, 2) if upright else (3, 1)
        found: list[Gap] = []
        space = text.find(" ")
        while space > 0:
            after = space + 1
            while text[after] == " ":
                after += 1
            one, two = start + space - 1, start + after
            if self._shifted:
                one, two = self._index(one), self._index(two)
            _loose_box(raw, one, reference)
            before = _sides(rectangle)
            _loose_box(raw, two, reference)
            behind = _sides(rectangle)
            begin, end = before[high], behind[low]
            forward = end >= before[low]
            width = end - begin if forward else before[low] - behind[high]
            if width > narrow:
                found.append(Gap(after, width, begin, end, end > before[low]))
            space = text.find(" ", after)
        return found

    def is_bold(self, place: int) -> bool:
        """Return whether a letter is bold: by its font's name or weight."""
        index = self._index(place) if self._shifted else place
        _font_info(self._raw, index, self._name_reference, self._name_bytes, self._flags)
        return _is_bold_name(self._name.value) or _font_weight(self._raw, index) >= BOLD

    def _read_text(self, count: int) -> str:
        """Return the text of all characters; pdfium wants to begin and end with one it shows."""
        first, last = 0, count - 1
        while first <= last and _text_index(self._raw, first) < 0:
            first += 1
        while first < last and _text_index(self._raw, last) < 0:
            last -= 1
        if first > last:
            return ""
        # A buffer of bytes: ctypes makes a class for every length of an array.
        units = bytearray(2 * (_text_index(self._raw, last) - _text_index(self._raw, first) + 2))
        start = ctypes.byref(ctypes.c_char.from_buffer(units))
        written = _get_text(self._raw, first, last + 1 - first, start)
        return units[: 2 * (written - 1)].decode("utf-16-le", "ignore")

    def _index(self, place: int) -> int:
        """Return pdfium's index of a character: it leaves some out and splits others in two."""
        split = bisect_left(self._split, place) if self._split else 0
        return _char_index(self._raw, place + split)


@lru_cache(256)
def _is_bold_name(name: bytes) -> bool:
    return bool(_BOLD.search(name))
