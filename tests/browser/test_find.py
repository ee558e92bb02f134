"""The palette: chats, knowledge bases and actions behind one field; and the list of keys."""

import re

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, PHONE, Chat, Faults, filled, messages, until, words
from tests.support.service import Service

SEARCHES = re.compile(r"/api/sessions/search\?")
STILL = {"reduced_motion": "reduce"}
PHONE_WINDOW = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
QUESTIONS = ("Which hotels may be booked in Rotterdam?", "How much leave is there?")


class Palette:
    """The palette by its hooks."""

    def __init__(self, chat: Chat) -> None:
        self.page = chat.page
        self.root = chat.page.locator("[data-dialog=find]")
        self.field = self.root.locator("[data-find-field]")
        self.options = self.root.locator("[data-option]")
        self.active = self.root.locator("[data-option][aria-selected=true]")
        self.note = self.root.locator("[data-find-note]")

    def open(self) -> "Palette":
        self.page.keyboard.press("Control+k")
        expect(self.field).to_be_focused()
        expect(self.options.first).to_be_visible()
        return self

    def option(self, label: str) -> Locator:
        return self.options.filter(has_text=label)

    def expect_active(self, label: str) -> None:
        expect(self.active).to_have_count(1)
        expect(self.active).to_contain_text(label)
        option = self.active.get_attribute("id") or "none"
        expect(self.field).to_have_attribute("aria-activedescendant", option)


@pytest.fixture
def palette(chat: Chat) -> Palette:
    return Palette(chat)


@pytest.fixture
def asked(chat: Chat, service: Service) -> list[str]:
    """Two chats with answers; their ids, the older first."""
    ids = []
    for question in QUESTIONS:
        body = {
            "question": question,
            "llm_config": {"supplier": "openai", "model": "echo"},
            "knowledge_config": None,
        }
        ids.append(str(service.post("/chat", body).json["session_id"]))
    chat.reload()
    return ids


def test_a_chat_is_found_by_words_of_its_messages_by_keyboard_alone(
    chat: Chat, palette: Palette, service: Service, asked: list[str]
) -> None:
    palette.open()
    chat.page.keyboard.type("rotterdam HOTELS")
    found = palette.option(QUESTIONS[0])
    expect(found.locator("[data-find-label] mark")).to_have_text(["hotels", "Rotterdam"])
    expect(found.locator("[data-find-snippet]")).to_contain_text("Rotterdam")
    palette.expect_active(QUESTIONS[0])
    chat.page.keyboard.press("Enter")
    expect(palette.root).to_be_hidden()
    stored = [row["id"] for row in messages(service, asked[0], "assistant")]
    expect(chat.page).to_have_url(re.compile(f"/c/{asked[0]}#{stored[0]}$"))
    expect(chat.questions).to_have_text(re.compile("Rotterdam"))
    expect(chat.answers.last).to_be_focused()


def test_recent_chats_are_offered_before_anything_is_typed(
    chat: Chat, palette: Palette, service: Service, asked: list[str]
) -> None:
    latest = service.post("/api/sessions", {"title": "The latest"}).json["id"]
    assert service.request("PATCH", f"/api/sessions/{asked[0]}", {"pinned": True}).status == 200
    chat.open(f"/c/{asked[1]}")
    palette.open()
    expect(palette.option(QUESTIONS[0])).to_be_visible()
    expect(palette.option(QUESTIONS[1])).to_have_count(0)  # the one shown
    expect(palette.option(words("en", "find.export.md"))).to_be_visible()
    palette.expect_active("The latest")
    chat.page.keyboard.press("ArrowUp")
    palette.expect_active(filled("en", "find.language", name="简体中文"))
    expect(palette.active).to_be_in_viewport()
    chat.page.keyboard.press("ArrowDown")
    palette.expect_active("The latest")
    with chat.page.context.expect_page() as opened:
        chat.page.keyboard.press("Control+Enter")
    Chat(opened.value).ready()
    expect(opened.value).to_have_url(re.compile(latest))
    expect(palette.root).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(palette.root).to_be_hidden()
    expect(chat.input).to_be_focused()


def test_enter_waits_for_the_chats_that_are_being_searched(
    chat: Chat, palette: Palette, asked: list[str]
) -> None:
    held: list[Route] = []
    chat.page.route(SEARCHES, lambda route: held.append(route))
    palette.open()
    with chat.page.expect_request(SEARCHES):
        chat.page.keyboard.type("leave")
        chat.page.keyboard.press("Enter")
    expect(palette.root).to_be_visible()
    expect(palette.note).to_have_text(words("en", "find.searching"))
    chat.page.route(SEARCHES, lambda route: route.continue_())
    for route in held:  # a slow keyboard asks more than once
        route.continue_()
    expect(chat.page).to_have_url(re.compile(asked[1]))


