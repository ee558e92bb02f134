"""Error states of the page, in both languages."""

import re

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.support.browser import LANGUAGES, Chat, Faults, messages, sentence, words
from tests.support.modelbehaviours import LET_GO
from tests.support.modelserver import ModelServer
from tests.support.service import Service, wait_for

pytestmark = pytest.mark.parametrize("language", LANGUAGES)
STREAM = re.compile(r"/chat/stream$")
RESUMED = re.compile(r"/chat/stream/[0-9a-f-]{36}$")
REFUSED = r"Failed to load resource.*"


def test_without_a_model_the_connect_dialog_opens_and_the_text_is_kept(
    context: BrowserContext, language: str
) -> None:
    chat = Chat(context.new_page())
    chat.page.route(
        "**/api/models", lambda route: route.fulfill(json={"items": [], "default": None})
    )
    chat.open().ask("Where do I begin?")
    expect(chat.notice).to_contain_text(words(language, "composer.no_model"))
    expect(chat.connect_dialog).to_be_visible()
    expect(chat.connect_dialog.locator("[data-reason]")).to_contain_text(
        words(language, "composer.no_model")
    )
    expect(chat.input).to_have_value("Where do I begin?")
    expect(chat.questions).to_have_count(0)
    expect(chat.answers).to_have_count(0)


def test_a_removed_model_opens_the_connect_dialog_and_the_text_is_kept(
    chat: Chat, service: Service, model_server: ModelServer, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "409")
    supplier = {
        "name": "leaving",
        "base_url": model_server.base_url,
        "api_key": "sk-test",
        "models": ["echo"],
    }
    made = service.post("/api/suppliers", supplier).json
    chat.reload().choose_model("leaving/echo")
    assert service.request("DELETE", f"/api/suppliers/{made['id']}").status == 204
    chat.ask("Are you still there?")
    expect(chat.notice).to_have_text(sentence(language, "error.model_gone"))
    expect(chat.connect_dialog.locator("[data-reason]")).to_have_text(
        sentence(language, "error.model_gone")
    )
    expect(chat.input).to_have_value("Are you still there?")
    expect(chat.questions).to_have_count(0)
    expect(chat.answers).to_have_count(0)
    chat.page.keyboard.press("Escape")
    chat.choose_model("openai/echo")
    chat.input.press("Enter")
    chat.expect_complete(chat.answers.last)
    expect(chat.text(chat.answers.last)).to_contain_text("Are you still there?")


def test_the_context_is_shown_before_the_first_token(chat: Chat, language: str) -> None:
    answer = chat.ask("What do you stand on?", "hang-before-headers")
    expect(answer.locator("[data-context]")).to_have_text(re.compile("hang-before-headers"))
    expect(answer.locator("[data-phase-text]")).to_contain_text(words(language, "phase.writing"))
    expect(chat.text(answer)).to_have_text("")


def test_the_answer_names_its_knowledge_base(chat: Chat, service: Service, language: str) -> None:
    chat.choose_model("builtin/extractive")
    answer = chat.ask(words(language, "empty.suggestion.1"))
    expect(answer.locator("[data-context]")).to_have_text(words(language, "server.manual"))


def test_an_unsent_edited_question_is_marked_and_can_be_resent(
    chat: Chat, service: Service, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "ERR_CONNECTION_REFUSED")
    chat.expect_complete(chat.ask("Anybody?", "echo"))
    chat.page.route(STREAM, lambda route: route.abort("connectionrefused"))
    chat.questions.last.hover()
    chat.questions.last.locator("[data-edit]").click()
    chat.questions.last.locator("[data-edit-field]").fill("Is anybody there?")
    chat.questions.last.locator("[data-edit-field]").press("Enter")
    question = chat.questions.last
    expect(question).to_have_attribute("data-status", "unsent")
    expect(question.locator("[data-unsent]")).to_contain_text(words(language, "thread.unsent"))
    expect(chat.answers).to_have_count(0)
    chat.page.unroute(STREAM)
    question.locator("[data-resend]").click()
    chat.expect_complete(chat.answers.last)
    expect(chat.text(chat.answers.last)).to_have_text("Is anybody there?")
    expect(question.locator("[data-unsent]")).to_be_hidden()
    expect(chat.questions).to_have_count(1)
    assert [row["content"] for row in messages(service, chat.session_id, "user")] == [
        "Anybody?",
        "Is anybody there?",
    ]


def test_a_refused_question_shows_the_reason_and_can_be_resent(
    chat: Chat, service: Service, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "429")
    hanging = [start_hanging(service) for _ in range(4)]
    chat.ask("One too many?", "echo")
    question = chat.questions.last
    expect(question.locator("[data-unsent]")).to_contain_text(words(language, "thread.unsent"))
    expect(question.locator("[data-unsent-text]")).to_have_text(
        sentence(language, "error.too_many_answers")
    )
    expect(chat.answers).to_have_count(0)
    for message_id in hanging:
        service.request("DELETE", f"/chat/stream/{message_id}")
    wait_for(
        lambda: all(
            service.get(f"/api/messages/{one}").json["status"] == "stopped" for one in hanging
        ),
    )
    question.locator("[data-resend]").click()
    chat.expect_complete(chat.answers.last)
    assert len(messages(service, chat.session_id, "user")) == 1


def start_hanging(service: Service) -> str:
    body = {"question": "hang", "llm_config": {"supplier": "openai", "model": "hang-mid"}}
    return service.stream(body, until=lambda streamed: "chunk" in streamed.kinds()).message_id


FAILURES = {
    "cut": ("upstream_error.cut", "Half an"),
    "refuse-401": ("upstream_auth", ""),
    "refuse-429-5": ("upstream_rate_limit.after", ""),
    "refuse-500": ("upstream_error", ""),
    "html": ("upstream_protocol.page", ""),
    "broken-json": ("upstream_protocol", "Good so far"),
    "drop": ("upstream_unreachable", ""),
}


