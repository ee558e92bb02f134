"""Feedback on an answer: up, down, a reason, and taking it back."""

import pytest
from playwright.sync_api import expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, PHONE, Chat, Faults, messages, until, words
from tests.support.service import Service

both = pytest.mark.parametrize("language", LANGUAGES)
TOUCH = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


def stored(service: Service, chat: Chat) -> tuple[str, str] | None:
    feedback = messages(service, chat.session_id, "assistant")[0]["feedback"]
    return (feedback["rating"], feedback["reason"]) if feedback else None


@both
@pytest.mark.parametrize("window", [{}, TOUCH], ids=["desk", "phone"])
def test_feedback_is_kept_with_its_reason(chat: Chat, service: Service, language: str) -> None:
    answer = chat.ask("Hello there", "echo")
    chat.expect_complete(answer)
    down = answer.get_by_role("button", name=words(language, "feedback.down"), exact=True)
    down.click()
    reason = answer.locator("[data-feedback-reason]")
    expect(reason).to_be_focused()
    assert stored(service, chat) == ("down", "")
    assert violations(chat.page) == []
    reason.fill("It only repeats me.")
    reason.press("Enter")
    expect(reason).to_have_count(0)
    expect(down).to_be_focused()
    assert stored(service, chat) == ("down", "It only repeats me.")
    chat.reload()
    expect(down).to_have_attribute("aria-pressed", "true")
    down.click()
    expect(down).to_have_attribute("aria-pressed", "false")
    until(chat.page, lambda: stored(service, chat) is None)


def test_a_reason_may_be_left_out_and_the_rating_changed(chat: Chat, service: Service) -> None:
    answer = chat.ask("Hello there", "echo")
    chat.expect_complete(answer)
    up, down = (answer.locator(f"[data-feedback={name}]") for name in ("up", "down"))
    up.click()
    expect(answer.locator("[data-feedback-label]")).to_have_text(words("en", "feedback.why.up"))
    chat.page.keyboard.press("Escape")
    expect(answer.locator("[data-feedback-form]")).to_have_count(0)
    expect(up).to_be_focused()
    down.click()
    expect(answer.locator("[data-feedback-label]")).to_have_text(words("en", "feedback.why.down"))
    expect(up).to_have_attribute("aria-pressed", "false")
    assert stored(service, chat) == ("down", "")


def test_feedback_that_is_not_stored_is_not_shown(chat: Chat, faults: Faults) -> None:
    faults.expect("Failed to load resource")
    answer = chat.ask("Hello there", "echo")
    chat.expect_complete(answer)
    chat.page.route("**/feedback", lambda route: route.abort())
    answer.locator("[data-feedback=up]").click()
    expect(chat.page.locator("[data-toast]")).to_contain_text(words("en", "net.unreachable"))
    expect(answer.locator("[data-feedback=up]")).to_have_attribute("aria-pressed", "false")
    expect(answer.locator("[data-feedback-form]")).to_have_count(0)
