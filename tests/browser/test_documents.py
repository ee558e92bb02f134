"""Documents on the page: upload, citations, source panel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import LANGUAGES, Chat, Faults, delete_bases, words
from tests.support.service import Service
from tests.support.typed_documents import (
    CHINESE_PAGE,
    CHINESE_SENTENCE,
    ENGLISH_PAGE,
    ENGLISH_SENTENCE,
    write_long_pdf,
)


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pdf_is_uploaded_cited_in_two_languages_and_opened_at_the_quote(
    chat: Chat, tmp_path: Path, language: str
) -> None:
    chat.add(write_long_pdf(tmp_path))
    chat.expect_found(chat.upload("logbook.pdf"))
    expect(chat.base).to_have_text("logbook")
    chat.choose_model("builtin/extractive")
    for question, said, number in (
        ("How is the lighthouse keeper of Rottumeroog paid?", ENGLISH_SENTENCE, ENGLISH_PAGE),
        ("青瓷工坊的窑温必须保持在多少度？", CHINESE_SENTENCE, CHINESE_PAGE),
    ):
        answer = chat.ask(question)
        chat.expect_complete(answer)
        expect(chat.text(answer)).to_contain_text(said)
        expect(answer.locator("[data-context]")).to_have_text("logbook")
        chip = answer.locator("[data-source]").first
        expect(chip).to_contain_text("logbook.pdf")
        expect(chip).to_contain_text(words(language, "sources.page").replace("{page}", str(number)))
        answer.locator(".cite").first.click()
        expect(chat.panel.locator("[data-source-name]")).to_have_text("logbook.pdf")
        chat.panel.locator("[data-view-kind=text]").click()
        expect(chat.panel.locator("mark")).to_have_text(said)
        expect(chat.panel.locator("mark")).to_be_in_viewport()
        chat.page.keyboard.press("Escape")
        expect(chat.panel).to_be_hidden()
        expect(answer.locator(".cite").first).to_be_focused()


def test_the_source_panel_marks_quotes_shows_tables_and_links_the_original(
    chat: Chat, service: Service, tmp_path: Path, faults: Faults
) -> None:
    faults.expect("404")  # of the deleted base's pages
    file = tmp_path / "hotels.md"
    file.write_text(
        "# Hotels\n\nHotels in Rotterdam cost at most 140 euros. "
        "Hotels in Rotterdam are booked by the office.\n\n"
        "| City | Night |\n| --- | --- |\n| Gdansk | 95 euros |\n",
        "utf-8",
    )
    base = service.add_documents("Travel", file)
    chat.reload().choose_base(base)
    chat.choose_model("builtin/extractive")
    answer = chat.ask("What do hotels in Rotterdam cost, and who books hotels in Rotterdam?")
    chat.expect_complete(answer)
    answer.locator(".cite").first.click()
    marks = " ".join(chat.panel.locator("mark").all_inner_texts())
    assert "at most 140 euros" in marks and "booked by the office" in marks
    expect(chat.panel.locator("td")).to_have_text(["City", "Night", "Gdansk", "95 euros"])
    with chat.page.expect_download() as download:
        chat.panel.locator("[data-source-original]").click()
    assert Path(download.value.path()).read_bytes() == file.read_bytes()
    chat.panel.locator("[data-source-in-document]").click()
    dialog = chat.page.locator("[data-dialog=knowledge]")
    expect(dialog.locator("[data-this-name]")).to_have_text("hotels.md")
    expect(dialog.locator("[data-chunks] mark").first).to_be_in_viewport()
    chat.page.keyboard.press("Escape")
    service.request("DELETE", f"/api/knowledge/{base}")
    chat.reload()
    chat.answers.last.locator(".cite").first.click()
    chat.panel.locator("[data-source-in-document]").click()
    expect(chat.page.locator("[data-toast]")).to_contain_text(words("en", "knowledge.gone"))
    expect(dialog).to_be_hidden()
