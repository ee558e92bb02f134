"""The advanced options of a supplier, entered in the connect dialog."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser import Chat, Faults, words
from tests.support.modelserver import ModelServer
from tests.support.service import Service


@pytest.fixture
def dialog(chat: Chat, service: Service) -> Iterator[Locator]:
    """The connect dialog, with a custom supplier's address to enter."""
    chat.open_connect()
    dialog = chat.connect_dialog
    expect(dialog.locator("[data-preset] option").first).to_be_attached()
    dialog.locator("[data-preset]").select_option("")
    yield dialog
    for supplier in own_suppliers(service):
        service.request("DELETE", f"/api/suppliers/{supplier['id']}")


def own_suppliers(service: Service) -> list[dict]:
    items = service.get("/api/suppliers").json["items"]
    return [one for one in items if one["source"] != "environment"]


def option(dialog: Locator, name: str) -> Locator:
    return dialog.locator(f"[data-supplier-option={name}]")


def edit(chat: Chat) -> None:
    """Open the only user-made supplier for editing."""
    chat.page.locator("[data-model-picker] [data-picker-button]").click()
    chat.page.locator("[data-model-picker] [data-connect]").click()
    chat.connect_dialog.locator("[data-edit-supplier]:enabled").click()


def test_options_are_saved_sent_and_removed(
    chat: Chat, dialog: Locator, service: Service, model_server: ModelServer
) -> None:
    dialog.locator("[data-base-url]").fill(model_server.base_url)
    expect(option(dialog, "proxy")).to_be_hidden()
    dialog.locator("[data-advanced] summary").click()
    option(dialog, "first_token_seconds").fill("12.5")
    option(dialog, "headers").fill("X-Team: research\nX-Secret: s3cret")
    option(dialog, "body").fill('{"enable_thinking": false}')
    dialog.locator("[data-save]").click()
    expect(dialog).to_be_hidden()
    [saved] = own_suppliers(service)
    assert saved["options"] == {
        "first_token_seconds": 12.5,
        "headers": {"X-Team": "***", "X-Secret": "***"},
        "body": {"enable_thinking": False},
    }

    chat.choose_base("")
    chat.input.fill("Hello")
    chat.send.click()
    chat.expect_complete(chat.answers.last)
    asked = model_server.asked()[-1]
    assert asked.headers["x-secret"] == "s3cret"
    assert asked.body["enable_thinking"] is False

    edit(chat)
    expect(option(dialog, "headers")).to_have_value("X-Team: ***\nX-Secret: ***")
    option(dialog, "headers").fill("X-Secret: ***\nX-More: 1")
    option(dialog, "first_token_seconds").fill("")
    dialog.locator("[data-save]").click()
    expect(dialog).to_be_hidden()
    [changed] = own_suppliers(service)
    assert set(changed["options"]) == {"headers", "body"}
    assert set(changed["options"]["headers"]) == {"X-Secret", "X-More"}

    chat.input.fill("Hello again")
    chat.send.click()
    expect(chat.answers).to_have_count(2)
    chat.expect_complete(chat.answers.last)
    assert model_server.asked()[-1].headers["x-secret"] == "s3cret"


INVALID = {
    "headers": ("no colon", "connect.option.headers.fault"),
    "body": ("[1, 2]", "connect.option.body.fault"),
    "idle_seconds": ("0", "connect.option.seconds.fault"),
}


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_an_invalid_option_is_named_and_nothing_is_saved(
    dialog: Locator,
    service: Service,
    model_server: ModelServer,
    faults: Faults,
    language: str,
    name: str,
) -> None:
    text, reason = INVALID[name]
    dialog.locator("[data-base-url]").fill(model_server.base_url)
    dialog.locator("[data-advanced] summary").click()
    option(dialog, name).fill(text)
    dialog.locator("[data-save]").click()
    expect(dialog.locator("[data-result]")).to_have_attribute("data-result", "failed")
    expect(dialog.locator("[data-result]")).to_contain_text(words(language, reason))
    expect(option(dialog, name)).to_be_focused()
    assert own_suppliers(service) == []
