"""Compound files for the tests (Microsoft's OLE envelope), and old Excel workbooks in them."""

import struct
from collections.abc import Iterator, Mapping, Sequence

SECTOR, MINI, CUTOFF = 512, 64, 4096
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STORAGE, STREAM, ROOT = 1, 2, 5

Tree = Mapping[str, "bytes | Tree"]  # type: ignore[misc]


def compound(tree: Tree) -> bytes:
    """Return a compound file of streams and storages."""
    entries: list[list[object]] = [["Root Entry", ROOT, FREE, b""]]  # name, kind, child, content
    links: dict[int, int] = {}  # entry → its sibling

    def add(inner: Tree, parent: int) -> None:
        before = 0
        for name, content in inner.items():
            place = len(entries)
            kind = STREAM if isinstance(content, bytes) else STORAGE
            entries.append([name, kind, FREE, content if isinstance(content, bytes) else b""])
            if before:
                links[before] = place
            else:
                entries[parent][2] = place
            before = place
            if not isinstance(content, bytes):
                add(content, place)

    add(tree, 0)
    return _laid_out(entries, links)


def _laid_out(entries: list[list[object]], links: Mapping[int, int]) -> bytes:
    sectors: list[bytes] = []
    fat: list[int] = []

    def put(content: bytes) -> int:
        if not content:
            return END
        first = len(sectors)
        pieces = list(_pieces(content, SECTOR))
        sectors.extend(pieces)
        fat.extend([*range(first + 1, first + len(pieces)), END])
        return first

    mini, mini_fat, starts = b"", [], []
    for _, kind, _, content in entries:
        assert isinstance(content, bytes)
        if kind != STREAM or not content:
            starts.append(END)
        elif len(content) >= CUTOFF:
            starts.append(put(content))
        else:
            first, count = len(mini) // MINI, -(-len(content) // MINI)
            mini += content.ljust(count * MINI, b"\0")
            mini_fat += [*range(first + 1, first + count), END]
            starts.append(first)
    starts[0] = put(mini)
    directory = b"".join(
        _entry(entry, links.get(place, FREE), starts[place], len(mini) if not place else None)
        for place, entry in enumerate(entries)
    )
    directory_at = put(directory)
    mini_at = put(struct.pack(f"<{len(mini_fat)}I", *mini_fat)) if mini_fat else END
    count = 1
    while count * 128 < len(fat) + count:
        count += 1
    places = range(len(sectors), len(sectors) + count)
    table = [*fat, *[FAT] * count]
    table += [FREE] * (count * 128 - len(table))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    head += struct.pack("<HHHHH6xIIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, count, directory_at, 0,
                        CUTOFF, mini_at, -(-len(mini_fat) // 128), END, 0, places[0])  # fmt: skip
    head += struct.pack("<108I", *places[1:], *[FREE] * (109 - count))
    return head + b"".join(sectors) + struct.pack(f"<{len(table)}I", *table)


def _pieces(content: bytes, size: int) -> Iterator[bytes]:
    for place in range(0, len(content), size):
        yield content[place : place + size].ljust(size, b"\0")


def _entry(entry: Sequence[object], sibling: int, start: int, size: int | None) -> bytes:
    name, kind, child, content = entry
    assert isinstance(name, str) and isinstance(content, bytes)
    raw = name.encode("utf-16-le") + b"\0\0"
    return (
        raw.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(raw), kind, 1, FREE, sibling, child)
        + b"\0" * 36
        + struct.pack("<IQ", start, len(content) if size is None else size)
    )


# --- old Excel workbooks ([MS-XLS])

Cell = str | float | tuple[float, str]  # a number may have a format


def workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]], hidden: Sequence[str] = ()) -> bytes:
    """Return an XLS of sheets of rows of cells."""
    codes = sorted({cell[1] for rows in sheets.values() for row in rows for cell in row
                    if isinstance(cell, tuple)})  # fmt: skip
    begin = _record(0x809, struct.pack("<HHHHII", 0x600, 5, 0x0DBB, 1996, 0, 6))
    formats = b"".join(
        _record(0x41E, struct.pack("<H", 164 + place) + _string(code, "<H"))
        for place, code in enumerate(codes)
    )
    styles = b"".join(
        _record(0xE0, struct.pack("<HH16x", 0, number))
        for number in (0, *(164 + place for place in range(len(codes))))
    )
    bodies = [_sheet(rows, codes) for rows in sheets.values()]
    names = [_string(name, "<B") for name in sheets]
    place = len(begin + formats + styles) + sum(len(name) + 10 for name in names) + 4
    bounds = b""
    for name, title, body in zip(names, sheets, bodies, strict=True):
        bounds += _record(0x85, struct.pack("<IBB", place, title in hidden, 0) + name)
        place += len(body)
    stream = begin + formats + styles + bounds + _record(0x0A, b"") + b"".join(bodies)
    return compound({"Workbook": stream.ljust(CUTOFF, b"\0")})


def _sheet(rows: Sequence[Sequence[Cell]], codes: Sequence[str]) -> bytes:
    made = _record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0x0DBB, 1996, 0, 6))
    width = max(map(len, rows), default=0)
    made += _record(0x200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0))
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            value, code = cell if isinstance(cell, tuple) else (cell, "")
            style = 1 + codes.index(code) if code else 0
            head = struct.pack("<HHH", row, column, style)
            if isinstance(value, str):
                made += _record(0x204, head + _string(value, "<H")) if value else b""
            else:
                made += _record(0x203, head + struct.pack("<d", value))
    return made + _record(0x0A, b"")


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _string(text: str, length: str) -> bytes:
    return struct.pack(length, len(text)) + b"\1" + text.encode("utf-16-le")
