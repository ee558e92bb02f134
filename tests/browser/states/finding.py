"""States of the palette, the keys, the settings and the models."""

import json

from playwright.sync_api import expect

from tests.browser.states.stage import Stage
from tests.support.exports import chatgpt_chat


def palette(stage: Stage) -> None:
    """The palette before anything is typed."""
    stage.side("[data-find]").click()
    expect(stage.page.locator("[data-find-list] [data-option]").first).to_be_visible()


def search(stage: Stage) -> None:
    """Chats that were found by words of their messages."""
    stage.answered()
    palette(stage)
    stage.page.locator("[data-find-field]").fill("leave" if stage.language == "en" else "年假")
    expect(stage.page.locator("[data-find-snippet] mark").first).to_be_visible()


def nothing(stage: Stage) -> None:
    """A search without a result."""
    palette(stage)
    stage.page.locator("[data-find-field]").fill("xyzzy")
    expect(stage.page.locator("[data-find-note]")).to_contain_text("“xyzzy”")


def keys(stage: Stage) -> None:
    """The list of keys."""
    _account(stage, "[data-open-keys]")
    expect(stage.page.locator("[data-key-rows] kbd").first).to_be_visible()


def settings(stage: Stage) -> None:
    """The settings."""
    _account(stage, "[data-open-settings]")
    expect(stage.page.locator("[data-language]")).to_be_visible()


def imported(stage: Stage) -> None:
    """The report of an import."""
    settings(stage)
    names = ("Tides", "Odd") if stage.language == "en" else ("潮汐", "其他")
    chats = [chatgpt_chat(f"{stage.look}", names[0]), {"title": names[1]}]
    export = {
        "name": "conversations.json",
        "mimeType": "application/json",
        "buffer": json.dumps(chats).encode(),
    }
    stage.page.locator("[data-import-file]").set_input_files([export])  # type: ignore[list-item]
    report = stage.page.locator("[data-import-report]")
    expect(report).to_be_visible()
    report.evaluate("(it) => it.scrollIntoView({ block: 'center' })")


def connect(stage: Stage) -> None:
    """Connecting a model."""
    _account(stage, "[data-connect]")
    expect(stage.chat.connect_dialog.locator("[data-preset] option").first).to_be_attached()
    expect(stage.chat.connect_dialog.locator("[data-reason]")).to_be_hidden()


def models(stage: Stage) -> None:
    """The choice of a model."""
    picker = stage.page.locator("[data-model-picker]")
    picker.locator("[data-picker-button]").click()
    expect(picker.locator("[data-option]").first).to_be_visible()


def _account(stage: Stage, item: str) -> None:
    stage.side("[data-account]").click()
    stage.page.locator(f"[data-account-menu] {item}").click()


STATES = {
    "palette": palette,
    "search": search,
    "nothing-found": nothing,
    "keys": keys,
    "settings": settings,
    "import": imported,
    "connect": connect,
    "models": models,
}
