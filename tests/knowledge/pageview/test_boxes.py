"""Passages on the pages of real PDFs, through the real reader and renderer."""

from pathlib import Path

import pytest

from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.ingest.parse import parse
from chatapp.knowledge.pageview.boxes import line_boxes, merge, passage_boxes
from chatapp.knowledge.pageview.picture import Box
from chatapp.knowledge.pageview.render import render
from tests.support import documents
from tests.support.page_documents import HEIGHT, WIDTH, lines_pdf, table_pdf


class Read:
    """A PDF as the product reads and renders it."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self.file = folder / "file.pdf"
        self.file.write_bytes(content)
        self.document: Document = parse(self.file, "file.pdf", 100)

    def marked(self, passage: str, page: int = 1, nth: int = 0) -> list[Box]:
        """Return the boxes of a passage on a page."""
        begins = [*self.document.pages, len(self.document.text)]
        text = self.document.text[begins[page - 1] : begins[page]]
        start = -1
        for _ in range(nth + 1):
            start = text.index(passage, start + 1)
        characters = render(self.file, page).characters()
        return passage_boxes(*characters, text, start, start + len(passage))

    def under(self, boxes: list[Box], page: int = 1) -> str:
        """Return the characters of a page that boxes cover."""
        text, places = render(self.file, page).characters()
        return "".join(
            character
            for character, box in zip(text, places, strict=True)
            if any(_covers(one, box) for one in boxes) and not character.isspace()
        )


def _covers(box: Box, character: Box) -> bool:
    across, down = (character[0] + character[2]) / 2, (character[1] + character[3]) / 2
    return box[0] <= across <= box[2] and box[1] <= down <= box[3]


def bare(text: str) -> str:
    return "".join(text.split())


def test_a_sentence_is_marked_line_by_line(tmp_path: Path) -> None:
    read = Read(tmp_path, documents.english_pdf())
    text = read.document.text
    start = text.index("Everybody who works in the office of Coburg may borrow one of the laptops")
    passage = text[start : text.index("else needs it.", start) + len("else needs it.")]
    boxes = read.marked(passage, page=3)
    assert 2 <= len(boxes) <= 4, "one box for each line"
    assert read.under(boxes, page=3) == bare(passage)


def test_a_chinese_sentence_is_marked(tmp_path: Path) -> None:
    read = Read(tmp_path, documents.chinese_pdf())
    passage = "广州办事处的员工每年享有13天带薪年假。"
    boxes = read.marked(passage, page=3)
    assert len(boxes) == 1 and read.under(boxes, page=3) == passage


def test_of_equal_sentences_the_right_one_is_marked(tmp_path: Path) -> None:
    lines = [(100.0, "Call before ten."), (300.0, "Ask the office."), (500.0, "Call before ten.")]
    read = Read(tmp_path, lines_pdf(lines))
    for nth, top in ((0, 100), (1, 500)):
        (box,) = read.marked("Call before ten.", nth=nth)
        assert box[1] < 10_000 * top / HEIGHT < box[3] + 30


def test_a_word_that_is_part_of_another_is_not_marked(tmp_path: Path) -> None:
    read = Read(tmp_path, lines_pdf([(100, "In 1927 they had 27 days")]))
    boxes = read.marked("27 days")
    assert read.under(boxes) == "27days"


def test_a_hyphenated_word_is_marked_in_both_lines(tmp_path: Path) -> None:
    line = "The administration of the harbour keeps a register of all the light-"
    read = Read(tmp_path, lines_pdf([(100, line), (116, "houses and of their keepers.")]))
    boxes = read.marked(read.document.text)
    assert len(boxes) == 2
    assert read.under(boxes).startswith("Theadministration")
    assert read.under(boxes).endswith("housesandoftheirkeepers.")


def test_the_row_of_a_table_is_marked_and_no_other(tmp_path: Path) -> None:
    rows = [["Town", "Days", "Office"], ["Bonn", "27", "East"], ["Celle", "31", "West"]]
    read = Read(tmp_path, table_pdf(rows))
    row = next(line for line in read.document.text.split("\n") if "Celle" in line)
    covered = read.under(read.marked(row))
    assert "Celle" in covered and "31" in covered and "West" in covered
    assert "Bonn" not in covered and "27" not in covered and "East" not in covered


def test_a_row_written_with_its_headers_is_marked_by_its_cells(tmp_path: Path) -> None:
    read = Read(tmp_path, table_pdf([["Town", "Days"], ["Bonn", "27"], ["Celle", "31"]]))
    text = "Town: Bonn · Days: 27\nTown: Celle · Days: 31"
    characters = render(read.file, 1).characters()
    boxes = passage_boxes(*characters, text, text.index("Town: Celle"), len(text))
    assert read.under(boxes).endswith("Celle31") and "Bonn" not in read.under(boxes)


def test_ligatures_and_accents_are_found(tmp_path: Path) -> None:
    page, text = "The of\ufb01ce cafe\u0301", "The office café"
    boxes = [(10 * at, 0, 10 * at + 10, 20) for at in range(len(page))]
    assert passage_boxes(page, boxes, text, 4, len(text)) == [(40, 0, 150, 20)]


def test_a_text_that_is_not_on_the_page_is_not_marked(tmp_path: Path) -> None:
    page = "The office is open on Mondays."
    boxes = [(10 * at, 0, 10 * at + 10, 20) for at in range(len(page))]
    text = "Nothing of this stands there, and no part of it either."
    assert passage_boxes(page, boxes, text, 0, len(text)) == []


def test_what_is_found_is_marked_where_a_part_is_missing() -> None:
    page = "The kiln stays hot. STAMP OF THE OFFICE It is opened on Mondays only."
    boxes = [(10 * at, 0, 10 * at + 10, 20) for at in range(len(page))]
    text = "The kiln stays hot. It is opened on Mondays only."
    assert passage_boxes(page, boxes, text, 0, len(text)) == [
        (0, 0, 190, 20),
        (400, 0, 690, 20),
    ]


@pytest.mark.parametrize("text", ["a" * 20_000, "a " * 10_000, "· " * 10_000, "中" * 20_000, ""])
def test_a_page_of_one_letter_is_searched_all_the_same(text: str) -> None:
    boxes = [(1, 1, 2, 2)] * len(text)
    passage_boxes(text, boxes, text[: len(text) // 2] + "b" + text, 10, 3000)


def test_lines_are_merged_along_x_and_columns_along_y() -> None:
    line = [(0, 0, 10, 20), (10, 0, 10, 20), (12, 2, 20, 18), (300, 0, 310, 20)]
    assert merge(line) == [(0, 0, 20, 20), (300, 0, 310, 20)]
    column = [(50, 0, 60, 10), (50, 11, 60, 21), (50, 22, 60, 32)]
    assert merge(column) == [(50, 0, 60, 32)]


def test_boxes_are_fractions_of_the_page(tmp_path: Path) -> None:
    read = Read(tmp_path, lines_pdf([(HEIGHT / 2, "Kiln")]))
    (box,) = read.marked("Kiln")
    assert box[0] == pytest.approx(10_000 * 72 / WIDTH, abs=30)
    assert box[1] < 5000 < box[3]


def test_recognised_lines_within_a_passage_are_marked() -> None:
    lines = [[0, 10, 0.1, 0.1, 0.9, 0.15], [11, 20, 0.1, 0.2, 0.9, 0.25], [21, 30, 0.1, 0.3, 2, 1]]
    assert line_boxes(lines, 11, 20) == [(1000, 2000, 9000, 2500)]
    assert len(line_boxes(lines, 9, 22)) == 3 and line_boxes(lines, 10, 11) == []
    assert line_boxes(lines, 25, 26) == [(1000, 3000, 10_000, 10_000)]
