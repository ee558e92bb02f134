"""PDF pages as a reader sees them: tables, columns, code, crop boxes, and unreadable pages."""

from pathlib import Path

import pytest

from chatapp.knowledge.formats.legibility import is_legible
from chatapp.knowledge.ingest.parse import parse
from tests.support import documents
from tests.support.pdf_pages import PROSE, Page, made
from tests.support.reading import headings, in_order, read, refusal_reason

PLACES = (72, 200, 300, 400)
HEAD = ("Product", "Location", "Expected", "Status")
ROWS = (
    ("Bicycle", "A-12", "450", ""),
    ("Laptop", "", "289", "Short"),
    ("Lamp", "C-15", "", "Fine"),
    ("Table", "D-22", "180", "Fine"),
)


def table(page: Page, y: float, rows: tuple[tuple[str, ...], ...] = (HEAD, *ROWS)) -> Page:
    for number, row in enumerate(rows):
        page.row(y - 16 * number, PLACES, row)
    return page


def test_each_row_of_a_table_keeps_its_header_and_empty_cells_their_column(tmp_path: Path) -> None:
    page = table(Page().prose(760, 4), 680).prose(560, 4)
    paragraphs = read(tmp_path, made(page)).text.split("\n\n")
    assert "Product: Bicycle · Location: A-12 · Expected: 450" in paragraphs
    assert "Product: Laptop · Expected: 289 · Status: Short" in paragraphs
    assert "Product: Lamp · Location: C-15 · Status: Fine" in paragraphs
    assert paragraphs[0].startswith("Everybody") and paragraphs[-1].startswith("Everybody")


def test_a_table_that_is_drawn_column_by_column_is_read_by_rows(tmp_path: Path) -> None:
    page = Page()
    for column, place in enumerate(PLACES):
        for number, row in enumerate((HEAD, *ROWS)):
            if row[column]:
                page.write(place, 700 - 16 * number, row[column])
    assert "Product: Table · Location: D-22 · Expected: 180 · Status: Fine" in read(
        tmp_path, made(page)
    ).text.split("\n\n")


def test_numbers_on_the_right_stay_in_their_columns(tmp_path: Path) -> None:
    page = Page().row(700, (72, 262, 355), ("Region", "2023", "2024"))
    for number, (region, one, two) in enumerate(
        (("North", "7", "1,204,330"), ("South", "12,400", "9"), ("West", "1,204", "88"))
    ):
        y = 684 - 16 * number
        page.write(72, y, region).write(285 - 5.2 * len(one), y, one)
        page.write(380 - 5.2 * len(two), y, two)
    paragraphs = read(tmp_path, made(page)).text.split("\n\n")
    assert paragraphs == [
        "Region: North · 2023: 7 · 2024: 1,204,330",
        "Region: South · 2023: 12,400 · 2024: 9",
        "Region: West · 2023: 1,204 · 2024: 88",
    ]


def test_lines_of_one_cell_are_joined(tmp_path: Path) -> None:
    places = (72, 180, 420)
    page = Page().row(700, places, ("Office", "Rule", "Days"))
    rows = (
        ("Bonn", ("Bicycles may be borrowed by", "everybody who asks for one"), "27"),
        ("Ulm", ("Laptops stay in the office", "unless the Head agrees"), "28"),
        ("Celle", ("Parking places belong to", "those who come early"), "29"),
    )
    for number, (office, (first, second), days) in enumerate(rows):
        y = 670 - 40 * number
        page.row(y, places, (office, first, days)).row(y - 12, places, ("", second, ""))
    for rules in ([], [(70, 460, 688 - 40 * number) for number in range(4)]):
        page.rules = rules
        paragraphs = read(tmp_path, made(page)).text.split("\n\n")
        assert paragraphs[0] == (
            "Office: Bonn · Rule: Bicycles may be borrowed by everybody who asks for one · Days: 27"
        )
        assert len(paragraphs) == 3


def test_a_table_over_two_pages_keeps_its_header(tmp_path: Path) -> None:
    more = tuple(
        (f"Part {number}", f"B-{number}", f"{number}0", "Fine") for number in range(11, 16)
    )
    text = read(tmp_path, made(table(Page(), 700), table(Page(), 760, more))).text
    assert "Product: Part 11 · Location: B-11 · Expected: 110 · Status: Fine" in text.split("\n\n")


def test_a_form_stays_line_by_line(tmp_path: Path) -> None:
    lines = (
        ("Insured name", "Ada Lovelace", "Make", "Jeep"),
        ("Claim", "SF-1008", "Model", "Cherokee"),
        ("Phone", "(425) 111-1111", "Colour", "White"),
        ("E-mail", "ada@example.org", "Odometer", "9,800"),
    )
    page = Page()
    for number, line in enumerate(lines):
        page.row(700 - 16 * number, PLACES, line)
    text = read(tmp_path, made(page)).text
    assert text.split("\n\n") == [" · ".join(line) for line in lines]


def test_columns_of_prose_are_read_one_after_the_other(tmp_path: Path) -> None:
    apart = Page().prose(740, 30, x=60, width=44).prose(740, 30, x=310, width=44)
    mixed = Page()
    for left, right in zip(apart.texts[:30], apart.texts[30:], strict=True):
        mixed.texts += [left, right]
    for page in (apart, mixed):
        text = " ".join(read(tmp_path, made(page)).text.split())
        assert " · " not in text
        assert text.count(PROSE.strip()) >= 12


def test_a_running_text_with_numbers_in_front_is_no_table(tmp_path: Path) -> None:
    page = Page()
    for number in range(1, 7):
        page.write(72, 700 - 24 * number, f"{number}.").prose(700 - 24 * number, 1, x=110, width=60)
    text = read(tmp_path, made(page)).text
    assert " · " not in text and "3. Everybody who works" in text


