"""Calendars (ICS, RFC 5545) and contacts (VCF, RFC 6350 and the older vCard 2.1): each event, task
or person is a section with labelled lines."""

import quopri
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chatapp.knowledge.formats.document import Builder, Document, Unreadable
from chatapp.knowledge.formats.mail_head import text_of

CALENDAR, CONTACTS = "text/calendar", "text/vcard"
MAX_DEPTH = 10
_BEGIN = re.compile(r"\s*BEGIN:(VCALENDAR|VCARD)\s*[\r\n]", re.IGNORECASE)
_FOLD, _SOFT_END = re.compile(r"\r?\n[ \t]"), re.compile(r"=\r?\n")
_QUOTED_PRINTABLE = re.compile(
    r"^([^:\n]*ENCODING=QUOTED-PRINTABLE[^:\n]*:(?:[^\n]*=\r?\n)*[^\n]*)", re.MULTILINE | re.I
)
_LINE = re.compile(r'((?:[\w-]+\.)?[\w-]+)((?:;[^:;"]*(?:"[^"]*")*[^:;"]*)*):(.*)', re.DOTALL)
_PARAMETER = re.compile(r';([\w-]+)(?:=("[^"]*"|[^;"]*))?')
_HAN = re.compile("[\u3400-\u9fff]")
_ESCAPE = re.compile(r"\\([\\;,nN:])")
_UNESCAPED_SEMICOLON = re.compile(r"(?<!\\);")
_MOMENT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d)(?::?(\d\d))?(Z)?)?")
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")
_DAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday",
         "SA": "Saturday", "SU": "Sunday"}  # fmt: skip
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year", "HOURLY": "hour"}
_SHOWN = ("VEVENT", "VTODO", "VJOURNAL")


@dataclass(slots=True)
class _Value:
    text: str
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Part:
    """A component: its properties by name, and those within it."""

    kind: str
    values: dict[str, list[_Value]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a property's text, "" where there is none."""
        return _plain(self.values[name][0].text) if name in self.values else ""

    def texts(self, name: str) -> list[str]:
        """Return the texts of all properties of a name."""
        return [text for one in self.values.get(name, ()) if (text := _plain(one.text))]


def kind_of(text: str) -> str:
    """Return the media type of a calendar or of contacts, "" for another text."""
    found = _BEGIN.match(text.lstrip("\ufeff"))
    return "" if not found else CALENDAR if found.group(1).upper() == "VCALENDAR" else CONTACTS


def read(text: str) -> Document:
    """Read a calendar or contacts; raise Unreadable where there are none."""
    text = text.lstrip("\ufeff")
    media_type = kind_of(text)
    builder = Builder()
    for part in _parts(text):
        with builder.skips:
            if part.kind in _SHOWN:
                _add(builder, part.text("SUMMARY"), _event(part))
            elif part.kind == "VCARD":
                _add(builder, _name(part), _contact(part))
    if not builder.length and not builder.skips.count:
        raise Unreadable("empty")
    return builder.finish(media_type)


def _add(builder: Builder, title: str, lines: Iterator[tuple[str, str]]) -> None:
    builder.section(1, title.replace("\n", " "))
    builder.add("\n".join(f"{label}: {text}" if label else text for label, text in lines if text))


def _parts(text: str) -> Iterator[_Part]:
    """Yield all components as they end, so inner before outer ones."""
    open_: list[_Part] = []
    for line in _lines(text):
        found = _LINE.match(line)
        if not found:
            continue
        name = found.group(1).rpartition(".")[2].upper()
        written = found.group(3)
        if name == "BEGIN":
            if len(open_) < MAX_DEPTH:
                open_.append(_Part(written.strip().upper()))
        elif name == "END":
            if open_ and open_[-1].kind == written.strip().upper():
                yield open_.pop()
        elif open_:
            parameters = {
                key.upper(): value.strip('"') for key, value in _PARAMETER.findall(found.group(2))
            }
            value = _Value(_decoded(written, parameters), parameters)
            open_[-1].values.setdefault(name, []).append(value)
    yield from reversed(open_)  # a file that was cut


def _lines(text: str) -> Iterator[str]:
    """Yield logical lines, joined where they were folded."""
    text = _QUOTED_PRINTABLE.sub(lambda found: _SOFT_END.sub("", found.group(1)), text)
    yield from re.split(r"\r?\n", _FOLD.sub("", text))


def _decoded(written: str, parameters: dict[str, str]) -> str:
    coding = parameters.get("ENCODING", "").upper()
    if coding == "QUOTED-PRINTABLE" or "QUOTED-PRINTABLE" in parameters:
        raw = quopri.decodestring(written.encode("utf-8", "replace"))
        return text_of(raw, parameters.get("CHARSET"))
    return "" if coding in ("B", "BASE64") or "BASE64" in parameters else written


def _plain(text: str) -> str:
    def replaced(found: "re.Match[str]") -> str:
        return "\n" if found.group(1) in "nN" else found.group(1)

    return _ESCAPE.sub(replaced, text).strip()


# --- calendars


def _event(part: _Part) -> Iterator[tuple[str, str]]:
    yield "", part.text("SUMMARY")
    yield "When", _period(part)
    yield "Due", _moment(part, "DUE")[1]
    yield "Repeats", _repetition(part)
    yield "Except", ", ".join(_all_moments(part, "EXDATE"))
    yield "Where", part.text("LOCATION")
    yield "Organizer", ", ".join(map(_person, part.values.get("ORGANIZER", ())))
    yield "Attendees", ", ".join(map(_person, part.values.get("ATTENDEE", ())))
    yield "Status", part.text("STATUS").lower()
    yield "Categories", ", ".join(part.texts("CATEGORIES"))
    yield "Link", part.text("URL")
    yield "", part.text("DESCRIPTION")


def _person(value: _Value) -> str:
    address = value.text.strip()
    address = address[7:] if address.lower().startswith("mailto:") else address
    name = value.parameters.get("CN", "")
    return f"{name} <{address}>" if name and name != address else address


def _moment(part: _Part, name: str) -> tuple[datetime | None, str]:
    """Return a moment, None where it has no time that can be read, and its text."""
    values = part.values.get(name)
    return _shown(values[0].text, values[0].parameters) if values else (None, "")


def _all_moments(part: _Part, name: str) -> Iterator[str]:
    for value in part.values.get(name, ()):
        for one in value.text.split(","):
            yield _shown(one, value.parameters)[1]


def _shown(written: str, parameters: dict[str, str]) -> tuple[datetime | None, str]:
    found = _MOMENT.match(written.strip())
    if not found:
        return None, written.strip()
    year, month, day, hour, minute, second, utc = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0),
                          min(int(second or 0), 59))  # fmt: skip
    except ValueError:
        return None, written.strip()
    if hour is None:
        return moment, f"{moment:%Y-%m-%d}"
    zone = "UTC" if utc else "/".join(parameters.get("TZID", "").split("/")[-2:])
    return moment, f"{moment:%Y-%m-%d %H:%M} {zone}".strip()


