"""Import files are split into conversations while they are read, within limits."""

import io
import json
import zipfile

import pytest

from chatapp.chat.transfer import items
from chatapp.chat.transfer.items import read_items
from chatapp.errors import InvalidRequest

TRICKY = [{"a": 'br{ace} [x] "quoted" \\ 港\n'}, {"b": [1, {"c": []}]}, {"d": "\\"}]


def read(data: bytes) -> list:
    return [(item.value, item.fault) for item in read_items(io.BytesIO(data))]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_an_array_is_split_wherever_the_reads_end(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "READ_BYTES", size)
    for indent in (None, 2):
        data = json.dumps(TRICKY, indent=indent, ensure_ascii=False).encode()
        assert read(data) == [(each, "") for each in TRICKY]
    assert read(json.dumps(TRICKY[1]).encode()) == [(TRICKY[1], "")]


def test_one_conversation_that_is_too_large_or_deep_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(items, "MOST_ITEM_BYTES", 100)
    deep = json.loads("[" * 80 + "]" * 80)
    given = [{"n": 1}, {"long": "x" * 200}, {"deep": deep}, {"n": 2}]
    assert read(json.dumps(given).encode()) == [
        ({"n": 1}, ""),
        (None, "too_large"),
        (None, "too_deep"),
        ({"n": 2}, ""),
    ]


def test_a_million_brackets_are_no_recursion() -> None:
    assert read(b"[" * 1_000_000) == [(None, "cut_off")]
    assert read(b"[" + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]") == [(None, "too_deep")]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b'[{"a": 1}, {"b": ', "cut_off"),
        (b'[{"a": 1}, {"b": 01}]', "unreadable"),
        (b'[{"a": 1}, {"b": "\xff"}]', "unreadable"),
        (b'[{"a": 1}, {"b": ' + b"9" * 5000 + b"}]", "unreadable"),
    ],
)
def test_what_is_whole_is_read_before_what_is_broken(data: bytes, fault: str) -> None:
    assert read(data) == [({"a": 1}, ""), (None, fault)]


@pytest.mark.parametrize("data", [b"", b"hello", b"\x00\x01", b'"text"', b"PK\x03\x04rest"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(data)


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_of_a_zip_the_conversations_are_read() -> None:
    chats = json.dumps([{"n": 1}]).encode()
    with_others = {"user.json": b'{"id": 1}', "export/conversations.json": chats, "chat.html": b""}
    assert read(packed(with_others)) == [({"n": 1}, "")]
    assert read(packed({"a/1.json": b'{"n": 1}', "a/1.md": b"", "2.json": b"no"})) == [
        ({"n": 1}, ""),
        (None, "unreadable"),
    ]


def test_a_zip_bomb_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MOST_UNPACKED_BYTES", 1_000_000)
    bomb = b"[" + b" " * 50_000_000 + b"]"
    data = packed({"conversations.json": bomb, "conversations-2.json": bomb})
    assert read(data)[-1] == (None, "too_large")
    monkeypatch.setattr(items, "MOST_DIRECTORY_BYTES", 1000)
    with pytest.raises(InvalidRequest):
        read(packed({f"{n}.json": b"{}" for n in range(100)}))


def test_a_damaged_zip_is_reported() -> None:
    data = bytearray(packed({"conversations.json": json.dumps([{"a": "x" * 5000}]).encode()}))
    data[60:70] = b"\0" * 10
    assert read(bytes(data))[-1][1] == "unreadable"
