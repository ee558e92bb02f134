"""What is drawn on a PDF's page besides text: pictures, outlines and rules."""

import ctypes
import struct
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium

from chatapp.knowledge.formats.pdf_glyphs import unchecked
from chatapp.knowledge.formats.pdf_placed import Box

MAX_OBJECTS = 5000  # of a page, looked at for rules and pictures
MAX_DEPTH = 4  # of forms within forms, looked at for pictures
MAX_RULE_POINTS = 3.0  # thickness of a rule
MIN_WORDS = 12  # letters and digits, below which a picture on the page is its text
PICTURE_SHARE = 0.5  # of the page, which a picture of its text covers
MIN_PATHS = 40  # drawn outlines that may be letters, on a page without text

_POINTER = ctypes.c_void_p
_count = unchecked(pdfium.FPDFPage_CountObjects, _POINTER)
_object = unchecked(pdfium.FPDFPage_GetObject, _POINTER, result=_POINTER)
_count_in_form = unchecked(pdfium.FPDFFormObj_CountObjects, _POINTER)
_object_in_form = unchecked(pdfium.FPDFFormObj_GetObject, _POINTER, result=_POINTER)
_kind = unchecked(pdfium.FPDFPageObj_GetType, _POINTER)
_bounds = unchecked(pdfium.FPDFPageObj_GetBounds, _POINTER)
_sides = struct.Struct("4f").unpack


class Drawn:
    """The objects drawn on a page."""

    def __init__(self, page: pypdfium2.PdfPage) -> None:
        self._page = ctypes.cast(page.raw, _POINTER).value
        self._sides = bytearray(16)
        sides = (ctypes.c_float * 4).from_buffer(self._sides)
        self._references = [ctypes.byref(sides, 4 * number) for number in range(4)]

    def is_picture(self, visible: Box, words: int) -> bool:
        """Return whether what a page says is in a picture: it covers most of it, or is all it
        has."""
        area = (visible.right - visible.left) * (visible.top - visible.bottom)
        paths = 0
        for number, (kind, drawn) in enumerate(self._objects()):
            if number >= MAX_OBJECTS:
                break
            if kind == pdfium.FPDF_PAGEOBJ_IMAGE and _bounds(drawn, *self._references):
                left, bottom, right, top = _sides(self._sides)
                if words < MIN_WORDS or (right - left) * (top - bottom) > PICTURE_SHARE * area:
                    return True
            paths += kind == pdfium.FPDF_PAGEOBJ_PATH
        return words == 0 and paths >= MIN_PATHS

    def rules(self) -> list[Box]:
        """Return the level rules of an upright page, and the edges of filled cells."""
        page, references, found = self._page, self._references, self._sides
        path = pdfium.FPDF_PAGEOBJ_PATH
        rules: list[Box] = []
        for number in range(min(MAX_OBJECTS, _count(page))):
            drawn = _object(page, number)
            if _kind(drawn) != path or not _bounds(drawn, *references):
                continue
            left, bottom, right, top = _sides(found)
            if right - left < 4 * MAX_RULE_POINTS:
                continue
            if top - bottom <= MAX_RULE_POINTS:
                rules.append(Box(left, bottom, right, top))
            else:
                rules += [Box(left, bottom, right, bottom), Box(left, top, right, top)]
        return rules

    def _objects(self, form: int = 0, depth: int = 1) -> Iterator[tuple[int, int]]:
        """Yield each object's kind and address, also those in forms."""
        count, get = (_count_in_form, _object_in_form) if form else (_count, _object)
        parent = form or self._page
        for number in range(count(parent)):
            drawn = get(parent, number)
            kind = _kind(drawn)
            yield kind, drawn
            if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < MAX_DEPTH:
                yield from self._objects(drawn, depth + 1)
