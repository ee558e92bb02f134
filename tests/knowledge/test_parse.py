"""Which kind a file is, what is read of it, and why it cannot be read."""

import json
from pathlib import Path

import pytest

from chatapp.core.text import sentences
from chatapp.knowledge.formats import Document, Unreadable
from chatapp.knowledge.parse import main, parse
from tests.knowledge import documents

CHINESE = "员工每年享有十五天带薪年假。请假须提前三个工作日向主管申请，并在系统中登记。病假需要医院证明。"


def read(tmp_path: Path, content: bytes, name: str = "file.bin", most_pages: int = 100) -> Document:
    path = tmp_path / "original"
    path.write_bytes(content)
    return parse(path, name, most_pages)


def why(tmp_path: Path, content: bytes, name: str = "file.bin", most_pages: int = 100) -> str:
    with pytest.raises(Unreadable) as refused:
        read(tmp_path, content, name, most_pages)
    return refused.value.reason


# --- text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "big5"])
def test_text_is_read_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    text = "員工每年享有十五天帶薪年假。請假須提前三個工作日向主管申請，並在系統中登記。" if encoding == "big5" else CHINESE
    assert read(tmp_path, (text + "\r\n").encode(encoding), "a.txt").text == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-16-le", "Employees get 25 days of leave."),
        ("utf-16-be", "Employees get 25 days of leave."),
        ("cp1252", "Die Beschäftigten haben jährlich Anspruch auf Urlaub, und zwar für fünfzehn Tage."),
        ("cp1252", "Les employés ont droit à quinze jours de congés payés par an, après accord du supérieur."),
        ("cp1251", "Сотрудники имеют право на пятнадцать дней отпуска в год. Заявление подаётся за три дня."),
        ("cp932", "従業員は毎年十五日の有給休暇を取得できます。休暇を取る場合は三日前までに申請してください。"),
        ("cp949", "직원은 매년 십오 일의 유급 휴가를 받습니다. 휴가는 사흘 전에 신청해야 합니다."),
    ],
)
def test_other_languages_are_read_in_theirs(tmp_path: Path, encoding: str, text: str) -> None:
    assert read(tmp_path, text.encode(encoding), "a.txt").text == text


def test_a_few_chinese_words_in_gb18030_are_not_taken_for_korean(tmp_path: Path) -> None:
    assert read(tmp_path, "年假十五天".encode("gb18030"), "a.txt").text == "年假十五天"


def test_markdown_headings_make_sections_but_not_inside_code(tmp_path: Path) -> None:
    text = "Intro\n\n# One\n\ntext\n\n```sh\n# no heading\n```\n\n## Two ##\n\nmore\n\nSetext\n======\n\nend"
    document = read(tmp_path, text.encode(), "a.md")
    assert [(document.text[s.start :].split("\n")[0], s.heading) for s in document.sections] == [
        ("# One", "One"),
        ("## Two ##", "One › Two"),
        ("Setext", "Setext"),
    ]
    assert document.media_type == "text/markdown"
    assert read(tmp_path, text.encode(), "a.txt").sections == ()


# --- PDF


def test_a_pdf_keeps_its_pages_and_loses_running_heads(tmp_path: Path, english_pdf: bytes) -> None:
    document = read(tmp_path, english_pdf, "handbook.pdf")
    assert document.media_type == "application/pdf"
    assert len(document.pages) == documents.PAGES
    assert document.text.count("ACME handbook") == 1
    assert "Page 7" not in document.text
    for number, town in enumerate(documents.TOWNS):
        assert document.text[document.pages[number] :].startswith(f"The office in {town}") or number == 0


def test_the_sentences_of_a_pdf_are_whole(tmp_path: Path, english_pdf: bytes, chinese_pdf: bytes) -> None:
    english = read(tmp_path, english_pdf).text
    whole = [english[span.start : span.end] for span in sentences(english)]
    assert "Employees in Hamburg get 18 days of paid leave in every calendar year." in whole
    borrowed = [sentence for sentence in whole if sentence.startswith("Everybody")]
    assert len(borrowed) == 3 * documents.PAGES
    assert all(sentence.endswith("that nobody else needs it.") and "\n" not in sentence for sentence in borrowed)
    chinese = read(tmp_path, chinese_pdf).text
    whole = [chinese[span.start : span.end] for span in sentences(chinese)]
    assert "重庆办事处的员工每年享有19天带薪年假。" in whole
    assert sum(s.endswith("并且确认没有其他同事需要使用。") and "\n" not in s for s in whole) == 3 * documents.PAGES


