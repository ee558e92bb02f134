"""Detection of formats by content, of encodings, and the reasons why a file cannot be read."""

import json
from pathlib import Path

import pytest

from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.formats.encodings import MAX_BYTES, decode
from chatapp.knowledge.ingest.parse import main, parse
from tests.support import documents
from tests.support.compound_files import compound
from tests.support.reading import headings, outline, read, refusal_reason

CHINESE = (
    "员工每年享有十五天带薪年假。请假须提前三个工作日向主管申请，并在系统中登记。病假需要医院证明。"
)
TRADITIONAL = "員工每年享有十五天帶薪年假。請假須提前三個工作日向主管申請，並在系統中登記。"
JAPANESE = (
    "従業員は毎年十五日の有給休暇を取得できます。休暇を取る場合は三日前までに申請してください。"
)

# --- encodings


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "big5"],
)
def test_text_is_read_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    text = TRADITIONAL if encoding == "big5" else CHINESE
    assert read(tmp_path, (text + "\r\n").encode(encoding), "a.txt").text == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-16-le", "Employees get 25 days of leave."),
        ("utf-16-be", "Employees get 25 days of leave."),
        ("utf-16-le", "Überstunden müssen drei Tage vorher genehmigt werden."),
        ("utf-16-le", CHINESE),
        ("utf-16-be", "员工每年享有十五天带薪年假"),
        (
            "cp1252",
            "Die Beschäftigten haben jährlich Anspruch auf Urlaub, und zwar für fünfzehn Tage.",
        ),
        (
            "cp1252",
            "Les employés ont droit à quinze jours de congés payés par an, après accord du "
            "supérieur.",
        ),
        (
            "cp1250",
            "Zaměstnanci mají nárok na patnáct dní placené dovolené ročně. Žádost je třeba podat "
            "tři dny předem.",
        ),
        (
            "iso8859_2",
            "Pracownicy mają prawo do piętnastu dni płatnego urlopu rocznie. Wniosek należy "
            "złożyć wcześniej.",
        ),
        (
            "cp1254",
            "Çalışanlar yılda on beş gün ücretli izin hakkına sahiptir. Başvuru üç gün önceden "
            "yapılmalıdır.",
        ),
        (
            "cp1251",
            "Сотрудники имеют право на пятнадцать дней отпуска в год. Заявление подаётся за три "
            "дня.",
        ),
        ("cp932", JAPANESE),
        ("euc_jp", JAPANESE),
        ("iso2022_jp", JAPANESE),
        ("cp949", "직원은 매년 십오 일의 유급 휴가를 받습니다. 휴가는 사흘 전에 신청해야 합니다."),
    ],
)
def test_encodings_of_other_languages_are_detected(
    tmp_path: Path, encoding: str, text: str
) -> None:
    assert read(tmp_path, text.encode(encoding), "a.txt").text == text


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "cp932"])
def test_a_long_text_is_detected_wherever_its_sample_ends(encoding: str) -> None:
    line = {"gb18030": CHINESE, "big5": TRADITIONAL, "cp932": JAPANESE}[encoding]
    for before in ("", "a"):
        text = before + line * 10_000
        assert decode(text.encode(encoding)) == text
    assert decode(line.encode(encoding)[:-1])[:-1] == line[:-1]


def test_a_few_chinese_words_in_gb18030_are_not_taken_for_korean(tmp_path: Path) -> None:
    assert read(tmp_path, "年假十五天".encode("gb18030"), "a.txt").text == "年假十五天"


def test_truncated_or_slightly_broken_utf_8_is_still_utf_8(
    tmp_path: Path,
) -> None:
    whole = CHINESE.encode()
    assert read(tmp_path, whole[:-1], "a.txt").text == CHINESE[:-1] + "\ufffd"
    assert (
        read(tmp_path, CHINESE.encode() + b"\xff\n" + whole, "a.txt").text
        == f"{CHINESE}\ufffd\n{CHINESE}"
    )


def test_text_in_no_known_encoding_is_refused(tmp_path: Path) -> None:
    letters = bytes(0x80 + n * 37 % 128 for n in range(3000))
    assert refusal_reason(tmp_path, letters, "a.txt") in ("encoding", "unsupported")
    with_blanks = b" ".join(letters[n : n + 5] for n in range(0, 3000, 5))
    assert refusal_reason(tmp_path, with_blanks, "a.txt") == "encoding"


def test_a_wrongly_declared_encoding_is_ignored() -> None:
    assert decode("年假".encode(), "gbk") == "年假"
    assert decode("Überstunden für alle Beschäftigten".encode("cp1252"), "utf-8").startswith(
        "Überstunden"
    )
    assert decode(
        "Überstunden für alle Beschäftigten".encode("cp1252"), "no-such-encoding"
    ).startswith("Überstunden")


