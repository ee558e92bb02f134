"""Sharing a chat on the page, and the page that a stranger opens."""

from playwright.sync_api import Browser, expect

from tests.support.axe import violations
from tests.support.browser import Chat, Faults, new_window, words
from tests.support.service import Service


def test_a_chat_is_shared_read_by_a_stranger_and_revoked(
    chat: Chat, browser: Browser, service: Service, faults: Faults
) -> None:
    page = chat.page
    chat.choose_model("builtin/extractive")
    chat.expect_complete(chat.ask(words("en", "empty.suggestion.1")))
    chat.menu("[data-share]")
    dialog = page.locator("[data-dialog=share]")
    dialog.locator("[data-share-create]").click()
    link = dialog.locator("[data-share-link]")
    expect(link).to_be_visible()
    assert violations(page) == []
    address = link.input_value()
    assert address.startswith(f"{service.url}/shared/")

    stranger = new_window(browser, service.url)
    visitor = stranger.new_page()
    faults.watch(visitor)
    requested: list[str] = []
    visitor.on("request", lambda request: requested.append(request.url))
    visitor.goto(address)
    answer = visitor.locator("[data-shared-message][data-role=assistant]")
    cite = answer.locator(".cite").first
    cite.click()
    expect(answer.locator(f"[data-shared-source='{cite.get_attribute('data-n')}']")).to_be_focused()
    assert violations(visitor) == []
    assert visitor.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert all(url.startswith(service.url) and "/api/" not in url for url in requested)

    dialog.locator("[data-share-revoke]").click()
    expect(dialog.locator("[data-shares-section]")).to_be_hidden()
    faults.expect("404")
    visitor.reload()
    expect(visitor.locator("[data-shared-ended]")).to_be_visible()
    assert violations(visitor) == []
    stranger.close()


def test_a_chat_is_downloaded(chat: Chat) -> None:
    chat.choose_model("builtin/extractive")
    chat.expect_complete(chat.ask(words("en", "empty.suggestion.1")))
    for kind in ("md", "json"):
        with chat.page.expect_download() as started:
            chat.menu(f"[data-export={kind}]")
        assert started.value.suggested_filename.endswith(f".{kind}")
