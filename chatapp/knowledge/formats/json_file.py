"""JSON, JSON Lines and notebooks as text: keys become labels or headings, records become rows.

`{"office": {"town": "Bonn", "rooms": [{"no": 1, "seats": 4}]}}` becomes "office.town: Bonn" and
"no: 1 · seats: 4".
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from chatapp.knowledge.formats import markdown
from chatapp.knowledge.formats.document import Builder, Document, Skips
from chatapp.knowledge.formats.tables import Row, paragraphs, row_text

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

SMALL_VALUE = 500  # characters below a key, up to which it gets no heading
MAX_DEPTH = 12  # heading levels; deeper values are written as JSON
NAME_KEYS = ("name", "title", "id", "key", "label", "question")  # keys whose value names a record
SAMPLE_LINES = 3  # lines that must be JSON for JSON Lines


def read(text: str) -> Document | None:
    """Read JSON or JSON Lines; return None for anything else."""
    loaded = _load(text)
    if isinstance(loaded, dict) and isinstance(loaded.get("cells"), list) and "nbformat" in loaded:
        skips = Skips()
        document = markdown.read("\n\n".join(_cells(loaded, skips)))
        return replace(document, skipped=skips.count)
    builder = Builder()
    if isinstance(loaded, dict | list) and loaded:
        try:
            _write(builder, loaded, "", 1)
        except RecursionError:
            return None
        return builder.finish("application/json")
    lines = [line for line in text.split("\n") if line.strip()] if loaded is None else []
    if len(lines) < 2 or not all(
        isinstance(_load(line), dict | list) for line in lines[:SAMPLE_LINES]
    ):
        return None
    for line in lines:
        row = _load(line)
        _write_record(builder, line if row is None else row, "", 1)
    return builder.finish("application/jsonl")


def _load(text: str) -> Json:
    try:
        loaded: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return loaded


def _write(builder: Builder, value: Json, path: str, level: int) -> None:
    """Write the value at a path: small values as labelled lines, large ones under their key."""
    if level > MAX_DEPTH:
        builder.add(json.dumps(value, ensure_ascii=False))
        return
    if isinstance(value, list):
        _write_list(builder, value, path, level)
        return
    if not isinstance(value, dict):
        _write_lines(builder, [*_fields(value, path)])
        return
    lines: list[str] = []
    for key, inner in value.items():
        if _is_small(inner):
            lines += _fields(inner, _join(path, key))
            continue
        _write_lines(builder, lines)
        lines = []
        builder.section(level, key)
        _write(builder, inner, "", level + 1)
    _write_lines(builder, lines)


def _write_list(builder: Builder, values: list[Json], path: str, level: int) -> None:
    if all(not isinstance(value, dict | list) for value in values):
        label = f"{path}: " if path else ""
        for value in values:
            if written := _scalar(value):
                builder.add(f"- {label}{written}", "\n")
        return
    if all(isinstance(value, list) and _is_row(value) for value in values):
        for paragraph in paragraphs(_row(value) for value in values if value):
            builder.add(paragraph)
        return
    for value in values:
        _write_record(builder, value, path, level)


def _row(value: Json) -> Row:
    cells = value if isinstance(value, list) else []
    return {column: text for column, cell in enumerate(cells) if (text := _scalar(cell))}


def _write_record(builder: Builder, value: Json, path: str, level: int) -> None:
    """Write one of many records: as one line where it is small, else under its name."""
    if isinstance(value, dict) and _is_small(value):
        builder.add(row_text(_fields(value, path)))
        return
    if isinstance(value, dict):
        builder.section(
            level, next((_scalar(value[key]) for key in NAME_KEYS if _scalar(value.get(key))), "")
        )
    _write(builder, value, path, level + 1)


def _write_lines(builder: Builder, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        builder.add(line, "\n" if number else "\n\n")


def _fields(value: Json, path: str) -> Iterator[str]:
    """Yield a line for each scalar below a path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, _join(path, key))
    elif isinstance(value, list) and _is_row(value):
        if joined := ", ".join(filter(None, map(_scalar, value))):
            yield f"{path}: {joined}" if path else joined
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _fields(inner, f"{path}[{number}]")
    elif written := _scalar(value):
        yield f"{path}: {written}" if path else written


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _scalar(value: Json) -> str:
    """Return a scalar as text; "" for null, a list or an object."""
    if isinstance(value, str):
        return value.strip()
    return "" if value is None or isinstance(value, dict | list) else json.dumps(value)


def _is_row(value: list[Json]) -> bool:
    return not any(isinstance(cell, dict | list) for cell in value)


def _is_small(value: Json) -> bool:
    return _size(value, SMALL_VALUE) <= SMALL_VALUE


def _size(value: Json, most: int) -> int:
    """Count the characters below a value, up to `most`."""
    size = 0
    waiting: list[Json] = [value]
    while waiting and size <= most:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
            size += sum(map(len, one)) if len(one) <= most else most + 1
        elif isinstance(one, list):
            waiting += one[: most + 1]
        else:
            size += len(one) if isinstance(one, str) else 4
        size += 2
    return size


# --- notebooks


def _cells(notebook: Mapping[str, Json], skips: Skips) -> Iterator[str]:
    """Yield a Jupyter notebook's cells as Markdown: code and its output in fences."""
    cells = notebook["cells"]
    for cell in cells if isinstance(cells, list) else []:
        if not isinstance(cell, dict):
            skips.add("a cell that is none")
            continue
        source = _lines(cell.get("source"))
        if cell.get("cell_type") == "markdown":
            yield source
        elif source.strip():
            yield f"```\n{source}\n```"
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else []:
            if printed := _printed(output):
                yield f"```\n{printed}\n```"


def _printed(output: Json) -> str:
    """Return a cell output's text."""
    if not isinstance(output, dict):
        return ""
    data = output.get("data")
    return _lines(data.get("text/plain") if isinstance(data, dict) else output.get("text")).strip()


def _lines(value: Json) -> str:
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return str(value or "")
