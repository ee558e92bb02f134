"""What the page shows when something fails or is stopped: every case, in both languages."""

import re

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.support.browser import LANGUAGES, Chat, Faults, messages, sentence, words
from tests.support.modelserver import ModelServer
from tests.support.service import Service, wait_for

pytestmark = pytest.mark.parametrize("language", LANGUAGES)
STREAM = re.compile(r"/chat/stream$")
RESUMED = re.compile(r"/chat/stream/[0-9a-f-]{36}$")
REFUSED = r"Failed to load resource.*"


def test_without_a_model_the_dialog_opens_and_the_text_stays(
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


def test_a_model_that_is_gone_opens_the_dialog_and_the_text_stays(
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


def test_what_the_answer_stands_on_is_there_before_its_first_word(
    chat: Chat, language: str
) -> None:
    answer = chat.ask("What do you stand on?", "hang-before-headers")
    expect(answer.locator("[data-context]")).to_have_text(re.compile("hang-before-headers"))
    expect(answer.locator("[data-phase-text]")).to_contain_text(words(language, "phase.writing"))
    expect(chat.text(answer)).to_have_text("")


def test_the_knowledge_base_is_named_beside_the_answer(
    chat: Chat, service: Service, language: str
) -> None:
    chat.choose_model("builtin/extractive")
    answer = chat.ask(words(language, "empty.suggestion.1"))
    expect(answer.locator("[data-context]")).to_have_text(words(language, "server.manual"))


def test_a_question_that_never_arrives_is_marked_and_sent_again_by_one_click(
    chat: Chat, service: Service, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "ERR_CONNECTION_REFUSED")
    chat.page.route(STREAM, lambda route: route.abort("connectionrefused"))
    chat.ask("Is anybody there?", "echo")
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
        "Is anybody there?"
    ]


def test_a_question_the_server_refuses_says_why_and_is_sent_again(
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
        5,
    )
    question.locator("[data-resend]").click()
    chat.expect_complete(chat.answers.last)
    assert len(messages(service, chat.session_id, "user")) == 1


def start_hanging(service: Service) -> str:
    body = {"question": "hang", "llm_config": {"supplier": "openai", "model": "hang-mid"}}
    return service.stream(body, until=lambda streamed: "chunk" in streamed.kinds()).message_id


ENDS = {
    "cut": ("upstream_error.cut", "Half an"),
    "refuse-401": ("upstream_auth", ""),
    "refuse-429-5": ("upstream_rate_limit.after", ""),
    "refuse-500": ("upstream_error", ""),
    "html": ("upstream_protocol", ""),
    "broken-json": ("upstream_protocol", "Good so far"),
    "drop": ("upstream_unreachable", ""),
}


@pytest.mark.parametrize("model", ENDS)
def test_an_error_stands_at_the_answer_with_retry_and_what_arrived_stays(
    chat: Chat, language: str, model: str
) -> None:
    key, partial = ENDS[model]
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


def test_retry_asks_again_and_keeps_the_failed_answer_beside_the_new_one(
    chat: Chat, language: str
) -> None:
    answer = chat.ask("And again?", "cut")
    expect(answer).to_have_attribute("data-status", "failed")
    chat.choose_model("openai/echo")
    answer.locator("[data-retry]").click()
    chat.expect_complete(chat.answers.last)
    expect(chat.text(chat.answers.last)).to_have_text("And again?")
    expect(chat.answers).to_have_count(1)
    expect(chat.answers.last.locator("[data-branch-count]")).to_have_text("2/2")


def spoil(route: Route) -> None:
    """Let the real server answer, and hand on its third event broken."""
    response = route.fetch()
    events = response.text().split("\n\n")
    events[2] = events[2].partition("data: ")[0] + 'data: {"type":"chunk","da'
    route.fulfill(response=response, body="\n\n".join(events))


def test_an_event_that_cannot_be_read_is_fetched_again_once(chat: Chat, language: str) -> None:
    resumed: list[str] = []
    chat.page.on(
        "request",
        lambda request: resumed.append(request.url) if RESUMED.search(request.url) else None,
    )
    chat.page.route(STREAM, spoil)
    question = "One two three four five six seven"
    answer = chat.ask(question, "echo")
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text(question)
    expect(chat.error(answer)).to_be_hidden()
    assert len(resumed) == 1


def test_events_that_stay_unreadable_end_in_words_and_reading_again_mends_it(
    chat: Chat, language: str
) -> None:
    chat.page.route(STREAM, spoil)
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


def test_stopped_before_the_first_word_the_answer_goes_and_the_question_stays(
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


def test_the_composer_keeps_a_question_while_another_is_answered(
    chat: Chat, service: Service, language: str
) -> None:
    first = chat.ask("The first", "typewriter-120-60")
    expect(chat.text(first)).to_contain_text("The quick")
    chat.input.fill("The second")
    chat.input.press("Enter")
    chat.input.press("Enter")
    expect(chat.notice).to_have_text(words(language, "composer.kept"))
    expect(chat.input).to_have_value("The second")
    chat.expect_complete(first)
    expect(chat.notice).to_be_hidden()
    expect(chat.input).to_have_value("The second")
    expect(chat.questions).to_have_count(1)
    chat.choose_model("openai/echo")
    chat.input.press("Enter")
    expect(chat.answers).to_have_count(2)
    chat.expect_complete(chat.answers.last)
    expect(chat.input).to_have_value("")
    assert [row["content"] for row in messages(service, chat.session_id, "user")] == [
        "The first",
        "The second",
    ]


def test_a_second_tab_keeps_its_question_and_follows_the_answer_of_the_first(
    chat: Chat, context: BrowserContext, service: Service, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "409")
    chat.expect_complete(chat.ask("Hello", "echo"))
    elsewhere = context.new_page()
    elsewhere.add_init_script(
        "delete window.BroadcastChannel"
    )  # it does not hear of the first tab's question
    other = Chat(elsewhere).open(f"/c/{chat.session_id}")
    expect(other.answers).to_have_count(1)
    chat.ask("The long one", "typewriter-120-60")
    expect(chat.text(chat.answers.last)).to_contain_text("The quick")
    other.ask("Me too")
    expect(other.notice).to_have_text(words(language, "error.busy"))
    expect(other.input).to_have_value("Me too")
    expect(other.questions.last.locator("[data-text]")).to_have_text("The long one")
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
