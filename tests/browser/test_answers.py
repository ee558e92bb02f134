"""Answers on the page: stop, reload, second tab, branches, copy, reasoning, drafts."""

import re

from playwright.sync_api import BrowserContext, expect

from tests.support.browser import Chat, messages
from tests.support.modelbehaviours import LET_GO, typed
from tests.support.modelserver import ModelServer
from tests.support.service import Service


def test_stop_keeps_the_question_and_the_partial_answer(
    chat: Chat, model_server: ModelServer
) -> None:
    answer = chat.ask("A long story", "typewriter-4000-40")
    expect(chat.text(answer)).to_contain_text("The quick brown")
    chat.stop.click()
    request = model_server.requests[-1]
    assert request.model == "typewriter-4000-40"
    assert model_server.wait_for(lambda: request.closed_by_client)
    expect(answer).to_have_attribute("data-status", "stopped")
    expect(answer.locator("[data-note=stopped]")).to_be_visible()
    partial = chat.text(answer).inner_text()
    assert typed(4000).startswith(partial) and partial != typed(4000)
    chat.reload()
    expect(chat.questions.last.locator("[data-text]")).to_have_text("A long story")
    expect(chat.text(answer)).to_have_text(partial)
    expect(answer.locator("[data-note=stopped]")).to_be_visible()


def test_escape_stops_but_closes_a_dialog_first(chat: Chat) -> None:
    answer = chat.ask("A long story", "typewriter-4000-40")
    expect(chat.text(answer)).to_contain_text("The quick brown")
    chat.page.locator("[data-account]").click()
    chat.page.locator("[data-open-settings]").click()
    chat.page.keyboard.press("Escape")
    expect(chat.page.locator("[data-dialog=settings]")).to_be_hidden()
    expect(answer).to_have_attribute("data-status", "running")
    chat.input.press("Escape")
    expect(answer).to_have_attribute("data-status", "stopped")


def test_an_answer_continues_after_a_reload(chat: Chat) -> None:
    answer = chat.ask("A long story", "held-120")
    expect(chat.text(answer)).to_contain_text("The quick brown")
    chat.reload()
    expect(answer).to_have_attribute("data-status", "running")
    LET_GO.set()
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text(typed(120))
    expect(chat.answers).to_have_count(1)


def test_a_second_tab_follows_the_same_answer(chat: Chat, context: BrowserContext) -> None:
    answer = chat.ask("A long story", "held-120")
    expect(chat.text(answer)).to_contain_text("The quick brown")
    other = Chat(context.new_page()).open(f"/c/{chat.session_id}")
    expect(other.answers.last).to_have_attribute("data-status", "running")
    LET_GO.set()
    chat.expect_complete(answer)
    chat.expect_complete(other.answers.last)
    expect(chat.text(answer)).to_have_text(typed(120))
    expect(other.text(other.answers.last)).to_have_text(typed(120))


def test_switching_chats_does_not_stop_the_answer(chat: Chat) -> None:
    answer = chat.ask("A long story", "held-120")
    expect(chat.text(answer)).to_contain_text("The quick brown")
    chat.page.locator(".sidebar .new-chat").click()
    expect(chat.answers).to_have_count(0)
    LET_GO.set()
    chat.page.go_back()
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text(typed(120))


def test_editing_a_question_creates_a_persistent_branch(chat: Chat, service: Service) -> None:
    chat.expect_complete(chat.ask("The first wording", "echo"))
    question = chat.questions.first
    question.hover()
    question.locator("[data-edit]").click()
    question.locator("[data-edit-field]").fill("The second wording")
    question.locator("[data-edit-field]").press("Enter")
    expect(chat.text(chat.answers.last)).to_have_text("The second wording")
    chat.expect_complete(chat.answers.last)
    expect(question.locator("[data-branch-count]")).to_have_text("2/2")
    assert [row["parent_id"] for row in messages(service, chat.session_id, "user")] == [None, None]
    chat.reload()
    expect(question.locator("[data-text]")).to_have_text("The second wording")
    expect(question.locator("[data-branch-count]")).to_have_text("2/2")
    with chat.page.expect_response(lambda response: response.request.method == "PATCH"):
        question.locator("[data-branch-previous]").click()
    expect(chat.text(chat.answers.last)).to_have_text("The first wording")
    chat.reload()
    expect(question.locator("[data-text]")).to_have_text("The first wording")
    expect(chat.text(chat.answers.last)).to_have_text("The first wording")