# --- text and Markdown


def test_markdown_headings_make_sections_but_not_inside_code(tmp_path: Path) -> None:
    text = (
        "Intro\n\n# One\n\ntext\n\n```sh\n# no heading\n```\n\n## Two "
        "##\n\nmore\n\nSetext\n======\n\nend"
    )
    document = read(tmp_path, text, "a.md")
    assert outline(document) == [("One", "# One"), ("One › Two", "## Two ##"), ("Setext", "Setext")]
    assert document.media_type == "text/markdown"
    assert headings(read(tmp_path, text, "a.txt")) == []


@pytest.mark.parametrize(
    "name", ["a.yaml", "a.toml", "a.log", "a.rst", "a.ini", "a.srt", "LICENSE"]
)
def test_any_other_text_is_read_as_it_stands(tmp_path: Path, name: str) -> None:
    text = "<a>\n  <b>Twenty days</b>\n</a>"
    document = read(tmp_path, text, name)
    assert (document.media_type, document.text) == ("text/plain", text)


# --- detection by content


@pytest.mark.parametrize(
    "name",
    [
        "leave.txt",
        "leave.pdf",
        "leave.zip",
        "leave.html",
        "leave.md",
        "leave.csv",
        "leave",
        "leave.doc",
    ],
)
def test_a_wrong_extension_does_not_matter(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, documents.word(), name).media_type.endswith("wordprocessingml.document")
    assert read(tmp_path, documents.workbook(), name).media_type.endswith("spreadsheetml.sheet")
    assert read(tmp_path, documents.slides(), name).media_type.endswith(
        "presentationml.presentation"
    )
    assert read(tmp_path, documents.pdf("Twenty days."), name).media_type == "application/pdf"
    assert (
        read(tmp_path, documents.epub("<p>Twenty days.</p>"), name).media_type
        == "application/epub+zip"
    )


@pytest.mark.parametrize("name", ["leave.txt", "leave.pdf", "leave.xls", "leave"])
def test_text_formats_are_detected_by_unambiguous_content(tmp_path: Path, name: str) -> None:
    assert (
        read(tmp_path, "<!-- saved --><html><body><p>Twenty days.</p></body></html>", name).text
        == "Twenty days."
    )
    assert read(tmp_path, '{"leave": 20}', name).media_type == "application/json"
    assert (
        read(tmp_path, "Twenty days, or <b>more</b>.", name).text == "Twenty days, or <b>more</b>."
    )


def test_a_workbook_with_macros_is_a_workbook(tmp_path: Path) -> None:
    types = documents.parts_of(documents.workbook())["[Content_Types].xml"].replace(
        b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
    )
    assert read(
        tmp_path, documents.with_part(documents.workbook(), "[Content_Types].xml", types)
    ).text.startswith("Sales")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        ("\ufeff".encode(), "empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "damaged"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "damaged"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "damaged"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 50, "damaged"),
        (b"8BPS\0\1" + b"\0" * 50, "picture"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 50, "sound"),
        (b"ID3\x04" + b"\0" * 50, "sound"),
        (b"\x1f\x8b\x08" + b"\0" * 50, "archive"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 50, "archive"),
        (b"\x7fELF" + bytes(range(256)) * 8, "unsupported"),
        (bytes(range(256)) * 40, "unsupported"),
        (b"{\\rtf1}", "blank_document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "damaged"),
        (compound({"EncryptedPackage": b"text"}), "encrypted"),
        (b"%PDF-1.7\nrubbish", "damaged"),
        (b"PK\x03\x04 rubbish", "damaged"),
        (b"a," * (MAX_BYTES // 2 + 1), "too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_unreadable_file_has_its_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    assert refusal_reason(tmp_path, content) == reason


def test_text_that_begins_like_a_bitmap_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "BMW pays for it.").text == "BMW pays for it."


# --- the child's output


def test_the_outcome_is_one_line_of_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "original"
    path.write_text("# 年假\ntext 😀", "utf-8")
    assert main([str(path), "a.md", "10"]) == 0
    document = Document.from_json(json.loads(capsys.readouterr().out)["document"])
    assert document == parse(path, "a.md", 10)
    path.write_bytes(documents.pdf("a", "b", "c"))
    main([str(path), "a.pdf", "2"])
    assert json.loads(capsys.readouterr().out) == {
        "unreadable": {"reason": "pages", "params": {"limit": 2}}
    }
