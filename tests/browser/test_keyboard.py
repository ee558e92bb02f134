"""Every flow by keyboard alone: reached with Tab, done with Enter, Space, arrows and Escape."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, FileChooser, Locator, Page, expect
from playwright.sync_api import TimeoutError as Late

from tests.support.browser import Chat, delete_bases, until, words
from tests.support.service import Service

MOST_TABS = 90


class Keys:
    """The keyboard: nothing of a test touches the page otherwise."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def press(self, *names: str) -> None:
        for name in names:
            self._page.keyboard.press(name)

    def type(self, text: str) -> None:
        self._page.keyboard.type(text)

    def to(self, target: Locator, key: str = "Tab") -> None:
        """Press Tab until an element has the focus, which must then be visible."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            self._page.keyboard.press(key)
            if target.evaluate("(it) => it === document.activeElement"):
                expect(target).to_be_in_viewport()
                return
        raise AssertionError(f"not reached by {key}: {target}")

    def choose(self, target: Locator) -> None:
        """Press arrows in a menu until an entry has the focus, then Enter."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if target.evaluate("(it) => it === document.activeElement"):
                self.press("Enter")
                return
            self.press("ArrowDown")
        raise AssertionError(f"not reached by arrows: {target}")


def chooser(page: Page, press: Callable[[], None]) -> FileChooser:
    """Return the file chooser that a key opens.

    The browser opens none if a busy machine takes five seconds between the key and its handler.
    """
    for _ in range(2):
        with suppress(Late):
            with page.expect_file_chooser() as opened:
                press()
            return opened.value
    with page.expect_file_chooser() as opened:
        press()
    return opened.value


@pytest.fixture
def keys(chat: Chat) -> Keys:
    expect(chat.input).to_be_focused()
    return Keys(chat.page)