def test_regenerating_keeps_both_answers(chat: Chat) -> None:
    answer = chat.ask("Once more", "echo")
    chat.expect_complete(answer)
    chat.choose_model("openai/typewriter-40-200")
    answer.locator("[data-regenerate]").click()
    expect(answer.locator("[data-branch-count]")).to_have_text("2/2")
    expect(chat.text(answer)).to_have_text(typed(40))
    with chat.page.expect_response(lambda response: response.request.method == "PATCH"):
        answer.locator("[data-branch-previous]").click()
    expect(chat.text(answer)).to_have_text("Once more")
    chat.reload()
    expect(answer.locator("[data-branch-count]")).to_have_text("1/2")
    expect(chat.text(answer)).to_have_text("Once more")
    expect(chat.questions).to_have_count(1)


def test_copy_copies_the_original_markdown(chat: Chat, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    source = "Some **bold** words and `code`"
    answer = chat.ask(source, "echo")
    chat.expect_complete(answer)
    expect(answer.locator("strong")).to_have_text("bold")
    answer.locator("[data-copy]").click()
    expect(answer.locator("[data-copy]")).to_have_attribute("data-done", "")
    assert chat.page.evaluate("navigator.clipboard.readText()") == source


def test_reasoning_is_collapsed_and_can_be_expanded(chat: Chat) -> None:
    answer = chat.ask("Think", "reasoning")
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text("The answer.")
    expect(answer.locator("[data-reasoning-text]")).to_be_hidden()
    answer.locator("[data-reasoning] summary").click()
    expect(answer.locator("[data-reasoning-text]")).to_have_text("Let me think.")


def test_enter_during_ime_composition_does_not_send(chat: Chat, context: BrowserContext) -> None:
    chat.choose_model("openai/echo")
    asked: list[str] = []
    chat.page.on(
        "request",
        lambda request: asked.append(request.url) if "/chat/stream" in request.url else None,
    )
    chat.input.focus()
    keyboard = context.new_cdp_session(chat.page)
    keyboard.send(
        "Input.imeSetComposition", {"text": "ni hao", "selectionStart": 6, "selectionEnd": 6}
    )
    expect(chat.input).to_have_value("ni hao")
    composing = {"key": "Enter", "keyCode": 229, "which": 229, "bubbles": True, "cancelable": True}
    chat.input.dispatch_event("keydown", composing)
    keyboard.send(
        "Input.dispatchKeyEvent",
        {"type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229},
    )
    chat.input.dispatch_event(
        "keydown", {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True}
    )
    keyboard.send("Input.insertText", {"text": "你好"})
    expect(chat.input).to_have_value("你好")
    expect(chat.questions).to_have_count(0)
    assert not asked
    chat.input.press("Shift+Enter")
    expect(chat.input).to_have_value("你好\n")
    chat.input.press("Enter")
    expect(chat.questions.last.locator("[data-text]")).to_have_text(re.compile("你好"))
    assert len(asked) == 1


def test_a_draft_survives_a_reload_and_is_per_chat(chat: Chat) -> None:
    chat.expect_complete(chat.ask("Hello", "echo"))
    chat.input.fill("Not yet asked")
    chat.reload()
    expect(chat.input).to_have_value("Not yet asked")
    chat.page.locator(".sidebar .new-chat").click()
    expect(chat.input).to_have_value("")
    chat.page.go_back()
    expect(chat.input).to_have_value("Not yet asked")
