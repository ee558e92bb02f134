"""The events of a whole body, line by line: for the plain reading."""

import json
import re
import string
from dataclasses import dataclass

from chatapp.chains import stream_errors


@dataclass
class Event:
    """One event: its name, its data as text, and whether it stands in no field."""

    name: str
    data: str | None
    bare: bool = False


def plain_events(body: bytes) -> tuple[list[Event], Event | None]:
    """Return the events of a body, and what at its end is broken JSON."""
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    events: list[Event] = []
    name = ""
    data: list[str] = []
    loose: list[str] = []
    last = len(lines) - 1

    def end_data() -> None:
        nonlocal name, data
        joined = "\n".join(data)
        parts = data if len(data) > 1 and _is_broken(joined) else [joined]
        events.extend(Event(name, part) for part in parts)
        name, data = "", []

    for number, raw in enumerate(lines):
        line = raw.strip().removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
        field, colon, value = line.partition(":")
        is_field = (
            bool(colon)
            and field[:1].isalpha()
            and field.isascii()
            and all(letter.isalnum() or letter in "_.-" for letter in field)
        )
        field = field.lower() if is_field else ""
        value = value.strip(" \t\n\r\f\v") if is_field else line
        if not line:
            if number == last and not raw:
                continue
            if data:
                end_data()
            if name:
                events.append(Event(name, None))
            name = ""
        elif line.startswith(":"):
            continue
        elif field == "data":
            if loose:
                events.append(Event("", "\n".join(loose), True))
                loose = []
            while value.startswith("data:"):
                value = value[5:].lstrip(" \t\n\r\f\v")
            if value.startswith(":"):
                continue
            if is_done(value):
                if data:
                    end_data()
                events.append(Event("", value))
            elif opens(value) and not (data and opens(data[0])):
                if data:
                    end_data()
                if _is_broken(value):
                    data.append(value)
                else:
                    events.append(Event(name, value))
                    name = ""
            elif value:
                data.append(value)
        elif field == "event":
            name = value
        elif is_done(line):
            events.append(Event("", line))
        elif loose or opens(line):
            if loose or _is_broken(line):
                loose.append(line)
            else:
                events.append(Event("", line, True))
        elif not field or stream_errors.names_error(field):
            events.append(Event(field, value, not field))
    for joined, bare in (("\n".join(data), False), ("\n".join(loose), True)):
        if joined and _is_broken(joined):
            return events, Event(name, joined, bare)
        if joined:
            events.append(Event(name, joined, bare))
            name = ""
    if name:
        events.append(Event(name, None))
    return events, None


def opens(data: str) -> bool:
    """Return whether data begins like JSON."""
    return re.match(r"""[{\[]\s*(?:["'{\[}\]]|$)""", data, re.ASCII) is not None


def is_done(data: str) -> bool:
    """Return whether data is [DONE]."""
    return data.lower() in ("[done]", "done", '"[done]"')


def _is_broken(data: str) -> bool:
    try:
        json.loads(data, strict=False)
    except (ValueError, RecursionError):
        return opens(data)
    return False


def is_half(data: str) -> bool:
    """Return whether broken JSON is the beginning of one: some characters would complete it."""
    try:
        json.loads(data, strict=False)
    except json.JSONDecodeError as error:
        rest = data[error.pos :]
        if "Unterminated" in error.msg or not rest.strip():
            return True
        if "escape" in error.msg:
            return rest[0] == "u" and len(rest) <= 5 and set(rest[1:]) <= set(string.hexdigits)
        if "Expecting value" in error.msg:
            return any(word.startswith(rest) for word in ("tru", "fals", "nul", "-"))
        return rest in (".", "e", "E", "e+", "e-", "E+", "E-")
    except (ValueError, RecursionError):
        return False
    return False
