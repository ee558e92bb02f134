"""Long chats: their last messages first, earlier ones in place, and deleting a message."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, PHONE, Chat, Faults, messages, until, words
from tests.support.long_chats import LongChat, add_long_chat
from tests.support.modelbehaviours import LET_GO
from tests.support.service import Service

PART = 30  # messages of one request
MESSAGES = re.compile(r"/api/sessions/[0-9a-f-]{36}/messages\?")
SCROLL = "document.querySelector('[data-scroll]')"
NO_ANSWER = "net::ERR_FAILED"
both = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture
def long(service: Service, chat: Chat) -> LongChat:
    return add_long_chat(service, turns=45, two_versions=5)


def opened(chat: Chat, long: LongChat, message: str = "") -> Chat:
    return chat.open(f"/c/{long.session_id}{message and f'#{message}'}")


def shown(page: Page) -> list[str]:
    every = "(all) => all.map((one) => one.dataset.message)"
    return list(page.locator("[data-message]").evaluate_all(every))


def top(message: Locator) -> float:
    return float(message.evaluate("(one) => one.getBoundingClientRect().top"))


def element(chat: Chat, message_id: str) -> Locator:
    return chat.page.locator(f'[data-message="{message_id}"]')


@pytest.mark.parametrize("window", [{}, {"viewport": PHONE}], ids=["desktop", "phone"])
def test_earlier_messages_are_loaded_with_the_place_kept(chat: Chat, long: LongChat) -> None:
    page = opened(chat, long).page
    assert shown(page) == long.ids[-PART:]
    expect(element(chat, long.ids[-1])).to_be_in_viewport()
    while len(shown(page)) < len(long.ids):
        before = shown(page)
        # in one go: what is at the very top is read from the layout before anything is loaded
        place = page.evaluate(
            f"""() => {{
              {SCROLL}.scrollTop = 0;
              return document.querySelector('[data-message]').getBoundingClientRect().top;
            }}"""
        )
        expect(page.locator("[data-message]")).not_to_have_count(len(before))
        assert shown(page) == long.ids[-len(before) - PART :]
        assert abs(top(element(chat, before[0])) - place) < 2
    expect(page.locator("[data-edge=earlier]")).to_be_hidden()


def test_what_grows_above_does_not_move_what_is_read(chat: Chat, long: LongChat) -> None:
    page = opened(chat, long).page
    page.evaluate(f"{SCROLL}.scrollTop -= 900")
    expect(page.locator("[data-latest]")).to_be_visible()
    reading = page.evaluate_handle(
        """() => [...document.querySelectorAll('[data-message]')].find(
             (one) => one.getBoundingClientRect().top > 60)"""
    ).as_element()
    assert reading is not None
    place = reading.bounding_box()
    grown = "(one) => { one.style.paddingBlockEnd = '400px'; }"
    element(chat, shown(page)[0]).evaluate(grown)
    until(page, lambda: page.evaluate(f"{SCROLL}.scrollHeight") > 0)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert abs((reading.bounding_box() or {"y": 0})["y"] - (place or {"y": 0})["y"]) < 2


def test_a_long_chat_costs_what_a_short_one_costs(chat: Chat, service: Service) -> None:
    def cost(turns: int) -> tuple[int, int]:
        asked: list[str] = []
        long = add_long_chat(service, turns)
        chat.page.on("request", lambda request: asked.append(request.url))
        opened(chat, long)
        expect(element(chat, long.ids[-1])).to_be_visible()
        found = len([url for url in asked if long.session_id in url and "/api/" in url])
        return found, chat.page.locator("[data-thread] *").count()

    short, long = cost(9), cost(250)
    assert long[0] == short[0], "requests"
    assert long[1] < 2 * short[1], "elements"


@both
def test_earlier_messages_that_cannot_be_loaded_are_retried(
    chat: Chat, long: LongChat, faults: Faults, language: str
) -> None:
    page = opened(chat, long).page
    faults.expect(NO_ANSWER)
    page.route(MESSAGES, lambda route: route.abort())
    page.evaluate(f"{SCROLL}.scrollTop = 0")
    edge = page.locator("[data-edge=earlier]")
    expect(edge.locator("[data-edge-error]")).to_contain_text(
        words(language, "thread.earlier.failed")
    )
    assert not violations(page)
    page.unroute(MESSAGES)
    edge.locator("[data-edge-retry]").click()
    expect(page.locator("[data-message]")).to_have_count(2 * PART)
    expect(edge.locator("[data-edge-error]")).to_be_hidden()


def test_a_slow_chat_shows_a_skeleton_and_a_failed_one_offers_retry(
    chat: Chat, long: LongChat, faults: Faults
) -> None:
    held: list[Route] = []
    page = chat.page
    page.route(MESSAGES, lambda route: held.append(route))
    page.goto(f"/c/{long.session_id}")
    expect(page.locator("[data-opening-skeleton]")).to_be_visible()
    until(page, lambda: held)
    faults.expect(NO_ANSWER)
    held[0].abort()
    page.unroute(MESSAGES)
    error = page.locator("[data-opening-error]")
    expect(error).to_be_visible()
    expect(page).to_have_url(re.compile(long.session_id))
    assert not violations(page)
    error.locator("[data-opening-retry]").click()
    expect(page.locator("[data-message]")).to_have_count(PART)
    expect(page.locator("[data-opening]")).to_be_hidden()


def test_a_question_to_a_chat_that_could_not_be_loaded_is_shown(
    chat: Chat, long: LongChat, faults: Faults
) -> None:
    page = chat.page
    faults.expect(NO_ANSWER)
    page.route(MESSAGES, lambda route: route.abort())
    opened(chat, long)
    expect(page.locator("[data-opening-error]")).to_be_visible()
    answer = chat.ask("And now?", "echo")
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text("And now?")
    expect(page.locator("[data-opening]")).to_be_hidden()
    page.unroute(MESSAGES)
    chat.reload()
    assert len(shown(page)) == PART, "it was asked at the end of the chat"


def test_a_message_opens_in_its_place_and_the_end_is_one_click_away(
    chat: Chat, long: LongChat
) -> None:
    wanted = long.ids[20]
    page = opened(chat, long, wanted).page
    found = element(chat, wanted)
    expect(found).to_be_in_viewport()
    expect(found).to_have_attribute("data-found", "")
    expect(found).to_be_focused()
    assert len(shown(page)) == PART
    page.evaluate(f"location.hash = '{long.ids[24]}'")
    expect(element(chat, long.ids[24])).to_be_focused()
    page.locator("[data-latest]").click()
    expect(element(chat, long.ids[-1])).to_be_in_viewport()
    page.go_back()
    expect(found).to_be_focused()


def test_later_messages_are_loaded_until_the_end(chat: Chat, long: LongChat) -> None:
    page = opened(chat, long, long.ids[40]).page
    first = shown(page)[0]
    while shown(page)[-1] != long.ids[-1]:
        count = len(shown(page))
        page.evaluate(f"{SCROLL}.scrollTop = {SCROLL}.scrollHeight")
        expect(page.locator("[data-message]")).not_to_have_count(count)
    assert shown(page) == long.ids[long.ids.index(first) :]


def test_a_question_asked_in_the_middle_goes_to_the_end(
    chat: Chat, service: Service, long: LongChat
) -> None:
    opened(chat, long, long.ids[10])
    answer = chat.ask("And now?", "echo")
    chat.expect_complete(answer)
    expect(chat.text(answer)).to_have_text("And now?")
    asked = messages(service, long.session_id, "user")[-1]
    assert (asked["content"], asked["parent_id"]) == ("And now?", long.ids[-1])


def test_earlier_messages_are_loaded_while_an_answer_is_written(
    chat: Chat, service: Service, long: LongChat
) -> None:
    page = opened(chat, long).page
    answer = chat.ask("Write", "held-120")
    expect(chat.text(answer)).not_to_be_empty()

    def scrolled() -> bool:
        """Scroll up, again where the page has followed the answer before it noticed."""
        page.evaluate(f"{SCROLL}.scrollTop = 0")
        return page.locator("[data-message]").count() >= 2 * PART + 2

    until(page, scrolled)
    LET_GO.set()
    chat.expect_complete(answer)
    [stored] = messages(service, long.session_id, "assistant")[-1:]
    expect(chat.text(answer)).to_have_text(stored["content"])
    expect(page.locator("[data-latest]")).to_be_visible()


def test_versions_are_switched_without_loading_the_chat(chat: Chat, long: LongChat) -> None:
    page = opened(chat, long).page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answer = element(chat, long.ids[-9])
    expect(answer.locator("[data-branch-count]")).to_have_text("2/2")
    answer.locator("[data-branch-previous]").click()
    older = element(chat, long.older)
    expect(older.locator("[data-branch-count]")).to_have_text("1/2")
    assert shown(page)[-1] == long.older
    assert len([url for url in asked if MESSAGES.search(url)]) == 1
    older.locator("[data-branch-next]").click()
    expect(element(chat, long.ids[-1])).to_be_attached()


@both
def test_a_message_is_deleted_with_what_is_below_it(
    chat: Chat, long: LongChat, language: str
) -> None:
    page = opened(chat, long).page
    dialog = page.locator("dialog[data-dialog=confirm]")
    button = element(chat, long.ids[-3]).locator("[data-delete-message]")
    button.focus()
    button.press("Enter")
    expect(dialog).to_contain_text("2")
    assert not violations(page)
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    button.evaluate("(one) => { one.click(); one.click(); }")  # is asked once
    expect(dialog).to_be_visible()
    dialog.locator("[data-confirm-yes]").press("Enter")
    expect(element(chat, long.ids[-4])).to_be_focused()
    assert shown(page)[-1] == long.ids[-4]
    expect(page.locator("[data-announcer]")).to_contain_text("3")
    element(chat, long.ids[-9]).locator("[data-delete-message]").click()
    expect(dialog).to_be_visible()
    dialog.locator("[data-confirm-yes]").click()
    expect(element(chat, long.older)).to_be_focused()
    expect(page.locator("[data-toast]")).to_have_count(0)
    chat.reload()
    assert shown(page)[-1] == long.older, "the version that is left"


def test_a_message_is_not_deleted_while_an_answer_is_written(chat: Chat) -> None:
    answer = chat.ask("Write", "held-120")
    expect(chat.text(answer)).not_to_be_empty()
    chat.questions.last.locator("[data-delete-message]").click(force=True)
    expect(chat.page.locator("[data-toast]")).to_contain_text(words("en", "thread.delete.live"))
    LET_GO.set()
    chat.expect_complete(answer)
