"""Outlook's messages: text in every form, recipients, attachments and messages within messages."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatapp.knowledge.formats.document import LeftOut, Unreadable
from chatapp.knowledge.formats.msg import unpacked
from tests.support import documents
from tests.support.compound_files import Tree, compound
from tests.support.pictures import page, saved
from tests.support.reading import headings, outline, read

EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def properties(head: int, **values: int) -> bytes:
    made = b"\0" * head
    for name, value in values.items():
        kind = 0x40 if name in ("x0039", "x0E06") else 3
        made += struct.pack("<HHIQ", kind, int(name[1:], 16), 6, value)
    return made


def wide(**texts: str) -> dict[str, bytes]:
    return {f"__substg1.0_{name[1:]}001F": text.encode("utf-16-le") for name, text in texts.items()}


def message(head: int = 32, parts: Tree | None = None, **texts: str) -> Tree:
    sent = int((datetime(2024, 3, 5, 10, tzinfo=UTC) - EPOCH).total_seconds()) * 10_000_000
    fields = {"x0037": "Leave", "x0C1A": "Ada", "x5D01": "ada@example.org", **texts}
    return {
        "__properties_version1.0": properties(head, x0039=sent),
        **wide(**fields),
        **(parts or {}),
    }


def attachment(name: str, content: bytes, **texts: str) -> Tree:
    return {
        "__properties_version1.0": properties(8, x3705=1),
        **wide(x3707=name, **texts),
        "__substg1.0_37010102": content,
    }


def test_a_message_is_read_with_its_fields(tmp_path: Path) -> None:
    person = {
        "__properties_version1.0": properties(8, x0C15=1),
        **wide(x3001="Bob", x39FE="bob@example.org"),
    }
    copy = {"__properties_version1.0": properties(8, x0C15=2), **wide(x3001="人事部")}
    parts = {"__recip_version1.0_#00000000": person, "__recip_version1.0_#00000001": copy}
    found = read(tmp_path, compound(message(parts=parts, x1000="27 days.\r\n\r\n年假")), "a.msg")
    assert outline(found) == [("Leave", "Subject: Leave")]
    assert found.text == (
        "Subject: Leave\nFrom: Ada <ada@example.org>\nTo: Bob <bob@example.org>\nCc: 人事部\n"
        "Date: 2024-03-05 10:00 UTC\n\n27 days.\n\n年假"
    )


def test_text_in_a_code_page_is_decoded(tmp_path: Path) -> None:
    made = {
        "__properties_version1.0": properties(32, x3FFD=936),
        "__substg1.0_0037001E": "年假".encode("gb18030"),
        "__substg1.0_1000001E": "每年十五天".encode("gb18030"),
    }
    assert read(tmp_path, compound(made), "a.msg").text == "Subject: 年假\n\n每年十五天"


def test_html_is_read_where_there_is_no_plain_text(tmp_path: Path) -> None:
    html = {
        "__properties_version1.0": properties(32, x3FDE=1252),
        "__substg1.0_10130102": "<ul><li>27 días</li></ul>".encode("cp1252"),
    }
    assert read(tmp_path, compound(message(parts=html)), "a.msg").text.endswith("- 27 días")


def test_compressed_rtf_is_read_where_there_is_nothing_else(tmp_path: Path) -> None:
    """The example of the specification, [MS-OXRTFCP] 4.1.1, and a body that is not compressed."""
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af320"
        "68656c090020627705b06c647d0a800fa0"
    )
    assert unpacked(packed) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    with_words = b"{\\rtf1\\ansi 27 days, and again 27 days.\\par}"
    plain = struct.pack("<II4sI", len(with_words) + 12, len(with_words), b"MELA", 0) + with_words
    found = read(tmp_path, compound(message(parts={"__substg1.0_10090102": plain})), "a.msg")
    assert found.text.endswith("27 days, and again 27 days.")
    assert unpacked(packed[:30]).startswith(b"{\\rtf1\\ansi")  # cut
    with pytest.raises(Unreadable):
        unpacked(struct.pack("<II4sI", 12, 1 << 31, b"LZFu", 0))


def test_attachments_are_read_as_files_of_their_own(tmp_path: Path) -> None:
    inner = message(24, x1000="900 euros.", x0037="Budget")
    within = {
        "__properties_version1.0": properties(8, x3705=5),
        **wide(x3001="Budget"),
        "__substg1.0_3701000D": inner,
    }
    parts = {
        "__attach_version1.0_#00000000": attachment("规定.docx", documents.word()),
        "__attach_version1.0_#00000001": within,
        "__attach_version1.0_#00000002": attachment("a.png", saved(page(["A"]), "PNG")),
        "__attach_version1.0_#00000003": attachment("logo.png", b"\x89PNG", x3712="1@x"),
    }
    found = read(tmp_path, compound(message(parts=parts, x1000="27 days.")), "a.msg")
    assert "Attachments: 规定.docx, Budget, a.png" in found.text
    assert any(heading.startswith("Leave › 规定.docx") for heading in headings(found))
    assert headings(found)[-1] == "Leave › Budget" and found.text.endswith("900 euros.")
    assert found.left_out == (LeftOut("a.png", "picture"),)


def test_messages_within_messages_end_at_a_limit(tmp_path: Path) -> None:
    made = message(24, x0037="0")
    for number in range(1, 12):
        within: Tree = {
            "__properties_version1.0": properties(8, x3705=5),
            **wide(x3001=str(number)),
            "__substg1.0_3701000D": made,
        }
        head = 32 if number == 11 else 24
        made = message(head, {"__attach_version1.0_#00000000": within}, x0037=str(number))
    found = read(tmp_path, compound(made), "a.msg")
    assert [one.reason for one in found.left_out] == ["nested"]


def test_a_message_with_loops_ends(tmp_path: Path) -> None:
    whole = compound(message(parts={"__attach_version1.0_#00000000": attachment("a.txt", b"Keys")}))
    table = len(whole) - 512
    for place in range(table, table + 64, 4):
        looped = whole[:place] + struct.pack("<I", 1) + whole[place + 4 :]
        try:
            read(tmp_path, looped, "a.msg")
        except Unreadable as fault:
            assert fault.reason in ("damaged", "unsupported", "blank")
