"""Old and binary Excel workbooks: rows with their header, numbers as displayed."""

import struct
from pathlib import Path

import pytest

from tests.support import documents
from tests.support.compound_files import compound, workbook
from tests.support.reading import outline, read, refusal_reason


def test_an_old_workbook_is_read_row_by_row(tmp_path: Path) -> None:
    rows = [["Town", "Since", "Share", "Rent"]]
    cells = [(36526.0, "yyyy\\-mm\\-dd"), (0.0617, "0.0%"), (1234.5, '#,##0.00\\ "€"')]
    found = read(
        tmp_path,
        workbook({"Rent": [*rows, ["Bonn", *cells], ["Ulm", *cells]], "年假": [["天数", 27.0]]}),
        "rent.xls",
    )
    assert outline(found) == [
        ("Rent", "Town: Bonn · Since: 2000-01-01 · Share: 6.2% · Rent: 1,234.50 €"),
        ("年假", "天数: 27"),
    ]


def test_hidden_sheets_of_an_old_workbook_are_passed_over(tmp_path: Path) -> None:
    made = workbook({"A": [["one"]], "B": [["two"]]}, hidden=["B"])
    assert read(tmp_path, made, "a.xls").text == "one"


def test_an_empty_old_workbook_says_so(tmp_path: Path) -> None:
    assert refusal_reason(tmp_path, workbook({"A": []}), "a.xls") == "blank_workbook"


def test_an_encrypted_old_workbook_says_so(tmp_path: Path) -> None:
    whole = workbook({"A": [["one"]]})
    begin = whole.index(struct.pack("<HHH", 0x809, 16, 0x600))
    locked = whole[: begin + 20] + struct.pack("<HHHH", 0x2F, 4, 1, 1) + whole[begin + 28 :]
    assert refusal_reason(tmp_path, locked, "a.xls") == "encrypted"


def test_a_cut_old_workbook_is_damaged_or_read_in_part(tmp_path: Path) -> None:
    whole = workbook({"A": [["one", 1.0]] * 200})
    assert refusal_reason(tmp_path, whole[:700], "a.xls") == "damaged"
    assert refusal_reason(tmp_path, compound({"Workbook": b"\0" * 5000}), "a.xls") in (
        "damaged",
        "blank_workbook",
    )


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ("WordDocument", "old_office"),
        ("PowerPoint Document", "old_office"),
        ("EncryptedPackage", "encrypted"),
        ("Contents", "unsupported"),
    ],
)
def test_a_compound_file_is_known_by_its_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str, reason: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without LibreOffice
    assert refusal_reason(tmp_path, compound({stream: b"x" * 5000})) == reason
    assert refusal_reason(tmp_path, compound({"a": {stream: b"x"}})) == "unsupported"


def test_a_compound_file_that_was_cut_is_damaged_and_not_of_an_unknown_type(
    tmp_path: Path,
) -> None:
    whole = compound({"Notes": b"x" * 9000, "Contents": b"y" * 9000})
    assert refusal_reason(tmp_path, whole) == "unsupported"
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert refusal_reason(tmp_path, whole[: int(share * len(whole))]) == "damaged"


def test_compound_files_with_loops_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    whole = bytearray(compound({"WordDocument": b"x" * 9000, "b": {"c": b"y"}}))
    table = len(whole) - 512
    for place in range(table, len(whole), 4):
        looped = whole.copy()
        looped[place : place + 4] = struct.pack("<I", 0)
        assert refusal_reason(tmp_path, bytes(looped)) in ("old_office", "damaged", "unsupported")
    name = bytes(whole).index("b\0\0\0".encode("latin-1"))
    whole[name + 76 : name + 80] = struct.pack("<I", 2)  # a storage within itself
    assert refusal_reason(tmp_path, bytes(whole)) in ("old_office", "damaged")


def test_a_binary_workbook_is_told_from_others(tmp_path: Path) -> None:
    parts = documents.parts_of(documents.workbook())
    types = bytes(parts["[Content_Types].xml"]).replace(
        b"vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        b"vnd.ms-excel.sheet.binary.macroEnabled.main",
    )
    made = documents.archive({**parts, "[Content_Types].xml": types})
    assert "binary" in read(tmp_path, made, "a.xlsb").media_type
    assert "binary" not in read(tmp_path, documents.workbook(), "a.xlsx").media_type
