"""Presets: a chat's model and settings saved under a name, and taken up in another chat."""

from playwright.sync_api import expect

from tests.support.axe import violations
from tests.support.browser import Chat


def test_a_preset_is_saved_used_and_deleted(chat: Chat) -> None:
    page = chat.page
    label = page.locator("[data-model-picker] [data-picker-label]")
    title = page.locator("[data-title-button]")
    dialog = page.locator("[data-dialog=presets]")
    chat.choose_model("openai/echo")
    title.click()
    page.locator("[data-chat-settings]").click()
    page.locator("[data-chat-setting=temperature]").fill("0.3")
    page.locator("[data-dialog=chat-settings] [type=submit]").click()
    title.click()
    page.locator("[data-presets]").click()
    name = dialog.locator("[data-preset-name]")
    expect(dialog).to_be_visible()
    name.press("Enter")
    expect(dialog.locator("[data-preset-fault]")).to_be_visible()
    name.fill("Parrot")
    name.press("Enter")
    expect(dialog.locator("[data-preset-use]")).to_contain_text("Parrot")
    expect(dialog.locator("[data-preset-use]")).to_contain_text("echo")
    assert violations(page) == []
    page.keyboard.press("Escape")

    chat.open()
    chat.choose_model("openai/cited")
    expect(title).not_to_have_attribute("data-own-settings", "")
    page.locator("[data-model-picker] [data-picker-button]").click()
    page.locator("[data-model-picker] [data-option]", has_text="Parrot").click()
    expect(label).to_have_text("echo")
    expect(title).to_have_attribute("data-own-settings", "")
    chat.expect_complete(chat.ask("Hello"))

    title.click()
    page.locator("[data-presets]").click()
    dialog.locator("[data-preset-delete]").click()
    page.locator("[data-confirm-yes]").click()
    expect(dialog.locator("[data-preset-use]")).to_have_count(0)
