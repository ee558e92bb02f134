"""A source on its page as it looks: marked, turned, zoomed, remembered; and where it cannot be."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, PHONE, Chat, Faults, delete_bases, filled, words
from tests.support.page_documents import lines_pdf
from tests.support.service import Service
from tests.support.typed_documents import (
    CHINESE_PAGE,
    CHINESE_SENTENCE,
    ENGLISH_PAGE,
    ENGLISH_SENTENCE,
    write_long_pdf,
)

QUESTIONS = {
    "en-US": ("How is the lighthouse keeper of Rottumeroog paid?", ENGLISH_SENTENCE, ENGLISH_PAGE),
    "zh-CN": ("青瓷工坊的窑温必须保持在多少度？", CHINESE_SENTENCE, CHINESE_PAGE),
}
IN_VIEW = """(mark) => {
  const outer = mark.closest('[data-page-sheets]').getBoundingClientRect();
  const inner = mark.getBoundingClientRect();
  return inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
}"""


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


def ask(chat: Chat, service: Service, file: Path, question: str) -> Locator:
    """Ask a question that a document answers, and open its source."""
    base = service.add_documents("Pages", file)
    chat.reload().choose_base(base)
    chat.choose_model("builtin/extractive")
    answer = chat.ask(question)
    chat.expect_complete(answer)
    answer.locator(".cite").first.click()
    return answer


def sheets(chat: Chat) -> Locator:
    return chat.panel.locator("[data-page-sheets] [data-page]")


def expect_shown(sheet: Locator, page: int) -> None:
    expect(sheet).to_have_attribute("data-page", str(page))
    expect(sheet).not_to_have_attribute("data-loading", re.compile(".*"))
    assert sheet.locator("img").evaluate("(image) => image.naturalWidth") > 1000


LOOKS = [
    pytest.param("en-US", "light", {}, id="desktop-light-en"),
    pytest.param("zh-CN", "dark", {}, id="desktop-dark-zh"),
    pytest.param("zh-CN", "light", {"viewport": PHONE, "has_touch": True}, id="phone-light-zh"),
    pytest.param("en-US", "dark", {"viewport": PHONE, "has_touch": True}, id="phone-dark-en"),
]


@pytest.mark.parametrize(("language", "theme", "window"), LOOKS)
def test_a_citation_opens_its_page_with_the_sentence_marked(
    chat: Chat, service: Service, tmp_path: Path, language: str
) -> None:
    question, _, page = QUESTIONS[language]
    ask(chat, service, write_long_pdf(tmp_path), question)
    sheet = sheets(chat).first
    expect_shown(sheet, page)
    mark = sheet.locator("[data-mark=quote]").first
    expect(mark).to_have_attribute("aria-label", filled(language, "pages.mark", page=page))
    chat.page.wait_for_function(IN_VIEW, arg=mark.element_handle())
    expect(sheet.locator("img")).to_have_attribute(
        "alt", filled(language, "pages.alt", page=page, name="logbook.pdf")
    )
    expect(chat.panel.locator("[data-source-text]")).to_be_hidden()
    assert chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(chat.page) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_choice_of_page_or_text_is_remembered(
    chat: Chat, service: Service, tmp_path: Path, language: str
) -> None:
    question, sentence, page = QUESTIONS[language]
    answer = ask(chat, service, write_long_pdf(tmp_path), question)
    expect_shown(sheets(chat).first, page)
    chat.panel.get_by_role("button", name=words(language, "pages.view.text"), exact=True).click()
    expect(chat.panel.locator("mark")).to_have_text(sentence)
    expect(chat.panel.locator("mark")).to_be_in_viewport()
    expect(sheets(chat).first).to_be_hidden()
    chat.page.keyboard.press("Escape")
    answer.locator(".cite").first.click()
    expect(chat.panel.locator("[data-view-kind=text]")).to_have_attribute("aria-pressed", "true")
    expect(chat.panel.locator("mark")).to_be_in_viewport()
    chat.panel.locator("[data-view-kind=page]").click()
    expect_shown(sheets(chat).first, page)


def test_pages_are_turned_and_zoomed_with_the_keyboard(
    chat: Chat, service: Service, tmp_path: Path
) -> None:
    question, _, page = QUESTIONS["en-US"]
    ask(chat, service, write_long_pdf(tmp_path), question)
    place = chat.panel.locator("[data-page-place]")
    expect_shown(sheets(chat).first, page)
    mark = sheets(chat).locator("[data-mark=quote]").first
    expect(mark).to_be_visible()
    width = sheets(chat).first.bounding_box()["width"]  # type: ignore[index]
    chat.panel.locator("[data-page-sheets]").focus()
    chat.page.keyboard.press("+")
    assert sheets(chat).first.bounding_box()["width"] == pytest.approx(1.5 * width, rel=0.05)  # type: ignore[index]
    chat.page.wait_for_function(IN_VIEW, arg=mark.element_handle())
    chat.page.keyboard.press("-")
    chat.page.keyboard.press("Tab")
    expect(mark).to_be_focused()
    chat.panel.locator("[data-page-next]").click()
    expect_shown(sheets(chat).first, page + 1)
    expect(place).to_contain_text(str(page + 1))
    expect(sheets(chat).locator("[data-mark=quote]")).to_have_count(0)
    chat.panel.locator("[data-page-previous]").click()
    expect_shown(sheets(chat).first, page)
    expect(sheets(chat).locator("[data-mark=quote]").first).to_be_visible()


def test_a_passage_over_two_pages_shows_both(chat: Chat, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "pay.pdf"
    first = [(780.0, "The lighthouse keeper of Rottumeroog is paid in peat, in herring and")]
    file.write_bytes(lines_pdf(first, [(60, "in oil for the lamps of the lighthouse.")]))
    ask(chat, service, file, QUESTIONS["en-US"][0])
    expect(sheets(chat)).to_have_count(2)
    for page in (1, 2):
        expect_shown(sheets(chat).nth(page - 1), page)
        expect(sheets(chat).nth(page - 1).locator("[data-mark=passage]")).to_have_count(1)
    expect(chat.panel.locator("[data-page-place]")).to_contain_text("1–2")


def test_a_source_without_pages_is_shown_as_text(
    chat: Chat, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "keeper.md"
    file.write_text(ENGLISH_SENTENCE, "utf-8")
    ask(chat, service, file, QUESTIONS["en-US"][0])
    expect(chat.panel.locator("mark")).to_be_in_viewport()
    expect(chat.panel.locator("[data-page-view]")).to_be_hidden()


def test_a_page_that_cannot_be_shown_says_so_beside_the_text(
    chat: Chat, service: Service, tmp_path: Path, faults: Faults
) -> None:
    faults.expect("422", "503")
    file = write_long_pdf(tmp_path)
    error = '{"error": {"code": "unreadable_file", "message": "Cannot be shown."}}'
    chat.page.route(
        re.compile(r"/(pages/\d+|marks\?.*)$"), lambda route: route.fulfill(status=422, body=error)
    )
    ask(chat, service, file, QUESTIONS["en-US"][0])
    expect(chat.panel.locator("[data-page-note]")).to_have_text("Cannot be shown.")
    expect(chat.panel.locator("mark")).to_be_in_viewport()
    chat.page.unroute_all(behavior="ignoreErrors")
    chat.panel.locator("[data-view-kind=page]").click()
    expect_shown(sheets(chat).first, ENGLISH_PAGE)


def test_a_busy_server_is_asked_again(
    chat: Chat, service: Service, tmp_path: Path, faults: Faults
) -> None:
    faults.expect("503")
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        path = route.request.url
        if path in refused:
            route.continue_()
            return
        refused.append(path)
        error = '{"error": {"code": "knowledge_unavailable", "message": "Busy."}}'
        route.fulfill(status=503, headers={"Retry-After": "1"}, body=error)

    chat.page.route(re.compile(r"/(pages/\d+|marks\?.*)$"), refuse_once)
    ask(chat, service, write_long_pdf(tmp_path), QUESTIONS["en-US"][0])
    expect_shown(sheets(chat).first, ENGLISH_PAGE)
    expect(sheets(chat).locator("[data-mark=quote]").first).to_be_visible()
    assert len(refused) >= 2


def test_the_document_shows_its_pages_too(chat: Chat, service: Service, tmp_path: Path) -> None:
    ask(chat, service, write_long_pdf(tmp_path), QUESTIONS["en-US"][0])
    chat.panel.locator("[data-source-in-document]").click()
    document = chat.page.locator("[data-file-panel]")
    sheet = document.locator("[data-page-sheets] [data-page]").first
    expect_shown(sheet, ENGLISH_PAGE)
    expect(sheet.locator("[data-mark=quote]").first).to_be_in_viewport()
    document.locator("[data-view-kind=text]").click()
    expect(document.locator("[data-chunks] mark").first).to_be_in_viewport()
