"""Documents through the page: uploaded, asked, cited, opened at the sentence; and what is said of a damaged one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.documents import (
    CHINESE_PAGE,
    CHINESE_SENTENCE,
    ENGLISH_PAGE,
    ENGLISH_SENTENCE,
    write_damaged_pdf,
    write_long_pdf,
)
from tests.browser.driver import LANGUAGES, Chat, words
from tests.service import Service


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    for base in service.get("/api/knowledge").json["items"]:
        if not base["bundled"]:
            service.request("DELETE", f"/api/knowledge/{base['id']}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pdf_is_uploaded_asked_in_two_languages_and_opened_at_the_sentence(chat: Chat, tmp_path: Path, language: str) -> None:
    chat.page.locator("[data-file-input]").set_input_files(write_long_pdf(tmp_path))
    expect(chat.page.locator("[data-upload]")).to_have_attribute("data-status", re.compile("embedding|ready"), timeout=20_000)
    expect(chat.page.locator("[data-knowledge-picker] [data-picker-label]")).to_have_text(words(language, "documents.base"))
    chat.choose_model("builtin/extractive")
    for question, said, number in (
        ("How is the lighthouse keeper of Rottumeroog paid?", ENGLISH_SENTENCE, ENGLISH_PAGE),
        ("青瓷工坊的窑温必须保持在多少度？", CHINESE_SENTENCE, CHINESE_PAGE),
    ):
        answer = chat.ask(question)
        chat.expect_complete(answer)
        expect(chat.text(answer)).to_contain_text(said)
        expect(answer.locator("[data-context]")).to_have_text(words(language, "documents.base"))
        chip = answer.locator("[data-source]").first
        expect(chip).to_contain_text("logbook.pdf")
        expect(chip).to_contain_text(words(language, "sources.page").replace("{page}", str(number)))
        answer.locator(".cite").first.click()
        expect(chat.panel.locator("[data-source-name]")).to_have_text("logbook.pdf")
        expect(chat.panel.locator("mark")).to_have_text(said)
        expect(chat.panel.locator("mark")).to_be_in_viewport()
        chat.page.keyboard.press("Escape")
        expect(chat.panel).to_be_hidden()
        expect(answer.locator(".cite").first).to_be_focused()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_damaged_file_says_why_it_cannot_be_read(chat: Chat, tmp_path: Path, language: str) -> None:
    chat.page.locator("[data-file-input]").set_input_files(write_damaged_pdf(tmp_path))
    upload = chat.page.locator("[data-upload]")
    expect(upload).to_have_attribute("data-status", "failed", timeout=20_000)
    expect(upload).to_contain_text(words(language, "error.unreadable_file"))
    chat.page.locator("[data-open-knowledge]").click()
    row = chat.page.locator("[data-dialog=knowledge] [data-file]")
    expect(row).to_contain_text(words(language, "error.unreadable_file"))
    row.locator("[data-file-delete]").click()
    expect(row).to_have_count(0)


def test_files_dropped_on_the_page_are_added(chat: Chat) -> None:
    chat.page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(['The ferry to Texel leaves every hour.'], 'ferry.txt', { type: 'text/plain' }));
          for (const type of ['dragenter', 'dragover', 'drop']) {
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
          }
        }"""
    )
    expect(chat.page.locator("[data-upload]")).to_have_attribute("data-status", re.compile("embedding|ready"), timeout=20_000)
    chat.choose_model("builtin/extractive")
    answer = chat.ask("When does the ferry to Texel leave?")
    expect(chat.text(answer)).to_contain_text("The ferry to Texel leaves every hour.")