def test_text_outside_the_visible_page_is_left_out(tmp_path: Path) -> None:
    halves = []
    for crop in ((0, 0, 297, 842), (298, 0, 595, 842)):
        page = Page(crop=crop).prose(700, 12, x=40, width=40)
        for number in range(12):
            page.write(330, 700 - 12 * number, f"The other half has its own line {number}.")
        halves.append(page)
    document = read(tmp_path, made(*halves))
    first, second = document.text[: document.pages[1]], document.text[document.pages[1] :]
    assert "Everybody" in first and "other half" not in first
    assert "Everybody" not in second and second.count("other half") == 12


def test_a_turned_page_is_read_as_it_looks(tmp_path: Path) -> None:
    page = table(Page(turned=90), 680)
    assert "Product: Lamp · Location: C-15 · Status: Fine" in read(tmp_path, made(page)).text.split(
        "\n\n"
    )


def test_code_keeps_its_lines_and_indentation(tmp_path: Path) -> None:
    page = Page().prose(760, 8)
    for number, (indent, line) in enumerate(
        ((0, "def leave(days):"), (4, "if days > 10:"), (8, "ask_the_head()"), (4, "return days"))
    ):
        page.write(72 + 6 * indent, 640 - 12 * number, line, "Courier", 10)
    assert (
        "def leave(days):\n    if days > 10:\n        ask_the_head()\n    return days"
        in read(tmp_path, made(page.prose(560, 8))).text
    )


def test_labels_of_figures_and_repeated_lines_are_no_headings(tmp_path: Path) -> None:
    pages = [
        Page()
        .write(72, 800, "ACME handbook, internal", "Helvetica-Bold", 14)
        .write(72, 740, f"Chapter about {town}", "Helvetica-Bold", 14)
        .prose(700, 20)
        .row(420, (100, 220, 340), ("Spring", "Summer", "Autumn"), font="Helvetica-Bold", size=14)
        .prose(380, 20)
        for town in ("Bonn", "Ulm", "Celle", "Jena")
    ]
    assert headings(read(tmp_path, made(*pages))) == [
        f"Chapter about {town}" for town in ("Bonn", "Ulm", "Celle", "Jena")
    ] or headings(read(tmp_path, made(*pages)))[1:] == [
        f"Chapter about {town}" for town in ("Bonn", "Ulm", "Celle", "Jena")
    ]


def test_pages_that_need_text_recognition_are_named(tmp_path: Path) -> None:
    garbled = Page()
    for number in range(20):
        garbled.write(72, 700 - 12 * number, "! $ % & ' ( -.45)& 2 %' % * + / & ? % ;")
    document = read(
        tmp_path,
        made(Page().prose(700, 10), Page(picture=True), garbled, Page(), Page().prose(700, 10)),
    )
    assert document.unread_pages == (2, 3) and document.skipped == 2
    assert [(one.name, one.reason) for one in document.left_out] == [
        ("2", "scanned_pages"),
        ("3", "garbled_pages"),
    ]
    assert len(document.pages) == 5 and "%" not in document.text
    assert refusal_reason(tmp_path, made(Page())) == "no_text"


def test_a_file_of_such_pages_has_no_text_and_names_them(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(made(Page(picture=True), Page(), Page(picture=True)))
    document = parse(path, "scan.pdf", 100)
    assert (document.text, document.pages, document.unread_pages) == ("", (0, 0, 0), (1, 3))


def test_letters_that_are_no_language_are_recognised_as_such() -> None:
    shifted = "".join(chr(ord(one) - 29) if one.isalpha() else one for one in PROSE.lower() * 2)
    chinese = (
        "凡在办事处工作的员工均可借用公司的自行车，但须提前三个工作日向行政部负责人提出申请。" * 4
    )
    assert is_legible(PROSE) and is_legible(chinese)
    assert is_legible("员工姓名部门职务工资奖金补贴" * 12)
    assert is_legible("Zażółć gęślą jaźń i niech będzie dobrze wszystkim ludziom " * 4)
    assert is_legible("total 1,204 · 88 % · 12/2024\n" * 20)
    program = (
        "for (i = 0; i < n; i++) {\n    total += values[i];\n}\nif (total > limit)\n    stop(1);"
    )
    assert is_legible(program * 10)
    assert not is_legible(shifted)
    assert not is_legible("ðóññêèé ÿçûê ñ ïîòåðÿííîé êîäèðîâêîé " * 8)
    assert not is_legible("\ue001\ue002\ue003 \uf0a1\uf0b2" * 30)
    assert not is_legible("".join(chr(0x4E00 + 37 * number) for number in range(300)))


def test_a_broken_page_costs_itself(tmp_path: Path) -> None:
    whole = documents.pdf("First page.", "Second page.", "Third page.")
    start = whole.index(b"stream", whole.index(b"stream") + 40)
    broken = whole[: start + 10] + b"\xff" * 20 + whole[start + 30 :]
    assert "First page." in read(tmp_path, broken).text


def test_lines_stay_in_order(tmp_path: Path) -> None:
    page = Page().prose(760, 3).write(72, 700, "Subject    of    the    letter").prose(680, 3)
    assert in_order(read(tmp_path, made(page)).text, ["Everybody", "Subject", "Everybody"])


@pytest.mark.parametrize("box", ["0 0 600 800", "0 800 600 0", "600 800 0 0", "600 0 0 800"])
def test_the_corners_of_a_page_may_be_named_in_any_order(tmp_path: Path, box: str) -> None:
    whole = documents.pdf("Employees get 27 days of leave.")
    turned = whole.replace(b"MediaBox[0 0 600 800]", b"MediaBox[%s]" % box.encode())
    assert "27 days" in read(tmp_path, turned).text
