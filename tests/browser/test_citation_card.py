"""The card at a citation: by pointer and keyboard, closed by Escape, none on touch screens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, PHONE, Chat, delete_bases
from tests.support.service import Service

SENTENCE = "The office of Zanzibar closes at nine o'clock."
both = pytest.mark.parametrize("language", LANGUAGES)
TOUCH = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


@pytest.fixture
def chip(chat: Chat, service: Service, tmp_path: Path) -> Iterator[Locator]:
    """The first citation of an answer."""
    file = tmp_path / "rules.md"
    file.write_text(f"# Opening hours\n\n{SENTENCE} It opens again at ten.", "utf-8")
    base = service.add_documents("Rules", file)
    chat.reload().choose_base(base)
    chat.choose_model("builtin/extractive")
    answer = chat.ask("When does the office of Zanzibar close?")
    chat.expect_complete(answer)
    chat.page.mouse.move(0, 0)
    yield answer.locator(".cite").first
    delete_bases(service)


def card_of(chat: Chat) -> Locator:
    return chat.page.locator("[data-citation-card]")


@both
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_citation_shows_its_sentence_under_the_pointer(
    chat: Chat, chip: Locator, language: str
) -> None:
    chat.page.clock.install()
    card = card_of(chat)
    chip.hover()
    expect(card).to_be_visible()
    expect(card).to_contain_text("rules.md")
    expect(card).to_contain_text("Opening hours")
    expect(card.locator("[data-citation-quote]")).to_contain_text("nine o'clock")
    expect(card).to_be_in_viewport(ratio=1)
    assert violations(chat.page) == []
    card.hover()
    chat.page.clock.fast_forward(1000)  # the card does not stay that long without the pointer
    expect(card).to_be_visible()
    chat.page.mouse.move(0, 0)
    expect(card).to_be_hidden()
    chip.hover()
    expect(card).to_be_visible()
    chip.click()
    expect(chat.panel).to_be_visible()
    expect(card).to_be_hidden()


def test_the_keyboard_reaches_the_card_and_escape_closes_it_first(
    chat: Chat, chip: Locator
) -> None:
    card = card_of(chat)
    chat.page.locator("[data-thread]").focus()
    for _ in range(20):
        chat.page.keyboard.press("Tab")
        if chip.evaluate("chip => chip === document.activeElement"):
            break
    expect(card).to_be_visible()
    expect(chip).to_have_attribute("aria-describedby", "citation-card")
    chat.page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(chip).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(chat.panel).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(chat.panel).to_be_hidden()
    expect(chip).to_be_focused()
    expect(card).to_be_hidden()
    chat.page.keyboard.press("Shift+Tab")
    chat.page.keyboard.press("Tab")
    expect(card).to_be_visible()
    chat.page.keyboard.press("Tab")
    expect(card).to_be_hidden()


@pytest.mark.parametrize("window", [TOUCH], ids=["phone"])
def test_a_tap_opens_the_panel_without_a_card(chat: Chat, chip: Locator) -> None:
    chip.tap()
    expect(chat.panel).to_be_visible()
    expect(card_of(chat).locator("visible=true")).to_have_count(0)
