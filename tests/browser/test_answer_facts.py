"""Model and time of an answer, in a fold, and the moments of messages."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, PHONE, Chat, filled, messages, words
from tests.support.service import Service

both = pytest.mark.parametrize("language", LANGUAGES)
TOUCH = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


@both
@pytest.mark.parametrize("window", [{}, TOUCH], ids=["desk", "phone"])
def test_a_fold_says_model_times_and_tokens(chat: Chat, language: str) -> None:
    answer = chat.ask("Hello there", "echo")
    chat.expect_complete(answer)
    for _ in range(2):
        fold = answer.locator("[data-facts]")
        expect(fold.locator("summary")).to_have_text(words(language, "facts.title"))
        expect(fold.locator("dl")).to_be_hidden()
        fold.locator("summary").click()
        expect(fold.locator("[data-fact=model]")).to_have_text("echo")
        seconds = re.escape(filled(language, "facts.seconds", seconds="N")).replace("N", r"[\d.]+")
        for name in ("total", "first"):
            expect(fold.locator(f"[data-fact={name}]")).to_have_text(re.compile(f"^{seconds}$"))
        expect(fold.locator("[data-fact=asked]")).to_have_text(re.compile(r"\d:\d\d:\d\d"))
        assert violations(chat.page) == []
        chat.reload()


def test_tokens_are_those_that_the_supplier_reports(chat: Chat) -> None:
    def counted(route: Route) -> None:
        reply = route.fetch()
        items = reply.json()["items"]
        for item in items:
            item["usage"] = {"input_tokens": 1200, "output_tokens": 90}
            item["timings"] = {"ttft_ms": 1000, "total_ms": 3000}
        route.fulfill(response=reply, json={**reply.json(), "items": items})

    chat.expect_complete(chat.ask("Hello there", "echo"))
    chat.page.route(re.compile(r"/messages\?"), counted)
    chat.reload()
    fold = chat.answers.last.locator("[data-facts]")
    fold.locator("summary").click()
    expect(fold.locator("[data-fact=tokens]")).to_have_text(
        filled("en", "facts.counts", written=90, read="1,200")
    )
    expect(fold.locator("[data-fact=speed]")).to_have_text("45")
    expect(fold.locator("[data-fact=first]")).to_have_text("1 s")


def test_messages_show_when_they_were_sent(chat: Chat, service: Service) -> None:
    answer = chat.ask("Hello there", "echo")
    chat.expect_complete(answer)
    chat.reload()
    for message, role in ((chat.questions.last, "user"), (answer, "assistant")):
        stored = messages(service, chat.session_id, role)[0]["created_at"]
        time = message.locator("time[data-moment]")
        expect(time).to_have_attribute("datetime", stored)
        expect(time).to_have_text(re.compile(r"^\d{1,2}:\d\d"))
        expect(time).to_have_attribute("title", re.compile(r"\d{4}.*\d:\d\d:\d\d"))
