"""Layout and accessibility in both themes and languages, on a phone; and the list of chats."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, PHONE, Chat, filled, words
from tests.support.service import Service, wait_for

PHONE_WINDOW = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
WIDE = """A table and code that are wider than any phone:

| one | two | three | four | five | six | seven |
| - | - | - | - | - | - | - |
| Donaudampfschifffahrt | Donaudampfschifffahrt | Donaudampfschifffahrt | Donaudampfschifffahrt \
| x | y | z |

```
{0}
```

https://example.org/{0}
""".format("wide" * 60)


@pytest.mark.parametrize("window", [{"reduced_motion": "reduce"}], ids=["still"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chat_page_has_no_accessibility_violations(chat: Chat, theme: str) -> None:
    assert violations(chat.page) == []
    chat.choose_model("builtin/extractive")
    answer = chat.ask("How do I connect a model?")
    chat.expect_complete(answer)
    answer.locator(".cite").first.click()
    expect(chat.panel).to_be_visible()
    assert violations(chat.page) == []
    chat.page.evaluate("document.activeElement.blur()")
    chat.page.keyboard.press("Escape")  # the browser treats it like Back on a phone
    expect(chat.panel).to_be_hidden()
    chat.page.locator("[data-model-picker] [data-picker-button]").click()
    chat.page.locator("[data-model-picker] [data-connect]").click()
    expect(chat.connect_dialog.locator("[data-preset] option").first).to_be_attached()
    expect(chat.connect_dialog.locator("[data-reason]")).to_be_hidden()
    assert violations(chat.page) == []
    chat.page.keyboard.press("Escape")
    failed = chat.ask("Fail", "cut")
    expect(chat.error(failed)).to_be_visible()
    assert violations(chat.page) == []


@pytest.mark.parametrize("window", [PHONE_WINDOW], ids=["phone"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phone_has_a_drawer_and_no_horizontal_scrolling(chat: Chat, language: str) -> None:
    width = (
        "Math.max(document.documentElement.scrollWidth, "
        "document.querySelector('[data-scroll]').scrollWidth)"
    )
    sidebar = chat.page.locator("aside[data-sidebar]")
    expect(sidebar).to_be_hidden()
    assert chat.page.evaluate(width) <= PHONE["width"]
    answer = chat.ask(WIDE, "echo")
    chat.expect_complete(answer)
    assert chat.page.evaluate(width) <= PHONE["width"]
    chat.page.locator(".topbar [data-toggle-sidebar]").tap()
    expect(sidebar).to_be_in_viewport()
    expect(chat.page.locator("main")).to_have_js_property("inert", True)
    expect(sidebar.locator("[data-session-open]").first).to_have_attribute("aria-current", "page")
    chat.page.locator("[data-scrim]").tap(position={"x": 370, "y": 400})
    expect(sidebar).to_be_hidden()
    expect(chat.page.locator("main")).to_have_js_property("inert", False)
    for picker, what in (("knowledge", "composer.picker.knowledge"), ("model", "composer.model")):
        button = chat.page.locator(f"[data-{picker}-picker] [data-picker-button]")
        expect(button).to_have_attribute(
            "aria-label", re.compile(f"^{words(language, what)}[:：] ?.")
        )
    chat.page.set_viewport_size({"width": 844, "height": 390})  # landscape
    expect(sidebar).to_be_hidden()
    chat.page.set_viewport_size({"width": 195, "height": 422})  # zoom of 200 %
    left, right = (
        chat.page.locator(f"[data-{name}-picker]").bounding_box() for name in ("knowledge", "model")
    )
    assert (
        left
        and right
        and left["x"] + left["width"] <= right["x"]
        and right["x"] + right["width"] <= 195
    )
    assert min(left["width"], right["width"], left["height"], right["height"]) >= 40
    assert chat.page.evaluate(width) <= 195
    chat.page.set_viewport_size(PHONE)
    answer.locator("[data-text] button").first.tap()
    expect(answer.locator("[data-text] button").first).to_have_text(words(language, "app.copied"))
    chat.input.fill("one line")
    chat.input.press("Enter")
    expect(chat.input).to_have_value("one line\n")
    for _ in range(3):
        chat.expect_complete(chat.ask(WIDE, "echo"))
    assert chat.page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_changing_the_language_keeps_the_draft(chat: Chat) -> None:
    chat.input.fill("half a thought")
    chat.page.locator("[data-account]").click()
    chat.page.locator("[data-open-settings]").click()
    chat.page.locator("[data-language]").select_option("zh-CN")
    expect(chat.page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(chat.ready().input).to_have_attribute(
        "placeholder", words("zh-CN", "composer.placeholder")
    )
    expect(chat.input).to_have_value("half a thought")


def test_the_theme_is_part_of_the_served_html(chat: Chat) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = chat.page.evaluate(background)
    chat.page.locator("[data-account]").click()
    chat.page.locator("[data-open-settings]").click()
    chat.page.locator("[data-theme-choice] [value=dark]").check(force=True)
    expect(chat.page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = chat.page.evaluate(background)
    assert dark != light
    with chat.page.expect_response(
        lambda response: response.request.is_navigation_request()
    ) as served:
        chat.reload()
    assert re.search(r"<html[^>]*data-theme=\"dark\"", served.value.text())
    assert chat.page.evaluate(background) == dark


def test_a_chat_is_renamed_pinned_and_deleted_with_undo(chat: Chat, service: Service) -> None:
    chat.expect_complete(chat.ask("The original name", "echo"))
    path = f"/api/sessions/{chat.session_id}"
    row = chat.page.locator(f'[data-session="{chat.session_id}"]')
    name = filled("en", "session.menu_of", title="The original name")
    expect(row.locator("[data-session-menu]")).to_have_attribute("aria-label", name)
    open_menu(chat, row, "[data-rename]")
    row.locator("[data-rename-field]").fill("A better name")
    row.locator("[data-rename-field]").press("Enter")
    expect(row.locator("[data-session-open]")).to_have_text("A better name")
    wait_for(lambda: service.get(path).json["title"] == "A better name")
    open_menu(chat, row, "[data-pin]")
    expect(chat.page.locator(".session-heading h2").first).to_have_text(words("en", "date.pinned"))
    open_menu(chat, row, "[data-delete]")
    expect(row).to_have_count(0)
    chat.page.locator("[data-toast-action]").click()
    expect(row.locator("[data-session-open]")).to_have_text("A better name")
    assert service.get(path).status == 200
    open_menu(chat, row, "[data-delete]")
    chat.page.locator("[data-toast-close]").click()
    wait_for(lambda: service.get(path).status == 404)
    chat.reload()
    expect(row).to_have_count(0)


def open_menu(chat: Chat, row, entry: str) -> None:
    row.hover()
    row.locator("[data-session-menu]").click()
    chat.page.locator(f"[data-session-entries] {entry}").click()
