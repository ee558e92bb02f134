"""The menu behind the chat's title: settings of the chat, by mouse and by keyboard."""

import pytest
from playwright.sync_api import Locator, expect

from tests.support.axe import violations
from tests.support.browser import PHONE, Chat, filled, until, words
from tests.support.modelserver import ModelServer
from tests.support.service import Service


def setting(chat: Chat, name: str) -> Locator:
    return chat.page.locator(f"[data-chat-setting={name}]")


def test_a_new_chat_gets_its_settings_before_the_first_question(
    chat: Chat, service: Service, model_server: ModelServer
) -> None:
    dialog = chat.page.locator("[data-dialog=chat-settings]")
    chat.menu("[data-chat-settings]")
    expect(setting(chat, "max_length")).to_have_attribute("placeholder", "20")
    assert violations(chat.page) == []
    setting(chat, "temperature").fill("7")
    dialog.locator("[type=submit]").click()
    expect(dialog.locator("[data-chat-settings-fault]")).to_have_text(
        filled("en", "settings.range", name=words("en", "settings.temperature"), min=0, max=2)
    )
    setting(chat, "temperature").fill("0.4")
    setting(chat, "system_prompt").fill("Answer like a sailor.")
    setting(chat, "documents_only").select_option("true")
    dialog.locator("[type=submit]").click()
    expect(dialog).to_be_hidden()
    expect(chat.page.locator("[data-title-button][data-own-settings]")).to_be_visible()

    chat.expect_complete(chat.ask("Ahoy?", "echo"))
    sent = model_server.asked()[-1].body
    assert sent["temperature"] == 0.4
    assert sent["messages"][0]["content"].startswith("Answer like a sailor.")
    own = {
        "temperature": 0.4,
        "system_prompt": "Answer like a sailor.",
        "max_length": None,
        "documents_only": True,
    }
    path = f"/api/sessions/{chat.session_id}"
    until(chat.page, lambda: service.get(path).json["settings"] == own)

    # after a reload, the next question still has them, and they can be given up
    chat.reload()
    expect(chat.page.locator("[data-title]")).to_have_text("Ahoy?")
    chat.expect_complete(chat.ask("And now?"))
    assert model_server.asked()[-1].body["temperature"] == 0.4
    chat.menu("[data-chat-settings]")
    expect(setting(chat, "system_prompt")).to_have_value("Answer like a sailor.")
    dialog.locator("[data-chat-settings-reset]").click()
    dialog.locator("[type=submit]").click()
    expect(dialog).to_be_hidden()
    assert set(service.get(path).json["settings"].values()) == {None}
    expect(chat.page.locator("[data-title-button][data-own-settings]")).to_be_hidden()

    # another chat has none of them
    chat.open()
    chat.menu("[data-chat-settings]")
    expect(setting(chat, "temperature")).to_have_value("")


@pytest.mark.parametrize("language", ["zh-CN"])
@pytest.mark.parametrize("window", [{"viewport": PHONE}], ids=["phone"])
def test_the_menu_works_by_keyboard_and_fits_a_phone(chat: Chat, language: str) -> None:
    page = chat.page
    page.locator("[data-title-button]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-chat-settings]")).to_be_focused()
    box = page.locator("[data-title-menu] [role=menu]").bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    assert violations(page) == []
    page.keyboard.press("Enter")
    dialog = page.locator("[data-dialog=chat-settings]")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("(it) => it.scrollWidth <= it.clientWidth")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.locator("[data-title-button]").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("[data-title-button]")).to_be_focused()


def test_a_temporary_chat_is_not_listed_until_it_is_kept(chat: Chat, service: Service) -> None:
    page = chat.page
    note = page.locator("[data-temporary-note]")
    chat.menu("[data-chat-temporary]")
    expect(note).to_be_visible()
    assert violations(page) == []
    chat.expect_complete(chat.ask("psst", "echo"))
    expect(page.locator("[data-title]")).to_have_text("psst")
    row = page.locator(f'[data-session="{chat.session_id}"]')
    chat.reload()
    expect(note).to_be_visible()
    expect(page.locator("[data-title]")).to_have_text("psst")
    chat.expect_complete(chat.ask("and on"))
    expect(row).to_have_count(0)
    chat.menu("[data-chat-keep]")
    expect(row).to_be_visible()
    expect(note).to_be_hidden()
    chat.open()
    expect(note).to_be_hidden()
