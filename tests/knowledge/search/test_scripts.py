"""Traditional and simplified Chinese: each finds and quotes texts in the other, as written."""

import pytest

from chatapp.chains.extractive import answer, fits
from chatapp.core.prompt import Prompt
from tests.support.declaration import QUESTIONS, SIMPLIFIED, TRADITIONAL, as_markdown
from tests.support.shelf import Shelf


@pytest.mark.parametrize("is_traditional", [True, False], ids=["traditional", "simplified"])
def test_a_text_answers_questions_in_both_scripts(
    either_shelf: Shelf, is_traditional: bool
) -> None:
    text = as_markdown(TRADITIONAL if is_traditional else SIMPLIFIED)
    either_shelf.add("宣言.md", text)
    articles = list((TRADITIONAL if is_traditional else SIMPLIFIED).items())
    for traditional, in_simplified, number in QUESTIONS:
        heading, article = articles[number]
        found = [either_shelf.search(asked) for asked in (traditional, in_simplified)]
        assert found[0] == found[1]
        best = found[0][0]
        assert best.heading == heading
        assert best.quote in article and text[best.start : best.end] == best.text
        assert fits(traditional, found[0]) and fits(in_simplified, found[0])
        said = [
            answer(Prompt(asked, [], found[0], grounded=True))
            for asked in (traditional, in_simplified)
        ]
        assert said[0] == said[1] and best.quote in said[0]


def test_headings_and_file_names_are_found_in_the_other_script(either_shelf: Shelf) -> None:
    either_shelf.add("請假辦法.md", "# 病假\n\n須於當天通知主管。\n\n# 喪假\n\n有三天。")
    either_shelf.add("食堂.md", "# 开放时间\n\n每天中午开放。")
    assert either_shelf.search("丧假规定")[0].heading == "喪假"
    assert {passage.name for passage in either_shelf.search("请假办法")} == {"請假辦法.md"}
    assert either_shelf.search("開放時間")[0].name == "食堂.md"
