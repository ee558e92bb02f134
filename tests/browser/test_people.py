"""People on the page: an administrator invites, a member accepts, is disabled and deleted."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.states.people import remove_people
from tests.support.axe import violations
from tests.support.browser import PHONE, Chat, Faults, new_window, own_bases, words
from tests.support.service import Service

PASSWORD = "a good long one"
NAMES = {"en-US": "Ada Lovelace", "zh-CN": "韩梅梅"}


@pytest.fixture(autouse=True)
def nobody_left(service: Service) -> Iterator[None]:
    yield
    remove_people(service)
    service.request("DELETE", "/api/auth/me/data")


def settings_tab(page: Page, name: str) -> Locator:
    """Open a tab of the settings, which may be open."""
    if not page.locator("[data-dialog=settings]").is_visible():
        page.locator("[data-account]").click()
        page.locator("[data-open-settings]").click()
    page.locator(f"[data-settings-tabs] [data-tab={name}]").click()
    panel = page.locator(f"[data-settings-panel={name}]")
    expect(panel).to_be_visible()
    return panel


def choose(page: Page, row: Locator, action: str) -> None:
    row.locator("[data-person-menu]").click()
    page.locator(f"[data-person-actions] [data-person-{action}]").click()


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_a_person_is_invited_disabled_and_deleted(
    chat: Chat, browser: Browser, service: Service, faults: Faults, language: str
) -> None:
    faults.expect("401")
    admin, name = chat.page, NAMES[language]
    panel = settings_tab(admin, "people")
    expect(panel.locator("[data-people-none]")).to_be_visible()
    panel.locator("[data-invite]").click()
    admin.keyboard.press("Enter")  # without a name: the person chooses it
    link = admin.locator("[data-invite-link]")
    expect(link).to_be_focused()
    assert violations(admin) == []
    address = link.input_value()
    assert address.startswith(f"{service.url}/sign-in#")
    admin.locator("[data-invite-made] [data-close]").click()
    row = panel.locator("[data-person]").nth(1)
    expect(row).to_have_attribute("data-status", "invited")
    expect(row).to_contain_text(words(language, "people.unnamed"))

    # opening the link signs nobody in; its button does
    context = new_window(browser, service.url, locale=language, viewport=PHONE)
    member = context.new_page()
    faults.watch(member)
    member.goto(address)
    expect(member.locator("[data-link-go]")).to_be_visible()
    assert context.cookies() == []
    member.locator("[data-link-go]").click()
    expect(member.locator("[data-first-name]")).to_be_focused()
    assert violations(member) == []
    member.keyboard.type("admin")
    member.locator("[data-new-password]").fill(PASSWORD)
    faults.expect("422")
    member.keyboard.press("Enter")
    expect(member.locator("[data-problem]")).to_be_visible()
    member.locator("[data-first-name]").fill(name)
    member.keyboard.press("Enter")
    theirs = Chat(member).ready()
    member.locator(".topbar [data-toggle-sidebar]").click()
    expect(member.locator("[data-account-name]")).to_have_text(name)
    made = member.evaluate(
        "fetch('/api/knowledge', {method: 'POST', headers: {'Content-Type': 'application/json'},"
        ' body: \'{"name": "Engines"}\'}).then((reply) => reply.status)'
    )
    assert made == 201
    account = settings_tab(member, "account")
    expect(member.locator("[data-tab=people]")).to_be_hidden()
    expect(account.locator("[data-login]")).to_have_count(1)
    expect(account.locator("[data-token-scope][value=admin]")).to_be_hidden()

    settings_tab(admin, "people")
    expect(row).to_have_attribute("data-status", "active")
    expect(row).to_contain_text(name)
    choose(admin, row, "change-role")
    expect(row).to_contain_text(words(language, "people.admin"))
    choose(admin, row, "disable")
    admin.locator("[data-confirm-yes]").click()
    expect(row).to_have_attribute("data-status", "disabled")
    member.reload()
    expect(member).to_have_url(re.compile("/sign-in"))
    member.locator("[data-name]").fill(name)
    member.locator("[data-login-password]").fill(PASSWORD)
    member.keyboard.press("Enter")
    expect(member.locator("[data-problem]")).to_be_visible()
    choose(admin, row, "disable")
    expect(row).to_have_attribute("data-status", "active")
    member.locator("[data-login-go]").click()
    theirs.ready()

    choose(admin, row, "delete")
    dialog = admin.locator("[data-dialog=remove-person]")
    expect(dialog.locator("[data-remove-bases]")).to_be_visible()
    assert violations(admin) == []
    dialog.locator("[data-remove-yes]").click()
    expect(row).to_have_count(0)
    expect(panel.locator("[data-invite]")).to_be_focused()
    member.reload()
    expect(member).to_have_url(re.compile("/sign-in"))
    assert [base["name"] for base in own_bases(service)] == ["Engines"]
    context.close()


def test_the_settings_of_an_account_work_with_keys(chat: Chat, service: Service) -> None:
    page = chat.page
    settings_tab(page, "general")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-settings-panel=account]")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-settings-panel=people]")).to_be_visible()
    assert service.post("/api/users", {"name": "Grace"}).status == 201
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    button = page.locator("[data-person]", has_text="Grace").locator("[data-person-menu]")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-person-change-role]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(page.locator("[data-dialog=settings]")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")  # a new link: the first has not been used
    expect(page.locator("[data-invite-link]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-dialog=invite]")).to_be_hidden()
    expect(page.locator("[data-dialog=settings]")).to_be_visible()


def test_a_token_is_limited_and_a_browser_signed_out(
    browser: Browser, service: Service, faults: Faults
) -> None:
    invited = service.post("/api/users", {"name": "Grace"}).json
    context, other = (new_window(browser, service.url) for _ in range(2))
    link = {"link": invited["path"].partition("#")[2]}
    assert context.request.post("/api/auth/login", data=link).ok
    assert context.request.put("/api/auth/password", data={"password": PASSWORD}).ok
    login = {"name": "Grace", "password": PASSWORD}
    assert other.request.post("/api/auth/login", data=login).ok
    page = context.new_page()
    faults.watch(page)
    Chat(page).open()
    panel = settings_tab(page, "account")
    rows = panel.locator("[data-login]")
    expect(rows).to_have_count(2)
    rows.locator("[data-login-end]:visible").click()
    expect(rows).to_have_count(1)
    expect(panel.locator("#logins-title")).to_be_focused()
    assert other.request.get("/api/auth/me").status == 401
    other.close()

    form = panel.locator("[data-token-form]")
    form.locator("[data-token-name]").fill("Search box")
    form.locator("[data-token-limited]").select_option("some")
    form.locator("button[type=submit]").click()
    expect(panel.locator("[data-token-fault]")).to_be_visible()
    form.locator("[data-token-scope][value=read]").check()
    form.locator("[data-token-days]").select_option("30")
    form.locator("button[type=submit]").click()
    expect(panel.locator("[data-new-token]")).to_be_visible()
    token = panel.locator("[data-token-value]").text_content()
    assert token and violations(page) == []
    assert service.get("/api/knowledge", token=token).status == 200
    assert service.post("/chat", {"question": "q"}, token=token).status == 403
    made = panel.locator("[data-token]", has_text="Search box")
    expect(made).to_contain_text(words("en", "settings.token.scope.read"))
    made.locator("[data-token-delete]").click()
    page.locator("[data-confirm-yes]").click()
    expect(made).to_have_count(0)
    context.close()


def test_people_that_cannot_be_loaded_can_be_asked_for_again(chat: Chat, faults: Faults) -> None:
    faults.expect("ERR_FAILED")
    chat.page.route("**/api/users", lambda route: route.abort())
    panel = settings_tab(chat.page, "people")
    expect(panel.locator("[data-people-fault]")).to_be_visible()
    chat.page.unroute("**/api/users")
    panel.locator("[data-people-again]").click()
    expect(panel.locator("[data-person]")).to_have_count(1)
    expect(panel.locator("[data-people-fault]")).to_be_hidden()
