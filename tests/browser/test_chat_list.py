"""The list of chats: loaded as it is scrolled, drawn once, one menu for all rows."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.support.browser import Chat, Faults, until
from tests.support.service import Service

CHATS, PAGE = 5000, 50
LISTS = re.compile(r"/api/sessions\?limit=")
# Counts what each page of the list changes: rows added, anything removed, attributes of old rows.
COUNT = """async () => {
  const nav = document.querySelector('[data-sessions]');
  const rows = nav.querySelector('[data-session-rows]');
  const pages = [];
  let seen = { added: 0, removed: 0, changed: 0 };
  const known = new Set(rows.querySelectorAll('*'));
  new MutationObserver((records) => {
    for (const one of records) {
      const inList = rows.contains(one.target);
      if (!inList) continue;
      if (one.type === 'childList' && one.target === rows) seen.added += one.addedNodes.length;
      if (one.type === 'childList') seen.removed += one.removedNodes.length;
      if (one.type !== 'childList' && known.has(one.target)) seen.changed += 1;
    }
    for (const row of rows.querySelectorAll('*')) known.add(row);
  }).observe(nav, { subtree: true, childList: true, attributes: true, characterData: true });
  const more = nav.querySelector('[data-sessions-more]');
  const count = () => rows.querySelectorAll('[data-session]').length;
  while (!more.hidden) {
    const before = count();
    nav.scrollTop = nav.scrollHeight;
    while (count() === before) await new Promise((resolve) => requestAnimationFrame(resolve));
    await new Promise((resolve) => setTimeout(resolve));
    pages.push(seen);
    seen = { added: 0, removed: 0, changed: 0 };
  }
  return pages;
}"""


def chats(number: int) -> list[dict]:
    """Return the API's chats, the latest first, one an hour."""
    now = datetime.now(UTC)
    return [
        {
            "id": str(UUID(int=n + 1)),
            "title": f"Chat {n}",
            "pinned": False,
            "updated_at": (now - timedelta(hours=n)).isoformat(),
        }
        for n in range(number)
    ]


def serve(page: Page, rows: list[dict], allowed: Callable[[], bool] = lambda: True) -> list[str]:
    """Answer the page's requests for lists; return the cursors asked for, as they come."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        after = re.search(r"after=(\d+)", route.request.url)
        start = int(after[1]) if after else 0
        asked.append(str(start))
        if not allowed():
            return route.fulfill(status=503, json={"error": {"code": "x", "message": "Not now."}})
        end = start + PAGE
        following = str(end) if end < len(rows) else None
        return route.fulfill(json={"items": rows[start:end], "next": following})

    page.route(LISTS, answer)
    return asked


@pytest.fixture
def rows(chat: Chat) -> Locator:
    return chat.page.locator("[data-session]")


def test_five_thousand_chats_are_drawn_page_by_page(chat: Chat, rows: Locator) -> None:
    asked = serve(chat.page, chats(CHATS))
    chat.reload()
    pages = chat.page.evaluate(COUNT)
    expect(rows).to_have_count(CHATS)
    assert len(asked) == len(set(asked)) == CHATS / PAGE
    headings = 1 + CHATS // (24 * 28)  # months begin
    assert sum(one["added"] for one in pages) <= CHATS - PAGE + headings
    assert {one["removed"] for one in pages} == {0}
    assert {one["changed"] for one in pages} == {0}
    assert chat.page.locator("[data-sessions] [role=menu]").count() == 0
    assert chat.page.locator("[data-session-entries]").count() == 1


def test_an_answer_keeps_the_list_where_it_was_scrolled_to(
    chat: Chat, service: Service, rows: Locator
) -> None:
    for n in range(2 * PAGE + 20):
        assert service.post("/api/sessions", {"title": f"Chat {n}"}).status == 201
    chat.reload()
    last = chat.page.locator("[data-session-open]", has_text=re.compile("^Chat 0$"))
    nav = chat.page.locator("[data-sessions]")

    def at_the_end() -> bool:
        nav.evaluate("nav => { nav.scrollTop = nav.scrollHeight }")
        return last.count() > 0

    until(chat.page, at_the_end, 30)
    last.scroll_into_view_if_needed()
    last.evaluate("link => { link.dataset.mine = '' }")
    chat.expect_complete(chat.ask("A new question", "echo"))
    expect(rows).to_have_count(2 * PAGE + 21)
    expect(rows.first).to_have_text("A new question")
    expect(last).to_have_attribute("data-mine", "")
    expect(last).to_be_in_viewport()


def test_a_page_that_fails_is_loaded_by_its_button(
    chat: Chat, rows: Locator, faults: Faults
) -> None:
    faults.expect("503")
    allowed = [True]
    asked = serve(chat.page, chats(3 * PAGE), lambda: allowed[0])
    chat.reload()
    expect(rows).to_have_count(PAGE)
    allowed[0] = False
    more = chat.page.locator("[data-sessions-more]")
    more.scroll_into_view_if_needed()
    expect(chat.page.locator(".toast")).to_have_text("Not now.")
    requests = len(asked)
    chat.page.locator("[data-sessions]").evaluate("nav => { nav.scrollTop = 0 }")
    more.scroll_into_view_if_needed()
    assert len(asked) == requests, "a server in trouble is not asked again and again"
    allowed[0] = True
    more.focus()
    chat.page.keyboard.press("Enter")
    expect(rows.nth(2 * PAGE - 1)).to_be_attached()
    expect(rows.nth(PAGE).locator("[data-session-open]")).to_be_focused()
    until(chat.page, lambda: rows.count() >= 2 * PAGE)


def test_all_rows_share_one_menu_for_pointer_and_keys(chat: Chat, rows: Locator) -> None:
    serve(chat.page, chats(PAGE))
    chat.reload()
    menu = chat.page.locator("[data-session-entries]")
    button = rows.nth(3).locator("[data-session-menu]")
    button.focus()
    chat.page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(menu.locator("[data-rename]")).to_be_focused()
    chat.page.keyboard.press("ArrowUp")
    expect(menu.locator("[data-delete]")).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()
    other = rows.nth(5)
    other.hover()
    other.locator("[data-session-menu]").click()
    expect(menu).to_be_visible()
    other.locator("[data-session-menu]").click()
    expect(menu).to_be_hidden()
    chat.page.route("**/api/sessions/*", lambda route: route.fulfill(status=204))
    other.locator("[data-session-menu]").click()
    menu.locator("[data-delete]").click()
    expect(rows).to_have_count(PAGE - 1)
    expect(chat.page.locator("[data-session-open]", has_text="Chat 5")).to_have_count(0)


def test_a_refresh_waits_while_a_title_is_edited(chat: Chat, rows: Locator) -> None:
    items = chats(PAGE)
    serve(chat.page, items)
    chat.reload()
    expect(rows).to_have_count(PAGE)
    rows.nth(2).hover()
    rows.nth(2).locator("[data-session-menu]").click()
    chat.page.locator("[data-session-entries] [data-rename]").click()
    field = chat.page.locator("[data-rename-field]")
    field.fill("Half a ti")
    items[0]["title"] = "Changed elsewhere"
    with chat.page.expect_response(LISTS):
        chat.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        chat.page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(field).to_be_focused()
    expect(field).to_have_value("Half a ti")
    field.press("Escape")
    expect(rows.nth(2)).to_have_text("Chat 2")
    expect(rows.first).to_have_text("Changed elsewhere")


def test_an_empty_list_says_so(chat: Chat) -> None:
    serve(chat.page, [])
    chat.reload()
    expect(chat.page.locator("[data-sessions-empty]")).to_be_visible()
