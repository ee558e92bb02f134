"""Importing chats in the settings: the report, the list, and a file that is no export."""

import json

from playwright.sync_api import expect

from tests.support.axe import violations
from tests.support.browser import Chat, Faults, words
from tests.support.exports import chatgpt_chat


def test_chats_are_imported_with_a_report(chat: Chat, faults: Faults) -> None:
    page = chat.page
    page.locator("[data-account]").click()
    page.locator("[data-open-settings]").click()
    result = page.locator("[data-import-result]")

    def send(name: str, content: bytes) -> None:
        file = {"name": name, "mimeType": "application/json", "buffer": content}
        page.locator("[data-import-file]").set_input_files([file])  # type: ignore[list-item]

    chats = json.dumps([chatgpt_chat(), {"title": "Odd"}]).encode()
    send("conversations.json", chats)
    expect(result).to_contain_text("Added: 1 chat with 4 messages. Not taken: 1 chat.")
    report = page.locator("[data-import-report]")
    expect(report).to_contain_text("“Odd”: " + words("en", "server.import.unknown"))
    expect(report).to_contain_text(words("en", "server.import.tools") + " (2)")
    assert violations(page) == []
    send("conversations.json", chats)
    expect(result).to_contain_text("Already here: 1 chat.")
    faults.expect("422")
    send("photo.json", b"not JSON")
    expect(result).to_have_attribute("data-result", "failed")
    expect(result).to_contain_text("ChatGPT")
    with page.expect_download() as started:
        page.locator("[data-export-all]").click()
    assert started.value.suggested_filename == "chats.zip"
    page.keyboard.press("Escape")
    page.locator("[data-session-open]", has_text="Tides").click()
    expect(chat.answers.last).to_contain_text("And at midnight.")
