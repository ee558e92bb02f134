"""A printed chat: a light document with all messages, and nothing to click."""

from pathlib import Path

import pypdfium2
import pytest
from playwright.sync_api import expect

from tests.support.browser import Chat, delete_bases, until, words
from tests.support.long_chats import add_long_chat
from tests.support.service import Service

STUB = "window.printed = 0; window.print = () => { window.printed += 1; };"
PART = 30  # messages that a chat shows at first


def text_of(chat: Chat) -> str:
    """Return the text of the printed pages."""
    document = pypdfium2.PdfDocument(chat.page.pdf(format="A4"))
    text = "\n".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return text


@pytest.mark.parametrize("keys", ["", "Control+p"], ids=["menu", "keys"])
def test_all_messages_are_loaded_before_a_chat_is_printed(
    service: Service, chat: Chat, keys: str
) -> None:
    long = add_long_chat(service, turns=40)
    chat.page.add_init_script(STUB)
    chat.open(f"/c/{long.session_id}")
    expect(chat.page.locator("[data-message]")).to_have_count(PART)
    part = words("en-US", "chat.print.part")[:20]
    assert part in text_of(chat)
    if keys:
        chat.page.keyboard.press(keys)
    else:
        chat.menu("[data-print]")
    until(chat.page, lambda: chat.page.evaluate("window.printed") == 1, 30)
    expect(chat.page.locator("[data-message]")).to_have_count(len(long.ids))
    assert part not in text_of(chat)


@pytest.mark.parametrize("theme", ["dark"])
def test_a_printed_chat_is_a_light_document(service: Service, chat: Chat, tmp_path: Path) -> None:
    rules = tmp_path / "rules.md"
    rules.write_text("# Rules\n\nThe office of Zanzibar closes at five o'clock.", "utf-8")
    base = service.add_documents("Rules", rules)
    chat.reload().choose_base(base)
    chat.choose_model("builtin/extractive")
    chat.expect_complete(chat.ask("When does the office of Zanzibar close?"))
    chat.expect_complete(chat.ask("[a site](https://example.org/page)", "echo"))
    page = chat.page
    page.emulate_media(media="print")
    for hidden in (".sidebar", ".dock", "[data-actions]", "[data-toggle-sidebar]"):
        for found in page.locator(hidden).all():
            expect(found).to_be_hidden()
    scheme = "getComputedStyle(document.documentElement).colorScheme"
    assert page.evaluate(scheme) == "light"
    text = text_of(chat)
    for shown in (
        "When does the office",
        "closes at five",
        "rules.md",
        "(https://example.org/page)",
    ):
        assert shown in text, shown
    assert words("en-US", "composer.fine_print")[:20] not in text
    delete_bases(service)
