"""Answers over broken connections and restarts, in several tabs and devices: no text is lost."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.axe import violations
from tests.support.browser import (
    LANGUAGES,
    Chat,
    Faults,
    Windows,
    at_port,
    messages,
    sentence,
    until,
    words,
)
from tests.support.line import Line
from tests.support.modelbehaviours import typed
from tests.support.modelserver import ModelServer
from tests.support.service import Service, wait_for

english, chinese = (pytest.mark.parametrize("language", [name]) for name in LANGUAGES)
BROKEN = r"net::ERR_|Failed to load resource|the server responded with a status of"
TALE = "Grüße aus 北京 🏮, und 祝你好运 👩‍👩‍👧! " * 18 + "¡Adiós!"
LONG_MS = 21_000
SILENCE_MS = 31_000


@pytest.fixture
def remote(context: BrowserContext, line: Line, faults: Faults, cookies: list) -> Chat:
    """A new chat through the line proxy, on a page with a fake clock."""
    faults.expect(BROKEN)
    context.add_cookies(at_port(cookies, line.url))
    page = context.new_page()
    page.clock.install()
    page.goto(line.url)
    return Chat(page).ready()


def wait_for_growth(chat: Chat, length: int) -> int:
    """Wait until the answer is longer than `length`; return its new length."""
    text = chat.text(chat.answers.last)
    until(chat.page, lambda: len(text.inner_text()) > length)
    return len(text.inner_text())


@english
def test_no_text_is_lost_over_a_connection_that_breaks_in_every_way(
    remote: Chat, line: Line, context: BrowserContext, service: Service, language: str
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = remote.ask(TALE, "dictation-150")
    length = 0
    for _ in range(3):
        length = wait_for_growth(remote, length)
        line.cut()
    wait_for_growth(remote, length)
    line.go_down()
    expect(answer.locator("[data-phase-text]")).to_contain_text(
        words(language, "phase.reconnecting")
    )
    expect(remote.error(answer)).to_be_hidden()
    remote.page.clock.fast_forward(LONG_MS)
    expect(remote.error(answer)).to_have_attribute("data-error", "lost")
    expect(remote.error(answer)).to_contain_text(words(language, "answer.lost"))
    assert not violations(remote.page)
    with remote.page.expect_event("requestfailed", lambda request: "/chat/stream/" in request.url):
        answer.locator("[data-retry]").click()
    line.come_up()
    expect(answer.locator("[data-phase]")).to_be_hidden()
    expect(remote.error(answer)).to_be_hidden()
    line.go_deaf()
    remote.page.clock.fast_forward(SILENCE_MS)
    remote.expect_complete(answer)
    expect(answer.locator("[data-phase]")).to_be_hidden()
    answer.locator("[data-copy]").click()
    expect(answer.locator("[data-copy]")).to_have_attribute("data-done", "")
    stored = messages(service, remote.session_id, "assistant")
    assert [row["content"] for row in stored] == [TALE]
    assert remote.page.evaluate("navigator.clipboard.readText()") == TALE
    expect(remote.page.locator("[data-heldback]")).to_be_hidden()


@chinese
def test_an_unreachable_stop_is_reported_and_retried(
    remote: Chat, line: Line, model_server: ModelServer, language: str
) -> None:
    answer = remote.ask("A long story", "typewriter-4000-40")
    expect(remote.text(answer)).to_contain_text("The quick brown")
    request = model_server.requests[-1]
    line.go_down()
    remote.stop.click()
    expect(answer.locator("[data-phase-text]")).to_contain_text(words(language, "phase.unreached"))
    expect(remote.stop).to_be_enabled()
    expect(answer).to_have_attribute("data-status", "running")
    assert request.closed_by_client is False
    line.come_up()
    remote.stop.click()
    remote.page.clock.fast_forward(LONG_MS)
    expect(answer).to_have_attribute("data-status", "stopped")
    expect(answer.locator("[data-note=stopped]")).to_be_visible()
    expect(answer.locator("[data-phase]")).to_be_hidden()
    assert model_server.wait_for(lambda: request.closed_by_client)


def test_a_question_whose_response_was_lost_goes_out_again_and_is_asked_once(
    remote: Chat, line: Line, service: Service, model_server: ModelServer
) -> None:
    line.holds_back = True
    before = len(model_server.requests)
    remote.ask("Is anybody there?", "slow-first-1")
    assert model_server.wait_for(lambda: len(model_server.requests) > before)
    line.go_down()
    expect(remote.page.locator("[data-queued]")).to_contain_text("Is anybody there?")
    expect(remote.questions).to_have_count(0)
    line.holds_back = False
    line.come_up()
    remote.page.clock.fast_forward(LONG_MS)
    remote.expect_complete(remote.answers.last)
    expect(remote.text(remote.answers.last)).to_have_text("Sorry for the wait.")
    assert (
        len(messages(service, remote.session_id, "user"))
        == len(messages(service, remote.session_id, "assistant"))
        == 1
    )
    assert len(model_server.requests) == before + 1


@chinese
def test_buffering_by_a_proxy_is_detected_and_reported_once(
    remote: Chat, line: Line, service: Service, language: str
) -> None:
    notice = remote.page.locator("[data-heldback]")
    remote.expect_complete(remote.ask("One", "typewriter-120-60"))
    expect(notice).to_be_hidden()
    line.holds_back = True
    for question, hidden in (("Two", True), ("Three", False)):
        remote.expect_complete(remote.ask(question))
        expect(notice).to_be_visible(visible=not hidden)
    expect(notice).to_contain_text(words(language, "heldback.title"))
    expect(notice.locator("[data-heldback-lines]")).to_contain_text("proxy_buffering off;")
    assert not violations(remote.page)
    manual = next(
        base["id"] for base in service.get("/api/knowledge").json["items"] if base["bundled"]
    )
    wait_for(
        lambda: service.post(
            f"/api/knowledge/{manual}/search", {"query": "proxy_buffering", "k": 1}
        ).json["items"],
    )
    line.holds_back = False
    notice.locator("[data-heldback-manual]").click()
    expect(remote.page.locator("[data-dialog=knowledge] [data-chunks]")).to_contain_text(
        "proxy_buffering off"
    )
    remote.page.keyboard.press("Escape")
    notice.locator("[data-heldback-close]").click()
    remote.expect_complete(remote.ask("Four"))
    expect(notice).to_be_hidden()


def test_signing_in_again_restores_the_answer_and_the_draft(
    remote: Chat, line: Line, context: BrowserContext, cookies: list
) -> None:
    answer = remote.ask("A long story", "typewriter-4000-40")
    expect(remote.text(answer)).to_contain_text("The quick brown")
    session = remote.session_id
    remote.input.fill("Not yet asked")
    context.clear_cookies()
    line.cut()
    expect(remote.page).to_have_url(re.compile(f"/sign-in.*{session}"))
    context.add_cookies(at_port(cookies, line.url))
    remote.page.goto(f"{line.url}/c/{session}")
    remote.ready()
    expect(remote.input).to_have_value("Not yet asked")
    expect(answer).to_have_attribute("data-status", "running")
    expect(remote.text(answer)).to_contain_text("The quick brown")


@chinese
def test_a_deleted_answer_is_reported_after_reconnecting(
    remote: Chat, line: Line, service: Service, language: str
) -> None:
    answer = remote.ask("A long story", "typewriter-4000-40")
    expect(remote.text(answer)).to_contain_text("The quick brown")
    line.go_down()
    assert service.request("DELETE", f"/api/sessions/{remote.session_id}").status == 204
    line.come_up()
    expect(remote.error(answer)).to_contain_text(words(language, "answer.gone"))
    expect(answer.locator("[data-retry]")).to_be_hidden()
    expect(answer.locator("[data-error-continue]")).to_be_hidden()


def test_tabs_and_devices_follow_the_same_answer_and_any_can_stop_it(
    chat: Chat, context: BrowserContext, windows: Windows, faults: Faults
) -> None:
    chat.expect_complete(chat.ask("Hello", "echo"))
    tab = Chat(context.new_page()).open(f"/c/{chat.session_id}")
    expect(tab.answers).to_have_count(1)
    with windows.window(
        faults, locale="en-US", viewport={"width": 390, "height": 844}
    ) as elsewhere:
        page = elsewhere.new_page()
        page.clock.install()
        phone = Chat(page).open(f"/c/{chat.session_id}")
        expect(phone.answers).to_have_count(1)
        chat.ask("A long story", "typewriter-4000-40")
        expect(tab.questions.last.locator("[data-text]")).to_have_text("A long story")
        expect(tab.text(tab.answers.last)).to_contain_text("The quick brown")
        phone.page.clock.fast_forward(11_000)
        expect(phone.questions.last.locator("[data-text]")).to_have_text("A long story")
        expect(phone.text(phone.answers.last)).to_contain_text("The quick brown")
        phone.stop.click()
        for one in (chat, tab, phone):
            expect(one.answers.last).to_have_attribute("data-status", "stopped")
        texts = {one.text(one.answers.last).inner_text() for one in (chat, tab, phone)}
        assert len(texts) == 1 and typed(4000).startswith(texts.pop())
        tab.choose_model("openai/typewriter-4000-40")
        tab.answers.last.locator("[data-continue]").click()
        for one in (tab, chat):
            expect(one.answers.last).to_have_attribute("data-status", "running")
            expect(one.answers.last.locator("[data-branch-count]")).to_have_text("2/2")
        chat.stop.click()
        expect(tab.answers.last).to_have_attribute("data-status", "stopped")


def test_a_truncated_answer_is_continued_as_one_text(chat: Chat, service: Service) -> None:
    answer = chat.ask("Say more", "length")
    chat.expect_complete(answer)
    expect(answer.locator("[data-note=length]")).to_be_visible()
    chat.choose_model("openai/echo")
    answer.locator("[data-continue]").click()
    expect(answer.locator("[data-branch-count]")).to_have_text("2/2")
    chat.expect_complete(answer)
    text = chat.text(answer).inner_text()
    assert text.startswith("Too long ") and len(text) > len("Too long ")
    stored = messages(service, chat.session_id, "assistant")
    assert [row["content"][:9] for row in stored] == ["Too long "] * 2
    chat.reload()
    expect(chat.text(answer)).to_have_text(text)


@pytest.fixture
def restartable(tmp_path: Path, model_server: ModelServer) -> Iterator[Service]:
    """A service that the test may stop and start."""
    supplier = {
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_MODELS": "hang-mid,echo",
    }
    with Service(tmp_path, CHATAPP_AUTH="off", **supplier) as running:
        yield running
        running.end(signal.SIGQUIT)


@english
def test_an_answer_interrupted_by_a_restart_can_be_continued(
    context: BrowserContext, restartable: Service, faults: Faults, language: str
) -> None:
    faults.expect(BROKEN)
    page = context.new_page()
    page.goto(restartable.url)
    chat = Chat(page).ready()
    answer = chat.ask("Are you there?", "hang-mid")
    expect(chat.text(answer)).to_have_text("One two three")
    restartable.end(signal.SIGQUIT)
    restartable.start()
    expect(answer).to_have_attribute("data-status", "interrupted")
    expect(chat.error(answer)).to_contain_text(sentence(language, "error.interrupted.shutdown"))
    expect(answer.locator("[data-retry]")).to_have_text(words(language, "thread.regenerate"))
    expect(answer.locator("[data-error-continue]")).to_have_text(words(language, "thread.continue"))
    chat.choose_model("openai/echo")
    answer.locator("[data-error-continue]").click()
    expect(answer.locator("[data-branch-count]")).to_have_text("2/2")
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text(re.compile("^One two three .+"))
    expect(chat.error(answer)).to_be_hidden()
    page.close()