@pytest.mark.parametrize("model", FAILURES)
def test_a_failed_answer_shows_its_error_retry_and_partial_text(
    chat: Chat, language: str, model: str
) -> None:
    key, partial = FAILURES[model]
    answer = chat.ask("How does it end?", model)
    expect(answer).to_have_attribute("data-status", "failed")
    expect(chat.error(answer).locator("[data-error-text]")).to_have_text(
        sentence(language, f"error.{key}")
    )
    expect(answer.locator("[data-retry]")).to_be_visible()
    expect(answer.locator("[data-retry]")).to_have_text(words(language, "thread.retry"))
    expect(chat.text(answer)).to_have_text(partial)
    chat.reload()
    expect(chat.error(answer).locator("[data-error-text]")).to_have_text(
        sentence(language, f"error.{key}")
    )
    expect(chat.text(answer)).to_have_text(partial)


def test_retry_keeps_the_failed_answer_as_a_branch(chat: Chat, language: str) -> None:
    answer = chat.ask("And again?", "cut")
    expect(answer).to_have_attribute("data-status", "failed")
    chat.choose_model("openai/echo")
    answer.locator("[data-retry]").click()
    chat.expect_complete(chat.answers.last)
    expect(chat.text(chat.answers.last)).to_have_text("And again?")
    expect(chat.answers).to_have_count(1)
    expect(chat.answers.last.locator("[data-branch-count]")).to_have_text("2/2")


def corrupt_third_event(route: Route) -> None:
    """Fetch the real response and truncate its third event."""
    response = route.fetch()
    events = response.text().split("\n\n")
    events[2] = events[2].partition("data: ")[0] + 'data: {"type":"chunk","da'
    route.fulfill(response=response, body="\n\n".join(events))


def test_an_unreadable_event_is_fetched_again_once(chat: Chat, language: str) -> None:
    resumed: list[str] = []
    chat.page.on(
        "request",
        lambda request: resumed.append(request.url) if RESUMED.search(request.url) else None,
    )
    chat.page.route(STREAM, corrupt_third_event)
    question = "One two three four five six seven"
    answer = chat.ask(question, "echo")
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text(question)
    expect(chat.error(answer)).to_be_hidden()
    assert len(resumed) == 1


def test_repeated_unreadable_events_are_reported_and_retry_recovers(
    chat: Chat, language: str
) -> None:
    chat.page.route(STREAM, corrupt_third_event)
    chat.page.route(
        RESUMED,
        lambda route: route.fulfill(content_type="text/event-stream", body='data: {"type":\n\n'),
    )
    question = "One two three four five six seven"
    answer = chat.ask(question, "echo")
    expect(answer).to_have_attribute("data-status", "failed")
    expect(chat.error(answer).locator("[data-error-text]")).to_have_text(
        words(language, "answer.unreadable")
    )
    expect(chat.text(answer)).to_have_text(re.compile("^One"))
    chat.page.unroute(RESUMED)
    answer.locator("[data-retry]").click()
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text(question)
    expect(chat.answers).to_have_count(1)


def test_stopping_before_the_first_token_removes_the_empty_answer(
    chat: Chat, service: Service, model_server: ModelServer, language: str
) -> None:
    answer = chat.ask("Never mind", "hang-before-headers")
    expect(answer.locator("[data-context]")).not_to_have_text("")
    chat.stop.click()
    expect(chat.answers).to_have_count(0)
    expect(chat.questions.last.locator("[data-text]")).to_have_text("Never mind")
    expect(chat.questions.last.locator("[data-ask-again]")).to_have_text(
        words(language, "thread.ask_again")
    )
    assert model_server.requests[-1].model == "hang-before-headers"
    assert model_server.wait_for(lambda: model_server.requests[-1].closed_by_client)
    chat.reload()
    expect(chat.questions.last.locator("[data-text]")).to_have_text("Never mind")
    expect(chat.answers).to_have_count(0)
    assert [row["status"] for row in messages(service, chat.session_id, "assistant")] == ["stopped"]


def test_a_second_tab_keeps_its_question_and_follows_the_first_tab_s_answer(
    chat: Chat, context: BrowserContext, service: Service, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "409")
    chat.expect_complete(chat.ask("Hello", "echo"))
    elsewhere = context.new_page()
    # It is not notified of the first tab's question, and does not look every ten seconds.
    elsewhere.add_init_script(
        "delete window.BroadcastChannel; const later = window.setTimeout;"
        "window.setTimeout = (run, ms, ...rest) => (ms < 10000 ? later(run, ms, ...rest) : 0);"
    )
    other = Chat(elsewhere).open(f"/c/{chat.session_id}")
    expect(other.answers).to_have_count(1)
    chat.ask("The long one", "held-120")
    expect(chat.text(chat.answers.last)).to_contain_text("The quick")
    other.ask("Me too")
    expect(other.notice).to_have_text(words(language, "error.busy"))
    expect(other.input).to_have_value("Me too")
    expect(other.questions.last.locator("[data-text]")).to_have_text("The long one")
    LET_GO.set()
    chat.expect_complete(chat.answers.last)
    chat.expect_complete(other.answers.last)
    assert other.text(other.answers.last).inner_text() == chat.text(chat.answers.last).inner_text()
    expect(other.input).to_have_value("Me too")
    other.choose_model("openai/echo")
    other.input.press("Enter")
    expect(other.answers).to_have_count(3)
    chat.expect_complete(other.answers.last)
    asked = [row["content"] for row in messages(service, chat.session_id, "user")]
    assert asked == ["Hello", "The long one", "Me too"]
