"""Zip archives: each file in one is read as its own, within limits that hold for the whole."""

import faulthandler
import io
import json
import os
import re
import signal
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from chatapp.knowledge.formats import archive, members
from chatapp.knowledge.formats.document import Builder, Document, LeftOut
from chatapp.knowledge.formats.members import Members, shown_name
from tests.support import documents
from tests.support.pictures import page, saved, scan
from tests.support.reading import headings, outline, read, refusal_reason

ROOT = Path(__file__).parents[3]
FORMATS = ROOT / "chatapp" / "knowledge" / "formats"


def zipped(parts: Mapping[str | zipfile.ZipInfo, bytes | str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as made_archive:
        for name, content in parts.items():
            made_archive.writestr(name, content)
    return made.getvalue()


def named_in(encoding: str, *names: str) -> bytes:
    """Return an archive whose names are in an encoding that it does not declare."""
    made = zipped({f"{number:04}.txt": f"text {number}" for number in range(len(names))})
    for number, name in enumerate(names):
        raw = name.encode(encoding)
        plain = f"{number:04}.txt".encode()
        for head, at in ((b"PK\x03\x04", 26), (b"PK\x01\x02", 28)):
            place = next(
                found.start()
                for found in re.finditer(re.escape(head), made)
                if made[found.start() + (30 if at == 26 else 46) :].startswith(plain)
            )
            begin = place + (30 if at == 26 else 46)
            length = struct.pack("<H", len(raw))
            made = (
                made[: place + at]
                + length
                + made[place + at + 2 : begin]
                + raw
                + made[begin + len(plain) :]
            )
    return moved(made)


def moved(packed: bytes) -> bytes:
    """Return an archive with offsets that fit its parts again."""
    starts = [found.start() for found in re.finditer(b"PK\x03\x04", packed)]
    index = packed.index(b"PK\x01\x02")
    made = bytearray(packed)
    for found, start in zip(re.finditer(b"PK\x01\x02", packed), starts, strict=True):
        made[found.start() + 42 : found.start() + 46] = struct.pack("<I", start)
    end = packed.rindex(b"PK\x05\x06")
    made[end + 12 : end + 20] = struct.pack("<II", end - index, index)
    return bytes(made)


def test_the_files_of_an_archive_are_read_below_their_names(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        zipped(
            {
                "contract/": "",
                "contract/terms.md": "# Notice\n\nThree months.\n\n# Rent\n\n900 euros.",
                "contract/people.csv": "Name,Town\nAnna,Bonn\nEmil,Ulm\n",
                "slides.pptx": documents.slides(),
            }
        ),
        "papers.zip",
    )
    assert found.media_type == "application/zip"
    assert outline(found)[:3] == [
        ("contract/terms.md › Notice", "# Notice"),
        ("contract/terms.md › Rent", "# Rent"),
        ("contract/people.csv", "Name: Anna · Town: Bonn"),
    ]
    assert headings(found)[3].startswith("slides.pptx")
    assert (found.skipped, found.left_out) == (0, ())


def test_a_file_that_cannot_be_read_costs_itself_and_is_named(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        zipped(
            {
                "a.txt": "Rent is due on Monday.",
                "logo.png": saved(page(["Logo"]), "PNG"),
                "scan.pdf": scan(["Words"]),
                "broken.pdf": b"%PDF-1.7\n nothing",
                "inner.zip": zipped({"song.mp3": b"ID3" + b"\0" * 50, "b.txt": "Keys"}),
                "program": b"\x7fELF" + b"\0" * 50,
                "empty.txt": "",
            }
        ),
        "a.zip",
    )
    assert found.text == "Rent is due on Monday.\n\nKeys"
    assert headings(found) == ["a.txt", "inner.zip › b.txt"]
    assert found.left_out == (
        LeftOut("logo.png", "picture"),
        LeftOut("scan.pdf", "no_text"),
        LeftOut("broken.pdf", "damaged"),
        LeftOut("inner.zip › song.mp3", "sound"),
        LeftOut("program", "unsupported"),
    )
    assert found.skipped == 5


def test_what_systems_add_to_archives_is_passed_over(tmp_path: Path) -> None:
    parts = {
        "a.txt": "text",
        "__MACOSX/._a.txt": b"\0\x05\x16\x07",
        ".DS_Store": b"\0\0\0\1Bud1",
        "photos\\Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    }
    assert read(tmp_path, zipped(parts)).left_out == ()


def test_an_archive_without_a_readable_file_says_so(tmp_path: Path) -> None:
    picture = saved(page(["Words"]), "PNG")
    assert refusal_reason(tmp_path, zipped({"a.png": picture, "b/c.png": picture})) == "members"
    assert refusal_reason(tmp_path, zipped({"folder/": ""})) == "empty"


def test_an_archive_within_an_office_document_stays_one(tmp_path: Path) -> None:
    made = read(tmp_path, zipped({"mimetype": "plain words", "a.txt": "text"}))
    assert sorted(headings(made)) == ["a.txt", "mimetype"]
    parts = {**documents.parts_of(documents.slides()), "a.txt": "text"}
    assert "presentation" in read(tmp_path, documents.archive(parts)).media_type


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("gb18030", ("员工手册.txt", "合同/租赁说明.txt")),
        ("cp932", ("会議資料.txt", "テスト結果.txt")),
        ("utf-8", ("手册.txt", "说明.txt")),
        ("cp437", ("Größe.txt", "Müller.txt")),
    ],
)
def test_names_in_no_declared_encoding_are_decoded(
    tmp_path: Path, encoding: str, names: tuple[str, ...]
) -> None:
    assert headings(read(tmp_path, named_in(encoding, *names))) == list(names)


def test_names_that_point_elsewhere_are_only_shown(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    parts = {
        "../../outside.txt": "one",
        f"{outside}": "two",
        "C:\\temp\\outside.txt": "three",
        "..\\outside.txt": "four",
    }
    found = read(tmp_path, zipped(parts))
    assert headings(found)[0] == "outside.txt" and headings(found)[2] == "temp/outside.txt"
    assert headings(found)[3] == "outside.txt"
    assert not outside.exists() and not (tmp_path.parent / "outside.txt").exists()


@pytest.mark.parametrize("name", ["", "/", "..", "\0", "a\nb", "\u202eexe.txt", "x" * 5000])
def test_odd_names_are_shown_in_one_line(name: str) -> None:
    shown = shown_name(name)
    assert shown and shown.isprintable() and len(shown) <= 200


def test_links_encrypted_files_and_unknown_compression_are_left_out(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    made = bytearray(zipped({link: "/etc/passwd", "secret.txt": "x", "odd.txt": "y", "a.txt": "z"}))
    entries = [found.start() for found in re.finditer(b"PK\x01\x02", bytes(made))]
    made[entries[1] + 8] |= 1  # encrypted
    made[entries[2] + 10] = 6  # imploded
    assert read(tmp_path, bytes(made)).left_out == (
        LeftOut("link.txt", "link"),
        LeftOut("secret.txt", "encrypted"),
        LeftOut("odd.txt", "packed"),
    )


def test_an_archive_that_is_encrypted_as_a_whole_says_so(tmp_path: Path) -> None:
    made = bytearray(zipped({"a.txt": "x"}))
    made[bytes(made).index(b"PK\x01\x02") + 8] |= 1
    assert refusal_reason(tmp_path, bytes(made)) == "encrypted"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_files_of_the_same_name_are_both_read(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as double:
        double.writestr("a.txt", "first")
        double.writestr("a.txt", "second")
    assert outline(read(tmp_path, made.getvalue())) == [("a.txt", "first"), ("a.txt (2)", "second")]


def test_a_member_that_would_unpack_to_far_too_much_is_left_out(tmp_path: Path) -> None:
    found = read(tmp_path, zipped({"zeros.txt": b"0" * (60 * 1024 * 1024), "a.txt": "text"}))
    assert (found.text, found.left_out) == ("text", (LeftOut("zeros.txt", "bomb"),))


def test_a_member_that_hides_its_size_costs_itself(tmp_path: Path) -> None:
    made = bytearray(zipped({"zeros.txt": b"0" * (60 * 1024 * 1024), "a.txt": "text"}))
    place = bytes(made).index(b"PK\x01\x02")
    made[place + 24 : place + 28] = struct.pack("<I", 100)
    found = read(tmp_path, bytes(made))
    assert found.text == "text" and [one.name for one in found.left_out] == ["zeros.txt"]


def test_an_archive_of_far_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    assert refusal_reason(tmp_path, zipped({f"{n}.txt": "x" for n in range(4)})) == "bomb"


def test_archives_are_opened_to_a_limited_depth(tmp_path: Path) -> None:
    inner = b"deep"
    for depth in range(members.MAX_DEPTH + 2):
        inner = zipped({f"{depth}.{'zip' if depth else 'txt'}": inner})
    assert refusal_reason(tmp_path, inner) == "nested"


def test_the_limits_hold_for_all_depths_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MAX_MEMBERS", 5)
    inner = zipped({f"{number}.txt": f"text {number}" for number in range(3)})
    found = read(tmp_path, zipped({"1.zip": inner, "2.zip": inner, "3.zip": inner}))
    assert found.text.count("text") == 3
    assert found.left_out == (
        LeftOut("2.zip › 1.txt", "too_many"),
        LeftOut("2.zip › 2.txt", "too_many"),
        LeftOut("3.zip", "too_many"),
    ) or {one.reason for one in found.left_out} == {"too_many", "members"}


def test_a_reader_that_crashes_costs_one_file(tmp_path: Path) -> None:
    """A reader's process may end at any moment, by its own fault or a limit."""

    def reader(path: Path, name: str, _: Members) -> Document:
        if name == "crash":
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)
        if name == "memory":
            raise MemoryError
        if name == "cpu":
            os.kill(os.getpid(), signal.SIGXCPU)
        return Document("text/plain", path.read_text())

    builder = Builder()
    reading = Members(reader)
    for name in ("a", "crash", "memory", "cpu", "b"):
        reading.add(builder, 1, name, [name.encode()])
    found = builder.finish("application/zip")
    assert found.text == "a\n\nb"
    assert [(one.name, one.reason) for one in found.left_out] == [
        ("crash", "damaged"),
        ("memory", "limits"),
        ("cpu", "limits"),
    ]


def test_more_text_than_a_file_may_hold_leaves_members_out() -> None:
    builder = Builder()
    reading = Members(lambda *_: Document("text/plain", "x" * 6_000_000))
    for name in ("a", "b"):
        reading.add(builder, 1, name, [b"x"])
    assert builder.finish("application/zip").left_out == (LeftOut("b", "too_long"),)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_each_reason_has_words_on_the_page(language: str) -> None:
    texts = json.loads((ROOT / "static" / "i18n" / f"{language}.json").read_text("utf-8"))
    code = "".join(path.read_text("utf-8") for path in FORMATS.glob("*.py"))
    reasons = {*re.findall(r'Unreadable\("(\w+)"', code), *re.findall(r'return "(\w+)"$', code)}
    assert reasons >= {"damaged", "bomb", "too_many"}
    signs = re.findall(r'^    "(\w+)": \(', code, re.MULTILINE)
    assert {"picture", "sound", "archive", "unsupported"} <= {*signs}
    named = {"picture", "sound", "archive", "old_office", "unsupported", "link", "packed"}
    assert [one for one in reasons | named if f"knowledge.left_out.{one}" not in texts] == []
