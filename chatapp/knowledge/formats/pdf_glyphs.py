"""The letters of a PDF's page: their text, and their places and weights one by one.

Asking pdfium for each letter costs more than the text, so callers ask for few.
"""

import ctypes
import re

import pypdfium2
import pypdfium2.raw as pdfium

BOLD = 600  # font weight; 400 is regular
NAME_BYTES = 128  # of a font's name

_BOLD = re.compile(rb"bold|black|heavy|demi|cmbx|simhei", re.IGNORECASE)


class Glyphs:
    """The letters of a page: boxes by their place in the text."""

    def __init__(self, content: pypdfium2.PdfTextPage) -> None:
        self.text = content.get_text_range()
        self._content = content
        self._raw = content.raw
        self._rectangle = pdfium.FS_RECTF()
        self._reference = ctypes.byref(self._rectangle)
        self._name = ctypes.create_string_buffer(NAME_BYTES)
        self._flags = ctypes.c_int()
        self._plain = not self.text or max(self.text) <= "\uffff"
        self._shifted = len(self.text) != content.count_chars()

    def box(self, place: int) -> tuple[float, float, float, float]:
        """Return a letter's left, bottom, right and top on the page as it was written."""
        index = self._index(place) if self._shifted else place
        found = self._rectangle
        if not pdfium.FPDFText_GetLooseCharBox(self._raw, index, self._reference):
            return 0.0, 0.0, 0.0, 0.0
        return found.left, found.bottom, found.right, found.top

    def spans(self, before: int, after: int, upright: bool) -> tuple[float, float, float, float]:
        """Return where two letters of a line begin and end along it, as the page was written."""
        if self._shifted:
            before, after = self._index(before), self._index(after)
        found = self._rectangle
        pdfium.FPDFText_GetLooseCharBox(self._raw, before, self._reference)
        one, two = (found.left, found.right) if upright else (found.bottom, found.top)
        pdfium.FPDFText_GetLooseCharBox(self._raw, after, self._reference)
        if upright:
            return one, two, found.left, found.right
        return one, two, found.bottom, found.top

    def is_bold(self, place: int) -> bool:
        """Return whether a letter is bold: by its font's name or weight."""
        index = self._index(place) if self._shifted else place
        pdfium.FPDFText_GetFontInfo(self._raw, index, self._name, NAME_BYTES, self._flags)
        return (
            bool(_BOLD.search(self._name.value))
            or pdfium.FPDFText_GetFontWeight(self._raw, index) >= BOLD
        )

    def _index(self, place: int) -> int:
        """Return pdfium's index of a character: it leaves some out and splits others in two."""
        unit = place if self._plain else len(self.text[:place].encode("utf-16-le")) // 2
        return int(pdfium.FPDFText_GetCharIndexFromTextIndex(self._raw, unit))
