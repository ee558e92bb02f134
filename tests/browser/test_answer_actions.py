"""The actions under an answer: when they show, the only way to retry, and copying."""

import re

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.support.browser import PHONE, Chat

SOURCE = "Some **bold** words and $a^2$\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n```sql\nselect 1\n```"
READ = """async (clipboard) => {
    const [item] = await clipboard.read();
    const read = async (type) => (await item.getType(type)).text();
    return [await read('text/plain'), await read('text/html')];
}"""
phone = pytest.mark.parametrize(
    "window", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}], ids=["phone"]
)


def two_turns(chat: Chat) -> tuple[Locator, Locator]:
    for text in ("First", "Second"):
        chat.expect_complete(chat.ask(text, "echo"))
    chat.input.focus()
    chat.page.mouse.move(0, 0)
    return chat.answers.nth(0), chat.answers.nth(1)


def shows_actions(message: Locator, shown: bool) -> None:
    expect(message.locator("[data-copy]")).to_have_css("opacity", "1" if shown else "0")


def test_actions_show_under_the_last_answer_and_elsewhere_with_pointer_or_focus(
    chat: Chat,
) -> None:
    first, last = two_turns(chat)
    shows_actions(last, True)
    shows_actions(first, False)
    shows_actions(chat.questions.last, False)
    first.hover()
    shows_actions(first, True)
    chat.page.mouse.move(0, 0)
    shows_actions(first, False)
    first.locator("[data-copy]").focus()
    shows_actions(first, True)


@phone
def test_actions_always_show_on_touch_screens(chat: Chat) -> None:
    for message in (*two_turns(chat), chat.questions.first):
        shows_actions(message, True)


def test_versions_of_an_answer_can_be_seen_without_the_pointer(chat: Chat) -> None:
    chat.expect_complete(chat.ask("First", "echo"))
    chat.answers.first.locator("[data-regenerate]").click()
    expect(chat.answers.first.locator("[data-branch-count]")).to_have_text("2/2")
    chat.expect_complete(chat.answers.first)
    chat.expect_complete(chat.ask("Second", "echo"))
    chat.input.focus()
    chat.page.mouse.move(0, 0)
    shows_actions(chat.answers.first, False)
    expect(chat.answers.first.locator("[data-branch]")).to_have_css("opacity", "1")


@pytest.mark.parametrize("model", ["refuse-500", "drop", "cut"])
def test_a_failed_answer_has_one_button_to_try_again(chat: Chat, model: str) -> None:
    answer = chat.ask("How does it end?", model)
    expect(answer).to_have_attribute("data-status", "failed")
    expect(answer.locator("[data-retry]")).to_be_visible()
    expect(answer.locator("[data-regenerate]")).to_be_hidden()
    chat.choose_model("openai/echo")
    answer.locator("[data-retry]").click()
    chat.expect_complete(chat.answers.last)
    expect(chat.answers.last.locator("[data-retry]")).to_be_hidden()
    expect(chat.answers.last.locator("[data-regenerate]")).to_be_visible()


@pytest.mark.parametrize("secure", [True, False], ids=["https", "plain http"])
def test_copy_copies_markdown_and_formatted_text(
    chat: Chat, context: BrowserContext, secure: bool
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = chat.ask(SOURCE, "echo")
    chat.expect_complete(answer)
    expect(answer.locator(".katex")).to_be_visible()
    clipboard = chat.page.evaluate_handle("navigator.clipboard")
    if not secure:
        chat.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    answer.locator("[data-copy]").click()
    expect(answer.locator("[data-copy]")).to_have_attribute("data-done", "")
    text, html = clipboard.evaluate(READ)
    assert text == SOURCE
    assert "<strong" in html and "bold</strong>" in html and "$a^2$" in html
    assert re.search(r"<td[^>]*>1</td>", html) and "select 1" in html
    assert not re.search(r"<button|katex|figcaption|\sdata-|\sclass=", html)
