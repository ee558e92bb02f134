"""Why this answer: the fold below the sources, with the candidates of the search."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.support.axe import violations
from tests.support.browser import (
    LANGUAGES,
    PHONE,
    Chat,
    Faults,
    delete_bases,
    filled,
    until,
    words,
)
from tests.support.service import Service

SEARCH = re.compile(r"/api/messages/[0-9a-f-]{36}/search$")
CODE = re.compile(r"/(?:candidates(?:-\w+)?\.js|why\.css)")
QUESTION = "When does the office of Zanzibar close?"
RULES = "\n\n".join(
    f"# Rule {n}\n\nThe office of Zanzibar closes at {n} o'clock." for n in range(1, 13)
)
both = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture
def base(service: Service, tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "rules.md"
    file.write_text(RULES, "utf-8")
    yield service.add_documents("Rules", file)
    delete_bases(service)


def answered(chat: Chat, base: str) -> Locator:
    chat.reload().choose_base(base)
    chat.choose_model("builtin/extractive")
    answer = chat.ask(QUESTION)
    chat.expect_complete(answer)
    return answer


def opened(answer: Locator) -> Locator:
    fold = answer.locator("[data-why]")
    fold.locator("summary").click()
    expect(fold.locator("table, p").first).to_be_visible()
    return fold


@both
def test_an_answer_shows_what_was_searched_and_what_was_left_out(
    chat: Chat, base: str, language: str
) -> None:
    requested: list[str] = []
    chat.page.on("request", lambda request: requested.append(request.url))
    answer = answered(chat, base)
    expect(answer.locator("[data-why] summary")).to_have_text(words(language, "why.title"))
    assert not [url for url in requested if SEARCH.search(url) or CODE.search(url)]
    fold = opened(answer)
    expect(fold.locator("[data-slot=query]")).to_have_text(QUESTION)
    expect(fold.locator("[data-search-facts]")).to_have_text(
        " · ".join(
            [filled(language, "why.found.other", n=12), filled(language, "why.given.other", n=5)]
        )
    )
    given = fold.locator('[data-candidates=""] [data-candidate]')
    expect(given.locator("[data-candidate-n]")).to_have_text(["1", "2", "3", "4", "5"])
    expect(given.first).to_contain_text("rules.md")
    expect(given.first).to_contain_text("Rule ")
    expect(given.first.locator("[data-ranking=words]")).to_have_text(re.compile(r"^[01]\.\d\d$"))
    left = fold.locator("[data-candidates=below_k]")
    expect(left.locator("[data-candidates-title]")).to_have_text(
        filled(language, "why.cut.below_k", k=5)
    )
    expect(left.locator("[data-candidate]:visible")).to_have_count(3)
    more = fold.locator("[data-search-more]")
    expect(more).to_have_text(filled(language, "why.more.other", n=4))
    more.click()
    expect(left.locator("[data-candidate]:visible")).to_have_count(7)
    expect(left.locator("[data-candidate]").nth(3).locator("button")).to_be_focused()
    given.first.locator("[data-candidate-open]").click()
    dialog = chat.page.locator("[data-dialog=knowledge]")
    expect(dialog.locator("[data-this-name]")).to_have_text("rules.md")
    expect(dialog.locator("[data-chunks] [data-found]")).to_be_in_viewport()


def test_the_fold_is_there_after_a_reload_and_says_what_is_gone(
    chat: Chat, base: str, service: Service
) -> None:
    answered(chat, base)
    service.request("DELETE", f"/api/knowledge/{base}")
    chat.reload()
    fold = opened(chat.answers.last)
    names = fold.locator("[data-candidate-open]")
    expect(names.first).to_have_text(words("en", "why.deleted"))
    expect(names.first).to_be_disabled()


def test_answers_without_a_search_have_no_fold(chat: Chat, base: str) -> None:
    chat.reload()
    for question, model in (("hello", "echo"), ("Thanks!", None)):
        if not model:
            chat.choose_base(base)
            chat.choose_model("builtin/extractive")
        answer = chat.ask(question, model)
        chat.expect_complete(answer)
        expect(answer.locator("[data-why]")).to_be_hidden()


def test_messages_of_an_earlier_version_have_no_fold(chat: Chat, base: str) -> None:
    answered(chat, base)

    def earlier(route: Route) -> None:
        reply = route.fetch()
        items = [{**item, "searched": False} for item in reply.json()["items"]]
        route.fulfill(response=reply, json={**reply.json(), "items": items})

    chat.page.route(re.compile(r"/messages\?"), earlier)
    chat.reload()
    expect(chat.answers.last.locator("[data-sources]")).to_be_visible()
    expect(chat.answers.last.locator("[data-why]")).to_be_hidden()


def test_nothing_found_is_said(chat: Chat, base: str) -> None:
    chat.reload().choose_base(base)
    chat.choose_model("builtin/extractive")
    chat.page.route(SEARCH, nothing_found)
    answer = chat.ask(QUESTION)
    chat.expect_complete(answer)
    fold = opened(answer)
    expect(fold.locator("[data-search-facts]")).to_have_text(words("en", "why.nothing"))
    expect(fold.locator("table")).to_be_hidden()


def nothing_found(route: Route) -> None:
    reply = route.fetch()
    route.fulfill(response=reply, json={**reply.json(), "found": 0, "candidates": []})


@both
def test_a_failed_request_is_shown_and_repeated(
    chat: Chat, base: str, faults: Faults, language: str
) -> None:
    faults.expect("Failed to load resource")
    answer = answered(chat, base)
    chat.page.route(SEARCH, lambda route: route.abort())
    fold = opened(answer)
    expect(fold.locator("[data-why-body]")).to_contain_text(words(language, "net.unreachable"))
    chat.page.unroute(SEARCH)
    fold.get_by_role("button", name=words(language, "thread.retry")).click()
    expect(fold.locator("table")).to_be_visible()
    said = {"error": {"code": "not_found", "message": words(language, "error.not_found.search")}}
    chat.page.route(SEARCH, lambda route: route.fulfill(status=404, json=said))
    fold.locator("summary").click()
    fold.locator("summary").click()
    expect(fold.locator("[data-why-body]")).to_have_text(words(language, "error.not_found.search"))


def of_every_kind(route: Route) -> None:
    """Answer with candidates of all kinds, reranked."""
    reply = route.fetch()
    body: dict[str, Any] = reply.json()
    rows = body["candidates"]
    for place, row in enumerate(rows):
        row["by"] = {"words": row["by"]["words"], "vectors": 0.5, "rerank": 1 / (place + 2)}
    rows[1].update(n=1, cut="joined")
    rows[5].update(cut="no_room")
    rows[6].update(cut="copy", name=f"{'a long name ' * 20}.pdf")
    rows[7].update(cut="gone", name=None, start=None, heading=None)
    rows[8].update(cut="of a later version")
    rows[9]["by"]["vectors"] = None
    body["cut"]["history"] = 4
    route.fulfill(response=reply, json=body)


@both
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "window", [{}, {"viewport": PHONE, "has_touch": True, "is_mobile": True}], ids=["desk", "phone"]
)
def test_candidates_of_every_kind_fit_and_are_accessible(
    chat: Chat, base: str, language: str
) -> None:
    answer = answered(chat, base)
    chat.page.route(SEARCH, of_every_kind)
    fold = opened(answer)
    groups = fold.locator("[data-candidates-title]:not([hidden])")
    expect(groups).to_have_count(4)
    kinds = fold.locator("[data-candidates]")
    until(chat.page, lambda: kinds.count() == 5)
    assert [kinds.nth(n).get_attribute("data-candidates") for n in range(5)] == [
        "",
        "no_room",
        "copy",
        "below_k",
        "gone",
    ]
    expect(fold.locator("[data-candidate=joined]")).to_contain_text(
        filled(language, "why.cut.joined", n=1)
    )
    expect(fold.locator("[data-search-history]")).to_have_text(
        filled(language, "why.history.other", n=4)
    )
    expect(fold.locator("thead [data-ranking=rerank]")).to_have_text(words(language, "why.rerank"))
    expect(fold.locator("[data-ranking=rerank]").nth(1)).to_have_text(re.compile(r"^0\.50$"))
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert chat.page.evaluate(wide) == 0
    assert violations(chat.page) == []
