"""Web pages on the page: adding an address, what goes wrong, and fetching it again."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, PHONE, Chat, Faults, delete_bases, words
from tests.support.service import Service
from tests.support.websites import WebSite, page

both = pytest.mark.parametrize("language", LANGUAGES)
phone = pytest.mark.parametrize(
    "window", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}], ids=["phone"]
)
TIDES = "<title>Tide table</title><p>High water at Den Helder is at noon."
LATER = "<title>Tide table</title><p>High water at Den Helder is at one o'clock."


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


@pytest.fixture
def site() -> Iterator[WebSite]:
    with WebSite({"/tides": page(TIDES)}) as made:
        yield made


@pytest.fixture
def harbour(service: Service) -> str:
    return str(service.post("/api/knowledge", {"name": "Harbour"}).json["id"])


class Sources:
    """The files of the only base."""

    def __init__(self, chat: Chat) -> None:
        self.page: Page = chat.page
        self.root = self.page.locator("[data-dialog=knowledge]")
        self.address = self.root.locator("[data-page-address]")
        self.problem = self.root.locator("[data-page-problem]")
        self.file = self.root.locator("[data-file]")

    def open(self) -> "Sources":
        menu = self.page.locator(".topbar [data-toggle-sidebar]")
        if menu.is_visible():
            menu.click()
        self.page.locator("[data-open-knowledge]").click()
        expect(self.root).to_be_visible()
        self.root.locator("[data-base]", has_text="Harbour").click()
        return self

    def add(self, address: str) -> None:
        self.address.fill(address)
        self.address.press("Enter")


@pytest.fixture
def sources(chat: Chat, harbour: str) -> Sources:
    Chat(chat.page).reload()
    return Sources(chat).open()


@both
def test_a_pasted_address_becomes_a_file_with_its_title_and_link(
    sources: Sources, site: WebSite, language: str
) -> None:
    sources.add(f"{site.url}/tides")
    expect(sources.file).to_contain_text("Tide table")
    expect(sources.address).to_have_value("")
    expect(sources.address).to_be_focused()
    link = sources.file.locator("[data-file-address]")
    expect(link).to_have_attribute("href", f"{site.url}/tides")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(sources.file).to_contain_text(words(language, "page.kind"))
    sources.file.locator("[data-file-open]").click()
    expect(sources.root.locator("[data-this-address]")).to_have_attribute(
        "href", f"{site.url}/tides"
    )
    expect(sources.root.locator("[data-chunks]")).to_contain_text("at noon")
    site.pages["/tides"] = page(LATER)
    sources.root.locator("[data-this-fetch]").click()
    expect(sources.root.locator("[data-chunks]")).to_contain_text("one o'clock")
    expect(sources.root.locator("[data-chunks]")).not_to_contain_text("at noon")


@both
def test_a_refused_address_says_why_and_stays_in_the_field(
    sources: Sources, faults: Faults, language: str
) -> None:
    faults.expect("422")
    sources.add("http://me:secret@example.org/")
    expect(sources.problem).to_be_visible()
    expect(sources.problem).to_contain_text(words(language, "server.reason.url_credentials"))
    expect(sources.address).to_have_value("http://me:secret@example.org/")
    expect(sources.address).to_have_attribute("aria-invalid", "true")
    sources.address.press("End")
    sources.address.press("x")
    expect(sources.problem).to_be_hidden()


@both
def test_a_page_that_fails_can_be_tried_again(
    sources: Sources, site: WebSite, language: str
) -> None:
    sources.add(f"{site.url}/missing")
    reason = sources.file.locator("[data-file-reason]")
    expect(reason).to_contain_text("404")
    site.pages["/missing"] = page(TIDES)
    sources.file.locator("[data-file-retry]").click()
    expect(sources.file).to_contain_text("Tide table")
    expect(reason).to_be_hidden()


def test_a_page_that_cannot_be_fetched_again_keeps_its_content(
    sources: Sources, site: WebSite
) -> None:
    sources.add(f"{site.url}/tides")
    fetch = sources.file.locator("[data-file-fetch]")
    fetch.click()
    expect(sources.file).to_contain_text("unchanged on")
    site.pages.clear()
    fetch.click()
    expect(sources.file.locator("[data-file-reason]")).to_contain_text("earlier content stays")
    sources.file.locator("[data-file-open]").click()
    expect(sources.root.locator("[data-chunks]")).to_contain_text("at noon")


@phone
@both
def test_a_phone_has_room_for_it(sources: Sources, site: WebSite, language: str) -> None:
    sources.address.fill(f"{site.url}/tides")
    sources.root.locator("[data-page-add]").tap()
    expect(sources.file).to_contain_text("Tide table")
    for part in ("page-address", "page-add"):
        box = sources.root.locator(f"[data-{part}]").bounding_box()
        assert box
        assert box["height"] >= 44, part
    width = "document.querySelector('[data-dialog=knowledge]').scrollWidth"
    assert sources.page.evaluate(width) <= PHONE["width"]
    assert violations(sources.page) == []


def test_a_citation_links_to_the_page(
    sources: Sources, site: WebSite, service: Service, harbour: str
) -> None:
    sources.add(f"{site.url}/tides")
    expect(sources.file).to_contain_text("Tide table")
    expect(sources.file).to_have_attribute("data-status", re.compile("ready|embedding"))
    sources.root.locator("[data-base-use]").click()
    chat = Chat(sources.page)
    chat.ask("When is high water at Den Helder?")
    sources.page.locator("[data-source]").first.click()
    link = sources.page.locator("[data-source-page]")
    expect(link).to_have_attribute("href", f"{site.url}/tides")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
