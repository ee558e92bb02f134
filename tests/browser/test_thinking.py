"""Thinking that begins as text, and answers without a word, in both languages."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import Chat, sentence
from tests.support.modelthinking import ANSWER, GO_ON, THOUGHT

both_languages = pytest.mark.parametrize("language", ["en-US", "zh-CN"])


@pytest.fixture
def held() -> Iterator[None]:
    """Keep the model thinking until the test lets it go on."""
    GO_ON.clear()
    yield
    GO_ON.set()


@both_languages
@pytest.mark.usefixtures("held")
def test_text_that_was_thinking_moves_into_the_thinking(chat: Chat, language: str) -> None:
    answer = chat.ask("Think", "thinks-slowly")
    expect(chat.text(answer)).to_have_text(THOUGHT.strip())
    GO_ON.set()
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text(ANSWER)
    label = answer.locator("[data-reasoning-label]")
    expect(label).to_have_text(sentence(language, "thinking.took"))
    answer.locator("[data-reasoning] summary").click()
    expect(answer.locator("[data-reasoning-text]")).to_have_text(re.compile(THOUGHT.strip()))
    chat.reload()
    expect(chat.text(answer)).to_have_text(ANSWER)


@both_languages
@pytest.mark.parametrize(
    ("model", "key", "thinks"),
    [
        ("says-nothing-stop", "error.upstream_empty", False),
        ("says-nothing-cut-thinking", "error.upstream_empty.thinking_length", True),
    ],
)
def test_an_answer_without_a_word_says_so_and_offers_another(
    chat: Chat, language: str, model: str, key: str, thinks: bool
) -> None:
    answer = chat.ask("Well?", model)
    for _ in range(2):
        expect(answer.locator("[data-error-text]")).to_have_text(sentence(language, key))
        expect(answer.locator("[data-retry]")).to_be_visible()
        expect(answer.locator("[data-error-continue]")).to_be_hidden()
        expect(answer.locator("[data-reasoning]")).to_be_visible(visible=thinks)
        chat.reload()
    chat.choose_model("openai/echo")
    answer.locator("[data-retry]").click()
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text("Well?")
