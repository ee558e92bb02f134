"""`#` in the question field: a knowledge base, or a single file of one, by keyboard."""

from playwright.sync_api import expect

from tests.support.axe import violations
from tests.support.browser import Chat, delete_bases, text_file, until
from tests.support.service import Service


def test_a_hash_picks_a_base_or_a_single_file(chat: Chat, service: Service) -> None:
    page, press = chat.page, chat.page.keyboard.press
    menu = page.locator("[data-mentions]")
    chat.choose_model("openai/echo")
    chat.add(text_file("lions.txt", "Lions sleep."), text_file("tigers.txt", "Tigers swim."))
    for name in ("lions.txt", "tigers.txt"):
        chat.expect_found(chat.upload(name))
    base = chat.base.inner_text()
    chat.choose_base("")

    chat.input.fill("What about C#")
    chat.input.press_sequentially("lio")
    expect(menu).to_be_hidden()
    chat.input.fill("")
    chat.input.press_sequentially("What do #")
    expect(menu.locator("[role=option]").filter(has_text="tigers.txt")).to_have_count(1)
    assert violations(page) == []
    chat.input.press_sequentially("TIG")
    expect(menu.locator("[role=option]")).to_have_count(1)
    press("Enter")
    expect(menu).to_be_hidden()
    expect(chat.input).to_have_value("What do ")
    expect(chat.base).to_have_text("tigers.txt")
    chat.input.press_sequentially("they do?")
    press("Enter")
    chat.expect_complete(chat.answers.last)
    md5s = service.get(f"/api/sessions/{chat.session_id}").json["filter_by_file_md5"]
    assert len(md5s) == 1
    chat.reload()
    expect(chat.base).to_have_text("tigers.txt")

    chat.input.press_sequentially(f"#{base.split()[0].lower()}")
    expect(menu.locator("[aria-selected=true]")).to_contain_text(base)
    press("Tab")
    expect(chat.input).to_have_value("")
    expect(chat.base).to_have_text(base)
    chat.ask("And all?")
    expect(chat.answers).to_have_count(2)
    chat.expect_complete(chat.answers.last)
    session = f"/api/sessions/{chat.session_id}"
    until(page, lambda: not service.get(session).json["filter_by_file_md5"])
    chat.input.press_sequentially("#none such")
    expect(menu).to_be_hidden()
    delete_bases(service)
