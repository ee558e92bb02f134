"""PDF: pages, headings with and without an outline, wrapped lines, forms, and unreadable files."""

from pathlib import Path

from chatapp.core.text import sentences
from tests.support import documents
from tests.support.reading import headings, outline, read, refusal_reason


def test_a_pdf_keeps_its_pages_and_loses_running_heads(tmp_path: Path, english_pdf: bytes) -> None:
    document = read(tmp_path, english_pdf, "handbook.pdf")
    assert document.media_type == "application/pdf"
    assert len(document.pages) == documents.PAGES
    assert document.text.count("ACME handbook") == 1
    assert "Page 7" not in document.text
    for number, town in enumerate(documents.TOWNS):
        assert (
            document.text[document.pages[number] :].startswith(f"The office in {town}")
            or number == 0
        )


def test_wrapped_sentences_of_a_pdf_are_joined(
    tmp_path: Path, english_pdf: bytes, chinese_pdf: bytes
) -> None:
    english = read(tmp_path, english_pdf).text
    whole = [english[span.start : span.end] for span in sentences(english)]
    assert "Employees in Hamburg get 18 days of paid leave in every calendar year." in whole
    borrowed = [sentence for sentence in whole if sentence.startswith("Everybody")]
    assert len(borrowed) == 3 * documents.PAGES
    assert all(
        sentence.endswith("that nobody else needs it.") and "\n" not in sentence
        for sentence in borrowed
    )
    chinese = read(tmp_path, chinese_pdf).text
    whole = [chinese[span.start : span.end] for span in sentences(chinese)]
    assert "重庆办事处的员工每年享有19天带薪年假。" in whole
    assert (
        sum(s.endswith("并且确认没有其他同事需要使用。") and "\n" not in s for s in whole)
        == 3 * documents.PAGES
    )


def test_a_sentence_continues_on_the_next_page(tmp_path: Path) -> None:
    first = "\n".join(
        f"Line {n} of the first page is as long as all the others on it, and ends."
        for n in range(20)
    )
    broken = first + "\nWhoever wants to take more than ten days of leave at once has to ask the"
    document = read(
        tmp_path,
        documents.pdf(
            broken, "Head of Office a month before. Nothing else is needed for it at all.\n" + first
        ),
    )
    assert "has to ask the Head of Office a month before." in document.text
    assert document.text[document.pages[1] :].startswith("Head of Office")


def test_bookmarks_are_headings(tmp_path: Path) -> None:
    made = documents.pdf("Leave\nTwenty days.", "Travel\nBy train.", bookmarks=("Leave", "Travel"))
    document = read(tmp_path, made)
    assert outline(document) == [("Leave", "Leave"), ("Travel", "Travel")]


def test_without_bookmarks_headings_are_inferred(tmp_path: Path, english_pdf: bytes) -> None:
    assert headings(read(tmp_path, english_pdf)) == [
        f"The office in {town}" for town in documents.TOWNS
    ]
    text = (
        "Everybody may borrow one of the bicycles that belong to the Company, after asking for it.",
        10.0,
        False,
    )
    made = documents.printed(
        ("Rules of the house", 20, False),
        text,
        text,
        ("A long heading that goes", 14, False),
        ("on in a second line", 14, False),
        text,
        text,
        ("Bold words", 10, True),
        text,
        text,
        text,
    )
    assert headings(read(tmp_path, made)) == [
        "Rules of the house",
        "Rules of the house › A long heading that goes on in a second line",
        "Rules of the house › A long heading that goes on in a second line › Bold words",
    ]
    assert headings(read(tmp_path, documents.printed(*[text] * 6))) == []


def test_chapters_of_a_chinese_pdf_are_headings(tmp_path: Path, chinese_pdf: bytes) -> None:
    assert headings(read(tmp_path, chinese_pdf))[:2] == ["第1章 北京办事处", "第2章 上海办事处"]


def test_an_empty_page_is_counted(tmp_path: Path) -> None:
    document = read(tmp_path, documents.pdf("First page.", "", "Third page."))
    assert len(document.pages) == 3
    assert document.text[document.pages[2] :] == "Third page."


def test_form_fields_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, documents.form()).text.split() == [
        "Name",
        "of",
        "the",
        "applicant:",
        "Ada",
        "Lovelace",
    ]


def test_an_encrypted_pdf_that_opens_without_a_password_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, documents.pdf("Twenty days.", encrypt="")).text == "Twenty days."


def test_ligatures_are_expanded(tmp_path: Path) -> None:
    assert read(tmp_path, "The ﬁrst oﬃce: ⽅法".encode(), "a.txt").text == "The ﬁrst oﬃce: ⽅法", (
        "a text stays as it is"
    )
    from chatapp.knowledge.formats.pdf import _clean

    assert (
        _clean("The ﬁrst  oﬃce: ⽅法 and a hy\ufffe phen") == "The first office: 方法 and a hyphen"
    )


def test_unreadable_pdfs_have_a_reason(tmp_path: Path, english_pdf: bytes) -> None:
    assert refusal_reason(tmp_path, documents.scan()) == "no_text"
    assert refusal_reason(tmp_path, documents.pdf("secret", encrypt="word")) == "encrypted"
    assert refusal_reason(tmp_path, english_pdf, most_pages=29) == "pages"
    assert refusal_reason(tmp_path, english_pdf[: len(english_pdf) // 3]) == "damaged"
