"""Calendars and contacts: what people read in them, many to a file."""

from pathlib import Path

import pytest

from tests.support.reading import headings, read, refusal_reason


def event(*lines: str) -> str:
    inner = "\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"])
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inner}\r\nEND:VCALENDAR\r\n"


def test_events_are_read_as_people_read_them(tmp_path: Path) -> None:
    made = event(
        "SUMMARY:Budget\\, second round",
        "DTSTART;TZID=Europe/Berlin:20260305T100000",
        "DTEND;TZID=Europe/Berlin:20260305T113000",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20261231",
        "LOCATION:Room 4",
        'ORGANIZER;CN="Ada L.":mailto:ada@example.org',
        "ATTENDEE;CN=Bob:mailto:bob@example.org",
        "ATTENDEE:mailto:eve@example.org",
        "DESCRIPTION:Bring figures.\\nAnd a long line that is",
        "  folded.",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "DESCRIPTION:Reminder",
        "END:VALARM",
    )
    found = read(tmp_path, made, "a.ics")
    assert (found.media_type, headings(found)) == ("text/calendar", ["Budget, second round"])
    assert found.text == (
        "Budget, second round\nWhen: 2026-03-05 10:00–11:30 Europe/Berlin\n"
        "Repeats: every 2 weeks on Monday, Thursday until 2026-12-31\nWhere: Room 4\n"
        "Organizer: Ada L. <ada@example.org>\nAttendees: Bob <bob@example.org>, eve@example.org\n"
        "Bring figures.\nAnd a long line that is folded."
    )


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (("DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260306"), "2026-03-05"),
        (
            ("DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260308"),
            "2026-03-05 – 2026-03-07",
        ),
        (("DTSTART:20260305T090000Z", "DURATION:PT1H30M"), "2026-03-05 09:00–10:30 UTC"),
        (
            ("DTSTART:20260305T220000Z", "DTEND:20260306T010000Z"),
            "2026-03-05 22:00 UTC – 2026-03-06 01:00 UTC",
        ),
        (("DTSTART:20260305T090000",), "2026-03-05 09:00"),
        (
            ("DTSTART;TZID=/vendor.example.org/2024/Asia/Shanghai:20260305T090000",),
            "2026-03-05 09:00 Asia/Shanghai",
        ),
        (("DTSTART:20269999T990000",), "20269999T990000"),
    ],
)
def test_dates_are_shown_with_their_zone(tmp_path: Path, lines: tuple[str, ...], when: str) -> None:
    assert f"When: {when}" in read(tmp_path, event("SUMMARY:x", *lines)).text.split("\n")


def test_contacts_are_read_one_by_one(tmp_path: Path) -> None:
    made = (
        "BEGIN:VCARD\nVERSION:3.0\nFN:Ada Lovelace\nORG:ACME;Research\nTITLE:Head\n"
        "TEL;TYPE=WORK,VOICE:+49 228 1\nitem1.EMAIL;TYPE=HOME:ada@example.org\n"
        "ADR:;;Street 1;Bonn;;53111;Germany\nBDAY:1990-05-04\nNOTE:Speaks\\nFrench\n"
        "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ\n SkZJRg\nEND:VCARD\n"
        "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=GB2312;ENCODING=QUOTED-PRINTABLE:=D5=C5;=C8=FD\n"
        "TEL;CELL:138 0000\nNOTE;ENCODING=QUOTED-PRINTABLE:one=0A=\ntwo\nEND:VCARD\n"
    )
    found = read(tmp_path, made, "a.vcf")
    assert (found.media_type, headings(found)) == ("text/vcard", ["Ada Lovelace", "张三"])
    assert found.text == (
        "Ada Lovelace\nOrganization: ACME, Research\nTitle: Head\nPhone (work): +49 228 1\n"
        "E-mail (home): ada@example.org\nAddress: Street 1, Bonn, 53111, Germany\n"
        "Birthday: 1990-05-04\nSpeaks\nFrench\n\n张三\nPhone (cell): 138 0000\none\ntwo"
    )


def test_an_empty_calendar_says_so(tmp_path: Path) -> None:
    assert refusal_reason(tmp_path, "BEGIN:VCALENDAR\nEND:VCALENDAR\n", "a.ics") == "empty"


@pytest.mark.parametrize(
    "made",
    [
        event("SUMMARY:x")[:60],
        "BEGIN:VCALENDAR\n" + "BEGIN:VEVENT\n" * 1000 + "SUMMARY:x\n" + "END:VEVENT\n" * 1000,
        event("SUMMARY:x", 'A;B="c:d', "RRULE:FREQ=;;=", "DURATION:P" + "9" * 500 + "W"),
    ],
)
def test_broken_calendars_are_read_as_far_as_they_go(tmp_path: Path, made: str) -> None:
    assert "x" in read(tmp_path, made, "a.ics").text
