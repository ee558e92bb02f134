"""Questions that wait above the field: for the answer that is being written, or for the user."""

import re

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.support.axe import violations
from tests.support.browser import PHONE, Chat, Faults, messages, words
from tests.support.modelbehaviours import LET_GO
from tests.support.service import Service


def waiting(chat: Chat) -> Locator:
    return chat.page.locator("[data-queued]")


def wait_behind(chat: Chat, *texts: str) -> None:
    """Send questions while an answer is being written."""
    for text in texts:
        chat.input.fill(text)
        chat.input.press("Enter")
        expect(waiting(chat).last).to_contain_text(text)
        expect(chat.input).to_have_value("")


def asked(service: Service, chat: Chat) -> list[str]:
    return [row["content"] for row in messages(service, chat.session_id, "user")]


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_questions_wait_for_the_answer_and_go_out_in_their_order(
    chat: Chat, service: Service, language: str
) -> None:
    first = chat.ask("The first", "held-120")
    expect(chat.text(first)).to_contain_text("The quick")
    wait_behind(chat, "The second", "The third")
    state = chat.page.locator("[data-queue-state]")
    expect(state).to_have_text(words(language, "queue.answer"))
    expect(chat.questions).to_have_count(1)
    chat.choose_model("openai/echo")
    LET_GO.set()
    chat.expect_complete(first)
    expect(chat.answers).to_have_count(3)
    chat.expect_complete(chat.answers.last)
    expect(waiting(chat)).to_have_count(0)
    assert asked(service, chat) == ["The first", "The second", "The third"]
    chat.reload()
    expect(chat.questions).to_have_count(3)
    expect(waiting(chat)).to_have_count(0)
    expect(chat.input).to_have_value("")


def test_waiting_questions_survive_a_reload_and_belong_to_their_chat(
    chat: Chat, service: Service
) -> None:
    expect(chat.text(chat.ask("The first", "held-120"))).to_contain_text("The quick")
    wait_behind(chat, "The second")
    path = f"/c/{chat.session_id}"
    chat.reload()
    expect(waiting(chat)).to_have_text(re.compile("The second"))
    chat.page.locator("[data-new-chat]").first.click()
    expect(waiting(chat)).to_have_count(0)
    chat.choose_model("openai/echo")
    chat.open(path)
    chat.choose_model("openai/echo")
    LET_GO.set()
    expect(chat.answers).to_have_count(2)
    chat.expect_complete(chat.answers.last)
    expect(waiting(chat)).to_have_count(0)
    assert asked(service, chat) == ["The first", "The second"]


def test_after_stop_the_waiting_questions_return_to_the_field(chat: Chat, service: Service) -> None:
    answer = chat.ask("The first", "hang-mid")
    expect(chat.text(answer)).not_to_be_empty()
    wait_behind(chat, "The second?", "Not this", "The third")
    waiting(chat).nth(1).locator("[data-queued-remove]").click()
    waiting(chat).first.locator("[data-queued-edit]").click()
    expect(chat.input).to_have_value("The second?")
    expect(waiting(chat)).to_have_count(1)
    chat.input.fill("The fourth")
    chat.send.click()
    expect(waiting(chat)).to_have_count(2)
    assert violations(chat.page) == []
    chat.input.fill("typed")
    chat.page.keyboard.press("Escape")
    expect(answer).to_have_attribute("data-status", "stopped")
    expect(chat.input).to_have_value("The third\n\nThe fourth\n\ntyped")
    expect(waiting(chat)).to_have_count(0)
    chat.reload()
    expect(chat.input).to_have_value("The third\n\nThe fourth\n\ntyped")
    assert asked(service, chat) == ["The first"]


@pytest.mark.parametrize("window", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}])
def test_after_a_failed_answer_a_question_waits_for_the_user(
    chat: Chat, service: Service, language: str
) -> None:
    chat.choose_base("")
    chat.choose_model("openai/hang-mid")
    chat.input.fill("The first")
    chat.send.click()
    expect(chat.text(chat.answers.last)).not_to_be_empty()
    expect(chat.send).to_be_hidden()
    chat.input.fill("The second")
    chat.send.click()
    expect(waiting(chat)).to_have_count(1)
    message = messages(service, chat.session_id, "assistant")[0]["id"]
    chat.page.route(
        re.compile("/chat/stream/"),
        lambda route: route.fulfill(content_type="text/event-stream", body="data: {\n\n"),
    )
    chat.page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(chat.answers.last).to_have_attribute("data-status", "failed")
    expect(chat.page.locator("[data-queue-state]")).to_have_text(words(language, "queue.held"))
    service.request("DELETE", f"/chat/stream/{message}")
    chat.choose_model("openai/echo")
    chat.page.locator("[data-queue-send]").click()
    expect(chat.answers).to_have_count(2)
    chat.expect_complete(chat.answers.last)
    assert asked(service, chat) == ["The first", "The second"]


def test_questions_asked_offline_go_out_once_when_the_network_is_back(
    chat: Chat, context: BrowserContext, service: Service, faults: Faults, language: str
) -> None:
    faults.expect(r"net::ERR_")
    chat.choose_base("")
    chat.choose_model("openai/echo")
    context.set_offline(True)
    wait_behind(chat, "The first", "The second")
    state = chat.page.locator("[data-queue-state]")
    expect(state).to_have_text(words(language, "queue.offline"))
    expect(chat.questions).to_have_count(0)
    assert violations(chat.page) == []
    context.set_offline(False)
    expect(chat.answers).to_have_count(2)
    chat.expect_complete(chat.answers.last)
    expect(waiting(chat)).to_have_count(0)
    assert asked(service, chat) == ["The first", "The second"]


def test_a_question_to_an_unreachable_service_waits_over_a_reload(
    chat: Chat, service: Service, faults: Faults, language: str
) -> None:
    faults.expect(r"net::ERR_", "status of 502")
    chat.expect_complete(chat.ask("The first", "echo"))
    chat.page.route("**/chat/stream", lambda route: route.abort("connectionrefused"))
    chat.page.route("**/healthz", lambda route: route.fulfill(status=502, body="Bad gateway"))
    chat.input.fill("The second")
    chat.send.click()
    expect(waiting(chat)).to_contain_text("The second")
    expect(chat.questions).to_have_count(1)
    chat.page.unroute("**/chat/stream")
    chat.page.route("**/chat/stream", lambda route: route.fulfill(status=502, body="Bad gateway"))
    chat.reload()
    expect(waiting(chat)).to_contain_text("The second")
    expect(chat.input).to_have_value("")
    chat.page.unroute_all()
    chat.page.locator("[data-queue-send]").click()
    expect(chat.answers).to_have_count(2)
    chat.expect_complete(chat.answers.last)
    assert asked(service, chat) == ["The first", "The second"]