def _period(part: _Part) -> str:
    """Return when an event is: its last day and not the day after, the date of one day once."""
    start, begins = _moment(part, "DTSTART")
    end, ends = _moment(part, "DTEND")
    if start is None:
        return begins
    whole_days = ":" not in begins
    if end is None and (length := _length(part.text("DURATION"))):
        end = start + length
        ends = f"{end:%Y-%m-%d}" if whole_days else f"{end:%Y-%m-%d %H:%M}{begins[16:]}"
    if end is None or end <= start:
        return begins
    if whole_days:
        last = end - timedelta(days=1)
        return begins if last <= start else f"{begins} – {last:%Y-%m-%d}"
    if start.date() == end.date() and begins[16:] == ends[16:]:
        return f"{start:%Y-%m-%d %H:%M}–{end:%H:%M}{begins[16:]}"
    return f"{begins} – {ends}"


def _length(written: str) -> timedelta:
    found = _DURATION.match(written)
    if not found:
        return timedelta()
    weeks, days, hours, minutes, seconds = (min(int(one or 0), 100_000) for one in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _repetition(part: _Part) -> str:
    rule = dict(pair.split("=", 1) for pair in part.text("RRULE").upper().split(";") if "=" in pair)
    unit = _UNITS.get(rule.get("FREQ", ""))
    if unit is None:
        return part.text("RRULE")
    step = rule.get("INTERVAL", "1")
    pieces = [f"every {unit}" if step == "1" else f"every {step} {unit}s"]
    days = [_DAYS.get(day[-2:], day) for day in rule.get("BYDAY", "").split(",") if day]
    pieces += [f"on {', '.join(days)}"] if days else []
    pieces += [f"{rule['COUNT']} times"] if "COUNT" in rule else []
    pieces += [f"until {_shown(rule['UNTIL'], {})[1]}"] if "UNTIL" in rule else []
    return " ".join(pieces)


# --- contacts


def _name(part: _Part) -> str:
    if full := part.text("FN"):
        return full
    if "N" not in part.values:
        return part.text("ORG")
    family, given, *_ = [*_fields(part.values["N"][0].text), "", ""]
    return family + given if _HAN.search(family) else f"{given} {family}".strip()


def _fields(text: str) -> list[str]:
    return [_plain(one) for one in _UNESCAPED_SEMICOLON.split(text)]


def _contact(part: _Part) -> Iterator[tuple[str, str]]:
    yield "", _name(part)
    yield "Nickname", part.text("NICKNAME")
    for label, name, show in _OF_CONTACTS:
        for value in part.values.get(name, ()):
            kinds = " ".join(_kinds(value))
            text = show(value.text)
            yield (f"{label} ({kinds})" if kinds else label), text
    yield "", part.text("NOTE")


def _kinds(value: _Value) -> list[str]:
    """Return whether a number or address is that of work, of home, and the like."""
    names = value.parameters.get("TYPE", "").split(",")
    names += [key for key, text in value.parameters.items() if not text and key not in ("PREF",)]
    kept = (name.lower() for name in names)
    return [name for name in kept if name in ("work", "home", "cell", "fax", "mobile")]


def _joined(text: str) -> str:
    return ", ".join(filter(None, _fields(text)))


def _birthday(text: str) -> str:
    return _shown(text, {})[1]


_OF_CONTACTS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("Organization", "ORG", _joined),
    ("Title", "TITLE", _plain),
    ("Role", "ROLE", _plain),
    ("Phone", "TEL", _plain),
    ("E-mail", "EMAIL", _plain),
    ("Address", "ADR", _joined),
    ("Birthday", "BDAY", _birthday),
    ("Link", "URL", _plain),
)
