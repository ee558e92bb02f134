"""Saved prompts: `/` in the question field, by keyboard, and their dialog."""

from playwright.sync_api import expect

from tests.support.axe import violations
from tests.support.browser import Chat


def test_a_prompt_is_saved_found_and_inserted_by_keyboard(chat: Chat) -> None:
    page = chat.page
    menu = page.locator("[data-prompts]")
    dialog = page.locator("[data-dialog=prompts]")
    chat.input.press_sequentially("/")
    expect(menu.locator("[role=option]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    for name in ("Translate", "Summary"):
        dialog.locator("[data-prompt-name]").fill(name)
        dialog.locator("[data-prompt-text]").fill(f"{name} this:\nplease")
        dialog.locator("[data-prompt-save]").click()
        expect(dialog.locator("[data-prompt-list]")).to_contain_text(name)
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    chat.input.fill("/")
    expect(menu.locator("[role=option]")).to_have_count(3)
    assert violations(page) == []
    page.keyboard.press("ArrowDown")
    expect(menu.locator("[aria-selected=true]")).to_contain_text("Translate")
    chat.input.fill("/sum")
    expect(menu.locator("[role=option]")).to_have_count(2)
    page.keyboard.press("Enter")
    expect(menu).to_be_hidden()
    expect(chat.input).to_have_value("Summary this:\nplease")
    expect(chat.questions).to_have_count(0)

    chat.input.fill("/none such")
    expect(menu.locator("[role=option]")).to_have_count(1)
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(chat.input).to_have_value("/none such")
    chat.input.fill("a / b")
    expect(menu).to_be_hidden()

    chat.input.fill("/")
    menu.locator("[role=option]").last.click()
    for left in (1, 0):
        dialog.locator("[data-prompt-delete]").first.click()
        page.locator("[data-confirm-yes]").click()
        expect(dialog.locator("[data-saved-prompt]")).to_have_count(left)
