"""Two people in two browsers: one shares a knowledge base, the other asks it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.axe import violations
from tests.support.browser import (
    LANGUAGES,
    Chat,
    Faults,
    delete_bases,
    filled,
    new_window,
    words,
)
from tests.support.service import ROOT, Service

TIDES = "# Tides\n\nHigh water at Den Helder is at noon. Low water is at six.\n"
# The notice is in the language of the question.
QUESTIONS = {
    "en-US": ("When is high water at Den Helder?", "no longer available"),
    "zh-CN": ("请问 Den Helder 的 high water 是什么时候？", "知识库已不可用"),
}


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


@pytest.fixture
def tides(service: Service, tmp_path: Path) -> str:
    (tmp_path / "tides.md").write_text(TIDES)
    return service.add_documents("Tide tables", tmp_path / "tides.md")


def users(service: Service, *command: str) -> dict:
    run = subprocess.run(
        [sys.executable, "-P", "-m", "chatapp", "users", *command, "--json"],
        cwd=ROOT,
        env={**service.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    return dict(json.loads(run.stdout))


@pytest.fixture
def colleague(service: Service, browser: Browser, faults: Faults, language: str) -> Iterator[Chat]:
    """Li Na, signed in, in a browser of her own."""
    made = users(service, "add", "Li Na")
    window = new_window(browser, service.url, locale=language)
    link = made["link"].partition("#")[2]
    assert window.request.post("/api/auth/login", data={"link": link}).ok
    page = window.new_page()
    faults.watch(page)
    yield Chat(page)
    window.close()
    users(service, "delete", "Li Na", "--yes")


def knowledge(page: Page, base: str) -> Locator:
    """Open a knowledge base in the dialog."""
    page.locator("[data-sidebar] [data-open-knowledge]").click()
    dialog = page.locator("[data-dialog=knowledge]")
    dialog.locator(f"[data-base='{base}']").click()
    return dialog


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_base_is_shared_asked_and_shared_no_more(
    chat: Chat, colleague: Chat, service: Service, tides: str, language: str, faults: Faults
) -> None:
    question, notice = QUESTIONS[language]
    chat.reload()
    knowledge(chat.page, tides).locator("[data-base-share]").click()
    sharing = chat.page.locator("[data-dialog=base-sharing]")
    sharing.locator("[data-sharing-name]").fill("Li Na")
    sharing.locator("[data-sharing-name]").press("Enter")
    person = sharing.locator("[data-person='Li Na']")
    expect(person).to_be_visible()
    assert violations(chat.page) == []

    page = colleague.open().page
    picker = page.locator("[data-knowledge-picker]")
    picker.locator("[data-picker-button]").click()
    offered = picker.locator(f"[data-option='{tides}']")
    expect(offered).to_contain_text(filled(language, "knowledge.shared_by", name="admin"))
    offered.click()
    colleague.choose_model("builtin/extractive")
    answer = colleague.ask(question)
    colleague.expect_complete(answer)
    expect(colleague.text(answer)).to_contain_text("noon")
    dialog = knowledge(page, tides)
    expect(dialog.locator("[data-file]")).to_have_count(1)
    for hook in ("files-add", "base-share", "base-edit", "base-delete", "file-delete"):
        expect(dialog.locator(f"[data-{hook}]").first).to_be_hidden()
    assert violations(page) == []
    dialog.locator("[data-close]").first.click()

    person.locator("[data-person-remove]").click()
    expect(person).to_have_count(0)
    faults.expect("404")
    after = colleague.ask(question)
    colleague.expect_complete(after)
    expect(colleague.text(after)).to_contain_text(notice)
    expect(colleague.text(after)).not_to_contain_text("noon")

    colleague.reload()
    first = colleague.answers.first
    expect(colleague.text(first)).to_contain_text("noon")
    first.locator(".cite").first.click()
    colleague.panel.locator("[data-source-in-document]").click()
    expect(page.locator("[data-toast]")).to_contain_text(words(language, "knowledge.gone"))
