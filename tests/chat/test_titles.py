"""A title is the first question, cut well."""

import pytest

from chatapp.chat.titles import title_of


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How many days of leave?", "How many days of leave?"),
        ("  How many\n days?  ", "How many days?"),
        ("请问年假有多少天？另外病假呢？", "请问年假有多少天？"),
        ("年假有多少天。谢谢", "年假有多少天"),
    ],
)
def test_the_first_sentence_is_the_title(question: str, title: str) -> None:
    assert title_of(question) == title


def test_a_long_question_is_cut_at_a_word() -> None:
    title = title_of("please explain in detail " * 20)
    assert title.endswith("…") and len(title) < 110
    assert title.removesuffix("…").split()[-1] in ("please", "explain", "in", "detail")


def test_a_very_long_question_costs_no_more() -> None:
    assert len(title_of("长" * 100_000)) <= 26
    assert title_of("word " * 20_000).endswith("…")


def test_a_long_chinese_question_is_cut_at_a_character() -> None:
    title = title_of("请详细解释一下这个问题的来龙去脉" * 10)
    assert title.endswith("…") and len(title) <= 26