def test_what_is_found_meanwhile_does_not_take_a_click_away(
    chat: Chat, palette: Palette, service: Service
) -> None:
    """The list is drawn again after the click: a row that is replaced would not be clicked."""
    made = service.post("/api/knowledge", {"name": "Travel rules"}).json
    chat.reload()
    held: list[Route] = []
    chat.page.route(SEARCHES, lambda route: held.append(route))
    palette.open()
    chat.page.keyboard.type("rules")
    palette.expect_active("Travel rules")
    until(chat.page, lambda: bool(held) and "=rules" in held[-1].request.url)
    palette.active.hover()
    chat.page.mouse.down()
    with chat.page.expect_response(SEARCHES):
        held[-1].continue_()
    chat.page.wait_for_timeout(200)
    chat.page.mouse.up()
    title = chat.page.locator("[data-dialog=knowledge] [data-base-title]")
    expect(title).to_contain_text("Travel rules")
    chat.page.unroute(SEARCHES)
    service.request("DELETE", f"/api/knowledge/{made['id']}")


def test_actions_and_knowledge_bases_are_found(
    chat: Chat, palette: Palette, service: Service
) -> None:
    made = service.post("/api/knowledge", {"name": "Travel rules"}).json
    chat.reload()
    palette.open()
    chat.page.keyboard.type("rules")
    palette.expect_active("Travel rules")
    palette.active.click()
    knowledge = chat.page.locator("[data-dialog=knowledge]")
    expect(knowledge.locator("[data-base-title]")).to_contain_text("Travel rules")
    chat.page.keyboard.press("Control+k")  # one dialog at a time
    expect(palette.root).to_be_hidden()
    chat.page.keyboard.press("Escape")
    service.request("DELETE", f"/api/knowledge/{made['id']}")
    palette.open()
    chat.page.keyboard.type("theme dark")
    palette.expect_active("Dark")
    chat.page.keyboard.press("Enter")
    expect(chat.page.locator("html")).to_have_attribute("data-theme", "dark")
    palette.open()
    chat.page.keyboard.type("setti")
    palette.expect_active(words("en", "settings.title"))
    chat.page.keyboard.press("Enter")
    expect(chat.page.locator("[data-dialog=settings]")).to_be_visible()
    chat.page.context.clear_cookies(name="chatapp_theme")


def test_a_chat_is_exported_from_the_palette(
    chat: Chat, palette: Palette, asked: list[str]
) -> None:
    chat.open(f"/c/{asked[0]}")
    palette.open()
    chat.page.keyboard.type("markdown")
    palette.expect_active(words("en", "find.export.md"))
    with chat.page.expect_download() as export:
        chat.page.keyboard.press("Enter")
    assert export.value.suggested_filename.endswith(".md")


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_found_and_a_failed_search_say_what_to_do(
    chat: Chat, palette: Palette, faults: Faults, language: str
) -> None:
    palette.open()
    chat.page.keyboard.type("xyzzy")
    expect(palette.note).to_have_text(filled(language, "find.nothing", query="xyzzy"))
    expect(palette.field).to_have_attribute("aria-expanded", "false")
    faults.expect("503")
    refusal = {"error": {"code": "database_busy", "message": "Not now."}}
    chat.page.route(SEARCHES, lambda route: route.fulfill(status=503, json=refusal))
    chat.page.keyboard.type("zz")
    expect(palette.note).to_have_text(filled(language, "find.failed", reason="Not now."))
    chat.page.unroute(SEARCHES)
    palette.root.locator("[data-find-again]").click()
    expect(palette.note).to_have_text(filled(language, "find.nothing", query="xyzzyzz"))
    expect(palette.field).to_be_focused()


def test_the_list_of_keys_opens_by_key_and_from_the_account_menu(
    chat: Chat, palette: Palette
) -> None:
    keys = chat.page.locator("[data-dialog=keys]")
    chat.page.keyboard.type("?")
    expect(chat.input).to_have_value("?")
    chat.page.keyboard.press("Control+/")
    expect(keys.locator("kbd", has_text="Ctrl").first).to_be_visible()
    chat.page.keyboard.press("Escape")
    chat.page.locator("aside [data-toggle-sidebar]").focus()
    chat.page.keyboard.press("?")
    expect(keys).to_be_visible()
    chat.page.keyboard.press("Escape")
    chat.page.locator("[data-account]").click()
    chat.page.locator("[data-account-menu] [data-open-keys]").click()
    expect(keys).to_be_visible()


@pytest.mark.parametrize("window", [STILL, STILL | PHONE_WINDOW], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_palette_has_no_accessibility_violations(
    chat: Chat, palette: Palette, asked: list[str], window: dict, theme: str
) -> None:
    if "viewport" in window:
        chat.page.locator(".topbar [data-toggle-sidebar]").tap()
        assert violations(chat.page) == []
        chat.page.locator("[data-find]").tap()
        expect(palette.options.first).to_be_visible()
    else:
        palette.open()
    assert violations(chat.page) == []
    palette.field.fill("leave")
    expect(palette.root.locator("[data-find-snippet] mark").first).to_be_visible()
    assert violations(chat.page) == []
    palette.field.fill("xyzzy")
    expect(palette.note).to_be_visible()
    assert violations(chat.page) == []
    chat.page.keyboard.press("Control+/")
    expect(chat.page.locator("[data-dialog=keys]")).to_be_visible()
    assert violations(chat.page) == []
