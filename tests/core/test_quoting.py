"""Which sentences of a passage may be quoted, and how headings count for them."""

import pytest

from chatapp.core.quoting import DECAY, best_quote, is_title, read_sentences
from chatapp.core.text import query_tokens


def same(word: str) -> str:
    return word


def kinds(text: str, heading: str = "") -> list[tuple[str, str]]:
    read = read_sentences(text, heading, set(), same)
    return [(one.kind, text[one.span.start : one.span.end]) for one in read]


def quote(text: str, heading: str, *asked: str) -> str:
    span, _ = best_quote(text, heading, dict.fromkeys(asked, 1.0), same)
    return text[span.start : span.end]


@pytest.mark.parametrize(
    ("text", "heading", "title"),
    [
        ("## Leave of staff\n\nIt is long.", "", "## Leave of staff"),
        ("Leave of staff\n\nIt is long.", "Handbook › Leave of staff", "Leave of staff"),
        ("Leave  OF\tstaff\nIt is long.", "Handbook › Leave of staff", "Leave  OF\tstaff"),
        ("*Leave* of `staff`\n\nIt is long.", "Leave of staff", "*Leave* of `staff`"),
        ("How long is leave?\n\nIt is long.", "", "How long is leave?"),
        ("年假有多长？很长。", "", "年假有多长？"),
        ("These hold here:\n\nIt is long.", "", "These hold here:"),
    ],
)
def test_headings_questions_and_announcements_are_not_quotable(
    text: str, heading: str, title: str
) -> None:
    first, second = kinds(text, heading)
    assert first == ("title", title)
    assert second[0] == "text"


@pytest.mark.parametrize(
    "text", ["Leave of staff is long.", 'He asked "who?" and left.', "#1 is the best."]
)
def test_a_sentence_that_looks_like_a_heading_is_quotable(text: str) -> None:
    assert kinds(text, "Leave of staff") == [("text", text)]


def test_a_question_in_simplified_characters_quotes_a_traditional_text_as_it_is_written() -> None:
    text = "人人有權享有國籍。任何人的財產不得任意剝奪。"
    asked = query_tokens("什么财产不能剥夺？", same)
    assert quote(text, "", *asked) == "任何人的財產不得任意剝奪。"
    assert kinds("第三節 假期\n\n假期很長。") == kinds("第三節 假期\n\n假期很長。", "第三節 假期")


def test_a_title_of_several_sentences_is_a_title() -> None:
    assert [kind for kind, _ in kinds("## 1. Leave! Long ago.\n\nIt is long.")] == ["title"] * 3 + [
        "text"
    ]


@pytest.mark.parametrize("text", ["The employees get twenty days of leave.", "员工" * 20 + "。"])
def test_a_block_that_nothing_closes_ends_before_prose(text: str) -> None:
    assert kinds(f"```sh\nmake run\n\nmake test\n\n{text}") == [
        ("code", "make run\n\nmake test"),
        ("text", text),
    ]
    assert kinds("```sh\nmake run\n\nMake it so") == [("code", "make run\n\nMake it so")]


def test_rules_and_single_numbers_are_marks() -> None:
    assert kinds("Leave\n=====\n\n|---|---|\n\n1.\n\n---", "Leave") == [
        ("title", "Leave"), ("mark", "====="), ("mark", "|---|---|"), ("mark", "1."),
        ("mark", "---"),
    ]  # fmt: skip


def test_list_items_and_text_are_different_kinds() -> None:
    assert [kind for kind, _ in kinds("- one day\n* two days\n1. three days\n2、四天\n3 days")] == [
        "item"
    ] * 4 + ["text"]


def test_a_block_of_code_is_one_sentence() -> None:
    text = "Run this:\n\n```sh\n# no heading\nmake run? yes\n```\n\nThat is all."
    assert kinds(text) == [
        ("title", "Run this:"),
        ("code", "# no heading\nmake run? yes"),
        ("text", "That is all."),
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("make run\n```\n\nThat is all.", [("code", "make run"), ("text", "That is all.")]),
        ("That is all.\n\n```sh\nmake run", [("text", "That is all."), ("code", "make run")]),
    ],
)
def test_a_passage_may_begin_or_end_inside_a_block_of_code(
    text: str, wanted: list[tuple[str, str]]
) -> None:
    assert kinds(text) == wanted


def test_a_headings_words_count_below_it_and_decay() -> None:
    text = "## Where is my data?\n\nIn a folder. Beside the program. All data is there."
    title, *below = read_sentences(text, "", {"data", "folder", "moon"}, same)
    assert title.held == {"data": 1.0}
    assert [one.held["data"] for one in below] == pytest.approx([1.0, DECAY, 1.0])
    assert below[0].held["folder"] == 1.0, "its own"
    assert all("moon" not in one.held for one in below)


def test_the_quote_is_the_sentence_below_a_heading() -> None:
    text = "## Where is my data?\n\nIn the folder. Ask for more."
    assert quote(text, "Where is my data?", "data") == "In the folder."
    assert best_quote(text, "", {"data": 1.0}, same)[1] == 1.0, (
        "who asks in the heading's words has found the place"
    )


def test_the_quote_covers_most_of_the_questions_weight() -> None:
    text = "Leave is good. Employees get 25 days of leave. Employees eat."
    assert quote(text, "", "employees", "leave", "days") == "Employees get 25 days of leave."


def test_a_heading_is_quoted_where_there_is_nothing_else() -> None:
    assert quote("## My data", "My data", "data") == "## My data"
    assert quote("", "", "data") == ""
    assert is_title("# Manual\n\n## My data", "Manual › My data")
    assert not is_title("# Manual\n\nMy data", "Manual")
