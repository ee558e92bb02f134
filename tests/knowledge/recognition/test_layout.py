"""The order in which the lines of a page are read, and how they are joined."""

from chatapp.knowledge.recognition.layout import Piece, compose

HEIGHT, PITCH, WIDTH = 20, 30, 10  # of a line, between two lines, of a Latin letter


def lines(*texts: str, left: float = 0, top: float = 0, width: float = WIDTH) -> list[Piece]:
    return [
        Piece(text, left, top + n * PITCH, left + len(text) * width, top + n * PITCH + HEIGHT, n)
        for n, text in enumerate(texts)
    ]


def read(*groups: list[Piece]) -> str:
    return compose([piece for group in groups for piece in group])[0]


FIRST = (
    "The first column begins here",
    "and goes on in its second line",
    "until it ends with this.",
)
SECOND = (
    "The second column is read next",
    "and not before the first column",
    "has come to an end.",
)


def test_a_wrapped_paragraph_becomes_one_line() -> None:
    assert read(lines(*FIRST)) == " ".join(FIRST)


def test_chinese_lines_are_joined_without_a_blank() -> None:
    above, below = "每位员工每年享有十五天带薪年假，年假应当", "当年休完，确有困难的可以顺延。"
    assert read(lines(above, below, width=20)) == above + below


def test_a_word_that_is_divided_is_joined_again() -> None:
    text, places = compose(lines("The printer divides words in its infor-", "mation, as books do."))
    assert text == "The printer divides words in its information, as books do."
    assert [text[start:end] for _, start, end in places] == [
        "The printer divides words in its infor",
        "mation, as books do.",
    ]


def test_columns_are_read_one_after_the_other() -> None:
    right = lines(*SECOND, left=400)
    expected = f"{' '.join(FIRST)}\n\n{' '.join(SECOND)}"
    assert read(lines(*FIRST), right) == expected
    assert read(right, lines(*FIRST)) == expected


def test_a_title_across_the_columns_comes_first_and_a_footer_last() -> None:
    title = lines("A title that stands above both of the two columns of text", left=80)
    columns = lines(*FIRST, top=60), lines(*SECOND, left=400, top=60)
    footer = lines("A note below both columns, which belongs to neither of them", left=60, top=180)
    text = read(title, *columns, footer)
    assert [text.index(words) for words in ("A title", "The first", "The second", "A note")] == (
        sorted(text.index(words) for words in ("A title", "The first", "The second", "A note"))
    )
    assert f"\n\n{' '.join(FIRST)}\n\n{' '.join(SECOND)}\n\n" in text


def test_three_columns() -> None:
    third = (
        "Third and last on this page",
        "are these lines on its right",
        "which end the page here.",
    )
    text = read(lines(*FIRST), lines(*SECOND, left=400), lines(*third, left=800))
    assert text == "\n\n".join(" ".join(each) for each in (FIRST, SECOND, third))


def test_a_table_is_read_by_rows() -> None:
    cells = [
        Piece(
            text,
            column * 200,
            row * PITCH,
            column * 200 + len(text) * WIDTH,
            row * PITCH + HEIGHT,
            0,
        )
        for row, texts in enumerate(
            (("Item", "Price", "Stock"), ("Pen", "3", "12"), ("Ink", "7", "5"))
        )
        for column, text in enumerate(texts)
    ]
    assert read(cells) == "Item | Price | Stock\nPen | 3 | 12\nInk | 7 | 5"


def test_paragraphs_lists_and_headings_stay_apart() -> None:
    heading = [Piece("Leave", 0, 0, 90, 34, 0)]
    body = lines("Employees get fifteen days of leave.", "They are paid.", top=60)
    items = lines(
        "1. A first item of this list is here", "2. A second item of this list is here", top=150
    )
    assert read(heading, body, items) == (
        "Leave\n\nEmployees get fifteen days of leave. They are paid.\n\n"
        "1. A first item of this list is here\n2. A second item of this list is here"
    )


def test_short_lines_are_not_joined() -> None:
    revenue, profit = "营业收入：人民币五千万元", "净利润：人民币八百万元"
    assert read(lines(revenue, profit, width=20)) == f"{revenue}\n{profit}"


def test_the_places_of_all_lines_are_known() -> None:
    pieces = lines(*FIRST)
    text, places = compose(pieces)
    assert [(number, text[start:end]) for number, start, end in places] == list(enumerate(FIRST))


def test_an_empty_page_has_no_text() -> None:
    assert compose([]) == ("", [])
