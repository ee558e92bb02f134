"""The settings: chat defaults, stored data, deleting all data."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from chatapp.core.prompt import DOCUMENTS_ONLY
from tests.support.axe import violations
from tests.support.browser import Chat, Faults, delete_bases, filled, own_bases, until, words
from tests.support.modelserver import ModelServer
from tests.support.service import Service

NARROW = {"width": 360, "height": 740}


@pytest.fixture(autouse=True)
def nothing_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)
    service.request("DELETE", "/api/auth/me/data")


class Settings:
    """Page object of the settings dialog."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator("[data-dialog=settings]")
        self.saved = self.root.locator("[data-defaults-saved]")
        self.fault = self.root.locator("[data-defaults-fault]")
        self.stored = self.root.locator("[data-stored]")
        self.asked = page.locator("[data-dialog=confirm]")

    def open(self) -> "Settings":
        self.page.locator("[data-account]").click()
        self.page.locator("[data-open-settings]").click()
        expect(self.stored).not_to_have_text("")
        return self

    def field(self, name: str) -> Locator:
        return self.root.locator(f"[data-default={name}]")


def test_chat_defaults_apply_and_all_data_can_be_deleted(
    chat: Chat, service: Service, model_server: ModelServer, faults: Faults, tmp_path: Path
) -> None:
    # The page is left while its running answer is deleted.
    faults.expect(r"Failed to load resource.*40[49]")
    ferry = tmp_path / "ferry.txt"
    ferry.write_text("The ferry to Texel leaves every hour.")
    base = service.add_documents("Harbour", ferry)
    settings = Settings(chat.reload().page).open()

    # values are saved on blur; invalid ones are reported
    expect(settings.field("max_length")).to_have_value("20")
    settings.field("temperature").fill("3")
    settings.field("documents_only").check()
    expect(settings.fault).to_have_text(
        filled("en", "settings.range", name=words("en", "settings.temperature"), min=0, max=2)
    )
    expect(settings.fault).to_be_in_viewport()
    expect(
        settings.root.locator("label:has([data-default=temperature]) + [data-defaults-fault]")
    ).to_be_visible()
    settings.field("temperature").fill("0.5")
    settings.field("max_length").fill("")
    expect(settings.saved).to_have_text(words("en", "settings.saved"))
    expect(settings.fault).to_be_hidden()
    settings.field("system_prompt").fill("Answer like a sailor.")
    expect(settings.field("max_length")).to_have_value("20")
    chat.page.keyboard.press("Escape")
    expect(settings.root).to_be_hidden()
    mine = {
        "temperature": 0.5,
        "system_prompt": "Answer like a sailor.",
        "max_length": 20,
        "documents_only": True,
    }
    until(chat.page, lambda: service.get("/api/auth/me").json["defaults"] == mine)

    # the next question uses them
    chat.choose_base(base)
    chat.choose_model("openai/echo")
    chat.expect_complete(chat.ask("When does the ferry leave?"))
    sent = model_server.asked()[-1].body
    assert sent["temperature"] == 0.5
    assert sent["messages"][0]["content"].startswith("Answer like a sailor.")
    assert sent["messages"][0]["content"].endswith(DOCUMENTS_ONLY)

    # stored data, also on a small phone
    settings.open()
    for part in ("1 chat with 2 messages", "1 knowledge base with 1 file"):
        expect(settings.stored).to_contain_text(part)
    expect(settings.root.locator("[data-home]")).to_contain_text(str(service.home))
    expect(settings.field("system_prompt")).to_have_value("Answer like a sailor.")
    assert violations(chat.page) == []
    chat.page.set_viewport_size(NARROW)
    assert settings.root.evaluate("(it) => it.scrollWidth <= it.clientWidth")
    settings.root.locator("[data-connect]").click()
    expect(chat.connect_dialog).to_be_visible()
    chat.page.keyboard.press("Escape")
    chat.page.set_viewport_size({"width": 1280, "height": 800})

    # delete all data while an answer is running and a draft is typed
    chat.ask("Go on for long", "hang-mid")
    expect(chat.text(chat.answers.last)).not_to_have_text("")
    live = model_server.asked()[-1]
    chat.input.fill("half a thought")
    settings.open()
    settings.root.locator("[data-delete-all]").click()
    for part in (
        "1 chat with 4 messages",
        "1 knowledge base with 1 file",
        words("en", "settings.data.ask.tokens"),
    ):
        expect(settings.asked).to_contain_text(part)
    with chat.page.expect_navigation():
        settings.asked.locator("[data-confirm-yes]").click()
    expect(chat.page.locator("[data-toast]")).to_have_text(words("en", "settings.data.deleted"))
    until(chat.page, lambda: live.closed_by_client)
    for look in (chat.ready, chat.reload):
        look()
        expect(chat.page).to_have_url(f"{service.url}/")
        expect(chat.page.locator("[data-sessions-empty]")).to_be_visible()
        expect(chat.answers).to_have_count(0)
        expect(chat.input).to_have_value("")
        assert own_bases(service) == []
    settings.open()
    expect(settings.stored).to_have_text(words("en", "settings.data.none"))
    expect(settings.field("system_prompt")).to_have_value("")
    expect(settings.field("documents_only")).not_to_be_checked()


def test_models_that_receive_texts_are_named(chat: Chat) -> None:
    def with_models(route: Route) -> None:
        reply = route.fetch()
        models = {"embedder": "bge-m3", "reranker": "bge-reranker-v2-m3"}
        route.fulfill(response=reply, json={**reply.json(), **models})

    chat.page.route("**/api/auth/me/stored", with_models)
    settings = Settings(chat.reload().page).open()
    for kind, name in (("embedder", "bge-m3"), ("reranker", "bge-reranker-v2-m3")):
        expect(settings.root.locator(f"[data-{kind}]")).to_have_text(
            filled("en", f"settings.data.{kind}", name=name)
        )