def test_a_sentence_may_go_on_over_the_page(tmp_path: Path) -> None:
    first = "\n".join(f"Line {n} of the first page is as long as all the others on it, and ends." for n in range(20))
    broken = first + "\nWhoever wants to take more than ten days of leave at once has to ask the"
    document = read(
        tmp_path, documents.pdf(broken, "Head of Office a month before. Nothing else is needed for it at all.\n" + first)
    )
    assert "has to ask the Head of Office a month before." in document.text
    assert document.text[document.pages[1] :].startswith("Head of Office")


def test_bookmarks_are_headings(tmp_path: Path) -> None:
    made = documents.pdf("Leave\nTwenty days.", "Travel\nBy train.", bookmarks=("Leave", "Travel"))
    document = read(tmp_path, made)
    assert [section.heading for section in document.sections] == ["Leave", "Travel"]
    assert document.text[document.sections[1].start :].startswith("Travel")


def test_an_empty_page_is_counted(tmp_path: Path) -> None:
    document = read(tmp_path, documents.pdf("First page.", "", "Third page."))
    assert len(document.pages) == 3
    assert document.text[document.pages[2] :] == "Third page."
    assert list(document.pages) == sorted(document.pages)


# --- Word


def test_word_keeps_headings_tables_and_order(tmp_path: Path) -> None:
    document = read(tmp_path, documents.word(), "rules.docx")
    assert [section.heading for section in document.sections] == ["Leave", "Leave › Sickness", "出差"]
    assert "| Town | Days |\n| Bonn | 27 |" in document.text
    assert "The fee is nine" in document.text and "seven" not in document.text
    assert "Inside a control." in document.text
    assert document.text.index("Call before") < document.text.index("| Town") < document.text.index("出差")


# --- what a file is, is told by its content


def test_a_wrong_extension_does_not_matter(tmp_path: Path) -> None:
    assert read(tmp_path, documents.word(), "rules.pdf").media_type.endswith("wordprocessingml.document")
    assert read(tmp_path, documents.pdf("Twenty days."), "rules.docx").text == "Twenty days."
    assert read(tmp_path, b"Twenty days.", "rules.pdf").text == "Twenty days."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "unsupported"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "unsupported"),
        (b"\x7fELF" + bytes(range(256)) * 8, "unsupported"),
        (bytes(range(256)) * 40, "unsupported"),
        (b"{\\rtf1 text}", "unsupported"),
        (b"%PDF-1.7\nrubbish", "damaged"),
        (b"PK\x03\x04 rubbish", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "unsupported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    ],
)
def test_each_has_its_own_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    assert why(tmp_path, content) == reason


def test_reasons_of_pdf(tmp_path: Path, english_pdf: bytes) -> None:
    assert why(tmp_path, documents.scan()) == "no_text"
    assert why(tmp_path, documents.pdf("secret", encrypt="word")) == "encrypted"
    assert why(tmp_path, english_pdf, most_pages=29) == "pages"
    assert why(tmp_path, english_pdf[: len(english_pdf) // 3]) == "damaged"


def test_reasons_of_word(tmp_path: Path) -> None:
    word = documents.word()
    assert why(tmp_path, documents.bomb()) == "bomb"
    assert why(tmp_path, word[: len(word) // 2]) == "damaged"
    evil = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert why(tmp_path, documents.with_part(word, "word/document.xml", evil)) == "damaged"
    assert why(tmp_path, documents.with_part(word, "word/document.xml", b"<not-xml")) == "damaged"
    sheet = documents.with_part(word, "word/document.xml", b"").replace(b"word/", b"what/")
    assert why(tmp_path, sheet) == "unsupported"


# --- the child's side of the pipe


def test_the_outcome_is_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "original"
    path.write_bytes(b"# One\ntext")
    assert main([str(path), "a.md", "10"]) == 0
    document = Document.from_json(json.loads(capsys.readouterr().out)["document"])
    assert document == parse(path, "a.md", 10)
    path.write_bytes(documents.pdf("a", "b", "c"))
    main([str(path), "a.pdf", "2"])
    assert json.loads(capsys.readouterr().out) == {"unreadable": {"reason": "pages", "params": {"limit": 2}}}