@pytest.fixture
def base(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


def ask(chat: Chat, keys: Keys, text: str, model: str) -> Locator:
    """Choose a model without documents and ask."""
    page = chat.page
    for picker, option in (("knowledge", ""), ("model", f"openai/{model}")):
        root = page.locator(f"[data-{picker}-picker]")
        keys.to(root.locator("[data-picker-button]"))
        keys.press("Enter")
        keys.choose(root.locator(f'[data-option="{option}"]'))
        expect(root.locator("[role=menu]")).to_be_hidden()
    keys.to(chat.input, "Shift+Tab")
    keys.type(text)
    keys.press("Enter")
    return chat.answers.last


def test_a_question_is_asked_stopped_and_asked_again(chat: Chat, keys: Keys) -> None:
    answer = ask(chat, keys, "Go", "typewriter-4000-40")
    expect(chat.text(answer)).not_to_be_empty()
    expect(answer).to_have_attribute("data-status", "running")
    keys.press("Escape")
    expect(answer).to_have_attribute("data-status", "stopped")
    announcer = chat.page.locator("[data-announcer]")
    expect(announcer).to_have_text(words("en", "say.stopped"))
    expect(answer.locator("[data-phase]")).to_be_hidden()
    keys.to(answer.locator("[data-regenerate]"), "Shift+Tab")
    keys.press("Enter")
    expect(answer.locator("[data-branch-count]")).to_have_text("2/2")
    again = chat.answers.last
    expect(again).to_have_attribute("data-status", "running")
    keys.to(chat.stop)
    keys.press("Enter")
    expect(again).to_have_attribute("data-status", "stopped")


def test_a_question_is_copied_edited_and_its_versions_are_switched(
    chat: Chat, keys: Keys, context: BrowserContext
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = ask(chat, keys, "First words", "echo")
    chat.expect_complete(answer)
    keys.to(answer.locator("[data-copy]"), "Shift+Tab")
    keys.press("Enter")
    clipboard = "navigator.clipboard.readText()"
    until(chat.page, lambda: chat.page.evaluate(clipboard) == "First words")
    question = chat.questions.last
    keys.to(question.locator("[data-edit]"), "Shift+Tab")
    keys.press("Enter")
    field = question.locator("[data-edit-field]")
    expect(field).to_be_focused()
    expect(field).to_be_in_viewport()
    keys.press("Escape")
    expect(field).to_be_hidden()
    expect(question.locator("[data-edit]")).to_be_focused()
    keys.press("Enter", "Control+a")
    keys.type("Second words")
    keys.press("Enter")
    expect(chat.text(chat.answers.last)).to_have_text("Second words")
    chat.expect_complete(chat.answers.last)
    keys.to(chat.questions.last.locator("[data-branch-previous]"), "Shift+Tab")
    keys.press("Enter")
    expect(chat.text(chat.answers.last)).to_have_text("First words")


def test_a_source_is_opened_and_closed(chat: Chat, keys: Keys) -> None:
    page = chat.page
    model = page.locator("[data-model-picker]")
    keys.to(model.locator("[data-picker-button]"))
    keys.press("Enter")
    keys.choose(model.locator('[data-option="builtin/extractive"]'))
    keys.to(chat.input, "Shift+Tab")
    keys.type(words("en", "empty.suggestion.1"))
    keys.press("Enter")
    answer = chat.answers.last
    chat.expect_complete(answer)
    cite = answer.locator(".cite").first
    keys.to(cite, "Shift+Tab")
    keys.press("Enter")
    expect(chat.panel).to_be_visible()
    keys.press("Escape")
    expect(chat.panel).to_be_hidden()
    expect(cite).to_be_focused()
    fold = answer.locator("[data-why]")
    keys.to(fold.locator("summary"))
    keys.press("Enter")
    expect(fold.locator("table, p").first).to_be_visible()


def test_a_chat_is_found_and_a_message_deleted(chat: Chat, keys: Keys, service: Service) -> None:
    answer = ask(chat, keys, "About walruses", "echo")
    chat.expect_complete(answer)
    keys.press("Control+Shift+o")
    expect(chat.questions).to_have_count(0)
    keys.press("Control+k")
    keys.type("walruses")
    expect(chat.page.locator("[data-find-snippet] mark").first).to_be_visible()
    keys.press("Enter")
    expect(chat.answers).to_have_count(1)
    expect(chat.answers.last).to_be_focused()
    keys.to(answer.locator("[data-delete-message]"))
    keys.press("Enter")
    confirm = chat.page.locator("[data-dialog=confirm]")
    expect(confirm).to_be_visible()
    keys.to(confirm.locator("[data-confirm-yes]"))
    keys.press("Enter")
    expect(chat.answers).to_have_count(0)
    expect(chat.questions.last).to_be_focused()


def test_a_chat_is_set_up_and_shared(chat: Chat, keys: Keys) -> None:
    page = chat.page
    chat.expect_complete(ask(chat, keys, "Share me", "echo"))
    title = page.locator("[data-title-button]")
    keys.to(title, "Shift+Tab")
    keys.press("Enter")
    keys.choose(page.locator("[data-chat-settings]"))
    dialog = page.locator("[data-dialog=chat-settings]")
    keys.to(dialog.locator("[data-chat-setting=system_prompt]"))
    keys.type("Be brief.")
    keys.to(dialog.locator("[type=submit]"))
    keys.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("[data-title-button][data-own-settings]")).to_be_focused()
    keys.press("Enter")
    keys.choose(page.locator("[data-share]"))
    share = page.locator("[data-dialog=share]")
    keys.to(share.locator("[data-share-create]"))
    keys.press("Enter")
    expect(share.locator("[data-share-link]")).to_be_visible()
    keys.to(share.locator("[data-share-revoke]").first)
    keys.press("Enter")
    expect(share.locator("[data-shares-section]")).to_be_hidden()
    keys.press("Escape")
    expect(share).to_be_hidden()
    expect(title).to_be_focused()


def test_a_prompt_is_saved_used_and_deleted(chat: Chat, keys: Keys) -> None:
    page = chat.page
    keys.type("/")
    expect(page.locator("[data-prompts] [role=option]")).to_have_count(1)
    keys.press("Enter")
    dialog = page.locator("[data-dialog=prompts]")
    keys.to(dialog.locator("[data-prompt-name]"))
    keys.type("Reply")
    keys.press("Tab")
    keys.type("Answer politely:")
    keys.press("Tab")
    expect(dialog.locator("[data-prompt-save]")).to_be_focused()
    keys.press("Enter")
    expect(dialog.locator("[data-saved-prompt]")).to_have_count(1)
    keys.press("Escape")
    expect(chat.input).to_be_focused()
    keys.press("Control+a")
    keys.type("/rep")
    expect(page.locator("[data-prompts] [role=option]").first).to_contain_text("Reply")
    keys.press("Enter")
    expect(chat.input).to_have_value("Answer politely:")
    keys.press("Control+a")
    keys.type("/")
    expect(page.locator("[data-prompts]")).to_be_visible()
    expect(page.locator("[data-prompts] [role=option]")).to_have_count(2)
    keys.press("ArrowDown")
    expect(page.locator("[data-prompts] [role=option]").last).to_have_attribute(
        "aria-selected", "true"
    )
    keys.press("Enter")
    keys.to(dialog.locator("[data-prompt-delete]"))
    keys.press("Enter")
    keys.to(page.locator("[data-confirm-yes]"))
    keys.press("Enter")
    expect(dialog.locator("[data-saved-prompt]")).to_have_count(0)


@pytest.mark.usefixtures("base")
def test_documents_are_added_and_removed(
    chat: Chat, keys: Keys, service: Service, tmp_path: Path
) -> None:
    page = chat.page
    file = tmp_path / "leave.txt"
    file.write_text("27 days of leave.", "utf-8")
    keys.to(page.locator("[data-add-documents]"))
    chooser(page, lambda: keys.press("Enter")).set_files(file)
    chat.expect_found(chat.upload("leave.txt"))
    keys.to(page.locator("[data-open-knowledge]"), "Shift+Tab")
    keys.press("Enter")
    dialog = page.locator("[data-dialog=knowledge]")
    expect(dialog).to_be_visible()
    row = dialog.locator("[data-file]", has_text="leave.txt")
    keys.to(row.locator("[data-file-delete]"))
    keys.press("Enter")
    confirm = page.locator("[data-confirm-yes]")
    if confirm.is_visible():
        keys.to(confirm)
        keys.press("Enter")
    expect(row).to_have_count(0)
    keys.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("[data-open-knowledge]")).to_be_focused()


def test_a_chat_of_the_list_is_renamed_and_deleted(
    chat: Chat, keys: Keys, service: Service
) -> None:
    service.post("/api/sessions", {"title": "Older"})
    made = service.post("/api/sessions", {"title": "Old name"}).json["id"]
    chat.reload()
    page = chat.page
    row = page.locator(f'[data-session="{made}"]')
    keys.to(row.locator("[data-session-open]"), "Shift+Tab")
    keys.press("Tab")
    expect(row.locator("[data-session-menu]")).to_be_focused()
    keys.press("Enter")
    keys.choose(page.locator("[data-session-entries] [data-rename]"))
    expect(row.locator("[data-rename-field]")).to_be_focused()
    keys.press("Control+a")
    keys.type("New name")
    keys.press("Enter")
    expect(row.locator("[data-session-open]")).to_have_text("New name")
    keys.to(row.locator("[data-session-menu]"))
    keys.press("Enter")
    keys.choose(page.locator("[data-session-entries] [data-delete]"))
    expect(row).to_have_count(0)
    expect(page.locator("[data-session-open]", has_text="Older")).to_be_focused()
    keys.to(page.locator("[data-toast-action]"))
    keys.press("Enter")
    expect(row).to_be_visible()
