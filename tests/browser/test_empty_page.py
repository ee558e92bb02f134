"""The empty page: what it offers without documents, and what it knows of somebody with some."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.browser import LANGUAGES, Chat, Faults, delete_bases, filled, words
from tests.support.service import Service

HANDBOOK = """# Staff handbook

## Parental leave

Parents stay at home for up to fourteen months after the birth and keep their position.

## How are travel costs refunded?

Travel costs are refunded within ten days after the receipts were handed in at the desk.
"""
FERRIES = """# Ferries

## Winter timetable

In winter the ferry to Texel leaves every two hours, and not at all after eight in the evening.
"""


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


@pytest.fixture
def bases(service: Service, tmp_path: Path) -> dict[str, str]:
    """The ids of two knowledge bases with a document each, by name."""
    made = {}
    for name, text in {"Handbook": HANDBOOK, "Ferries": FERRIES}.items():
        path = tmp_path / f"{name.lower()}.md"
        path.write_text(text, "utf-8")
        made[name] = service.add_documents(name, path)
    return made


def test_without_documents_the_manual_is_suggested(chat: Chat) -> None:
    expect(chat.page.locator("[data-suggestions]")).to_be_visible()
    expect(chat.page.locator("[data-recent-bases]")).to_be_hidden()
    expect(chat.page.locator("[data-own-suggestions]")).to_be_hidden()
    expect(chat.page.locator("[data-empty-add]")).to_have_class(re.compile("button-primary"))


def test_a_connected_model_needs_no_invitation_to_connect_one(chat: Chat) -> None:
    expect(chat.page.locator("[data-empty-add]")).to_be_visible()
    expect(chat.page.locator("[data-empty-connect]")).to_be_hidden()
    chat.page.locator("[data-model-picker] [data-picker-button]").click()
    expect(chat.page.locator("[data-model-picker] [data-connect]")).to_be_visible()


def test_models_have_the_mark_of_their_supplier(chat: Chat) -> None:
    chat.choose_model("openai/echo")
    mark = chat.page.locator("[data-picker-mark] .monogram")
    expect(mark).to_have_attribute("data-letters", "Op")
    chat.page.locator("[data-model-picker] [data-picker-button]").click()
    option = chat.page.locator('[data-option="builtin/extractive"] .monogram')
    expect(option).to_have_attribute("data-tint", "own")
    chat.page.locator("[data-model-picker] [data-connect]").click()
    marked = chat.connect_dialog.locator("[data-preset-mark] .monogram")
    chat.connect_dialog.locator("[data-preset]").select_option("deepseek")
    expect(marked).to_have_attribute("data-letters", "DS")
    expect(chat.connect_dialog.locator("[data-supplier] .monogram")).to_have_count(1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_from_ones_own_documents_is_asked_of_them(
    bases: dict[str, str], context: BrowserContext, faults: Faults, language: str
) -> None:
    chat = Chat(context.new_page()).open()
    chat.choose_model("builtin/extractive")
    expect(chat.page.locator("[data-suggestions]")).to_be_hidden()
    question = filled(language, "server.suggestion", subject="Parental leave")
    suggestion = chat.page.locator("[data-suggestion]", has_text=question)
    expect(suggestion).to_contain_text("handbook.md")
    suggestion.click()
    answer = chat.answers.last
    expect(chat.questions.last).to_contain_text(question)
    expect(answer.locator("[data-context]")).to_have_text("Handbook")
    expect(chat.text(answer)).to_contain_text("Parents stay at home for up to fourteen months")
    expect(chat.base).to_have_text("Handbook")


def test_recent_bases_are_chosen_with_one_click(
    bases: dict[str, str], context: BrowserContext
) -> None:
    chat = Chat(context.new_page()).open()
    picks = chat.page.locator("[data-recent-base]")
    expect(picks).to_have_text(["Ferries", "Handbook"])
    picks.nth(1).click()
    expect(chat.base).to_have_text("Handbook")
    expect(picks.nth(1)).to_have_attribute("aria-pressed", "true")
    own = chat.page.locator("[data-own-suggestions] [data-suggestion]")
    expect(own).to_have_count(2)
    expect(own.first).to_contain_text("Parental leave")
    chat.choose_model("builtin/extractive")
    chat.expect_complete(chat.ask("How are travel costs refunded?"))
    chat.page.locator("[data-new-chat]").first.click()
    expect(picks).to_have_text(["Handbook", "Ferries"])  # the base of the latest chat is first


def test_documents_without_a_subject_to_ask_about_leave_the_manual_suggested(
    service: Service, tmp_path: Path, context: BrowserContext, language: str
) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("The bakery on the quay opens at six.", "utf-8")
    service.add_documents("Plain", plain)
    chat = Chat(context.new_page()).open()
    manual = next(base for base in service.get("/api/knowledge").json["items"] if base["bundled"])
    chat.choose_base(manual["id"])
    expect(chat.page.locator("[data-suggestions]")).to_be_visible()
    expect(chat.page.locator("[data-suggestions] [data-suggestion]").first).to_contain_text(
        words(language, "empty.suggestion.1")
    )
