"""Numbers of an old Excel workbook (BIFF) as its cells display them.

calamine, which reads everything else, returns numbers without their formats: 0.0617 for 6.2 %.
Records are those of [MS-XLS] 2.4.
"""

import struct
from collections.abc import Iterator

from chatapp.knowledge.formats.cell_formats import BUILT_IN, GENERAL, Formatter, formatter, general
from chatapp.knowledge.formats.document import Unreadable

# Record types.
BOUND_SHEET, DATE_MODE, FORMAT, XF = 0x85, 0x22, 0x41E, 0xE0
NUMBER, RK, MUL_RK, FORMULA, END, BEGIN, ENCRYPTED = 0x203, 0x27E, 0xBD, 0x06, 0x0A, 0x809, 0x2F
BIFF8 = 0x600
HUNDREDTH, INTEGER = 1, 2  # flags of an RK number

Numbers = dict[tuple[int, int], str]  # row and column from 0 → text


class Sheets:
    """The numbers of a workbook's sheets."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self._starts: list[int] = []
        self._codes: dict[int, str] = {}
        self._styles: list[int] = []
        self._from_1904 = False
        self._formatters: dict[int, Formatter] = {}
        self._is_biff8 = True
        for kind, data in _records(stream, 0):
            self._note(kind, data)

    def numbers(self, sheet: int) -> Numbers:
        """Return a sheet's numbers, given its place in the workbook."""
        found: Numbers = {}
        if sheet < len(self._starts):
            for kind, data in _records(self._stream, self._starts[sheet]):
                for row, column, style, value in _cells(kind, data):
                    found[row, column] = self._shown(style, value)
        return found

    def _note(self, kind: int, data: bytes) -> None:
        if kind == ENCRYPTED:
            raise Unreadable("encrypted")
        if kind == BEGIN and len(data) >= 2:
            self._is_biff8 = data[:2] == struct.pack("<H", BIFF8)
        elif kind == BOUND_SHEET and len(data) >= 4:
            self._starts.append(struct.unpack_from("<I", data)[0])
        elif kind == DATE_MODE:
            self._from_1904 = data[:1] == b"\1"
        elif kind == FORMAT and len(data) > 5:
            wide = self._is_biff8 and data[4] & 1
            code = data[5:].decode("utf-16-le", "ignore") if wide else ""
            code = code or data[5 if self._is_biff8 else 3 :].decode("latin-1")
            self._codes[struct.unpack_from("<H", data)[0]] = code
        elif kind == XF and len(data) >= 4:
            self._styles.append(struct.unpack_from("<H", data, 2)[0])

    def _shown(self, style: int, value: float) -> str:
        try:
            if style not in self._formatters:
                number = self._styles[style]
                code = self._codes.get(number) or BUILT_IN.get(number, GENERAL)
                made = general if code == GENERAL else formatter(code, self._from_1904)
                self._formatters[style] = made
            return self._formatters[style](value)
        except (ValueError, IndexError, OverflowError):
            return general(value) if value == value and abs(value) != float("inf") else ""


def _records(stream: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """Yield the records of a substream; charts within a sheet have their own begin and end."""
    depth = 0
    while place + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, place)
        place += 4
        depth += (kind == BEGIN) - (kind == END)
        yield kind, stream[place : place + length]
        place += length
        if depth <= 0:
            return


def _cells(kind: int, data: bytes) -> Iterator[tuple[int, int, int, float]]:
    """Yield row, column, style and value of each number in a record."""
    if kind == NUMBER and len(data) >= 14:
        row, column, style, value = struct.unpack_from("<HHHd", data)
        yield row, column, style, value
    elif kind == RK and len(data) >= 10:
        row, column, style, packed = struct.unpack_from("<HHHI", data)
        yield row, column, style, _unpacked(packed)
    elif kind == MUL_RK and len(data) >= 6:
        row, first = struct.unpack_from("<HH", data)
        for place in range((len(data) - 6) // 6):
            style, packed = struct.unpack_from("<HI", data, 4 + 6 * place)
            yield row, first + place, style, _unpacked(packed)
    # A formula's result is a number unless its last two bytes are set.
    elif kind == FORMULA and len(data) >= 14 and data[12:14] != b"\xff\xff":
        row, column, style, value = struct.unpack_from("<HHHd", data)
        yield row, column, style, value


def _unpacked(packed: int) -> float:
    """Return the value of an RK number ([MS-XLS] 2.5.217)."""
    if packed & INTEGER:
        value = float(packed >> 2) - (float(1 << 30) if packed & 0x80000000 else 0.0)
    else:
        value = struct.unpack("<d", struct.pack("<II", 0, packed & ~3))[0]
    return value / 100 if packed & HUNDREDTH else value
