"""What a supplier answered, below an error; and an address as it is understood."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import Chat, words
from tests.support.modelserver import ModelServer


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_what_the_supplier_answered_is_folded_below_the_error(chat: Chat, language: str) -> None:
    answer = chat.ask("How does it end?", "refuse-with-markup")
    for _ in range(2):
        details = chat.error(answer).locator("[data-upstream]")
        expect(details.locator("summary")).to_have_text(words(language, "upstream.title"))
        expect(details.locator("[data-upstream-text]")).to_be_hidden()
        details.locator("summary").click()
        text = details.locator("[data-upstream-text]")
        expect(text).to_contain_text("<b>CUDA</b> out of memory <img src=x onerror=alert(1)> ***")
        expect(text.locator("*")).to_have_count(0)
        expect(details.locator("[data-upstream-status]")).to_contain_text("500")
        chat.reload()


def test_an_error_of_our_own_has_no_such_details(chat: Chat) -> None:
    answer = chat.ask("How does it end?", "drop")
    expect(chat.error(answer)).to_be_visible()
    expect(chat.error(answer).locator("[data-upstream]")).to_be_hidden()


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_a_typed_address_is_shown_as_it_is_understood(
    chat: Chat, model_server: ModelServer, language: str
) -> None:
    chat.open_connect()
    dialog = chat.connect_dialog
    expect(dialog.locator("[data-preset] option").first).to_be_attached()
    dialog.locator("[data-preset]").select_option("")
    url, result = dialog.locator("[data-base-url]"), dialog.locator("[data-result]")
    url.fill(f" {model_server.base_url.removeprefix('http://').replace(':', '：')}/models")
    dialog.locator("[data-key]").fill("bad-key")
    dialog.locator("[data-test]").click()
    expect(result).to_have_attribute("data-result", "failed")
    expect(url).to_have_value(model_server.base_url)
    details = dialog.locator("[data-upstream]")
    details.locator("summary").click()
    expect(details.locator("[data-upstream-text]")).to_contain_text("Incorrect API key provided")

    url.fill(model_server.base_url.removesuffix("/v1"))
    dialog.locator("[data-key]").fill("Bearer sk-test")
    expect(details).to_be_hidden()
    dialog.locator("[data-test]").click()
    expect(result).to_have_attribute("data-result", "ok")
    expect(url).to_have_value(model_server.base_url)
    understood = words(language, "connect.understood").replace("{url}", model_server.base_url)
    expect(result).to_contain_text(understood)
