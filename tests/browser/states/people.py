"""States of accounts: one's own, those of others, and the page of an invitation."""

from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.states.stage import Stage
from tests.support.service import Service

PEOPLE = {
    "en": ("Ada Lovelace", "Grace Hopper", "Emmy Noether"),
    "zh-CN": ("李雷", "韩梅梅", "王芳"),
}
TOKENS = {"en": ("Nightly import", "Team dashboard"), "zh-CN": ("夜间导入", "团队看板")}
OTHERS = "?knowledge_bases=delete"


def account(stage: Stage) -> None:
    """One's own account: name, password, sign-ins, tokens."""
    _account(stage)
    expect(stage.page.locator("[data-token]").nth(1)).to_be_visible()


def tokens(stage: Stage) -> None:
    """A token with limits that was just made."""
    panel = _account(stage)
    name = {"en": "Search box of the intranet", "zh-CN": "内网搜索框"}
    panel.locator("[data-token-name]").fill(name[stage.language])
    panel.locator("[data-token-limited]").select_option("some")
    panel.locator("[data-token-scope][value=ask]").check()
    panel.locator("[data-token-scope][value=read]").check()
    panel.locator("[data-token-days]").select_option("90")
    panel.locator("[data-token-form] button[type=submit]").click()
    expect(panel.locator("[data-new-token]")).to_be_visible()
    panel.locator("[data-token-limited]").select_option("some")
    panel.locator("[data-new-token]").scroll_into_view_if_needed()


def people(stage: Stage) -> None:
    """The accounts of an installation."""
    _people(stage)


def person_menu(stage: Stage) -> None:
    """What an administrator can do with an account."""
    panel = _people(stage)
    panel.locator("[data-person-menu]:visible").first.click()
    expect(stage.page.locator("[data-person-actions]")).to_be_visible()


def invitation(stage: Stage) -> None:
    """The form of an invitation."""
    _people(stage)
    stage.page.locator("[data-invite]").click()
    expect(stage.page.locator("[data-invite-name]")).to_be_focused()


def invited(stage: Stage) -> None:
    """A link that was just made."""
    invitation(stage)
    name = {"en": "Katherine Johnson", "zh-CN": "陈晨"}
    stage.page.locator("[data-invite-name]").fill(name[stage.language])
    stage.page.keyboard.press("Enter")
    expect(stage.page.locator("[data-invite-link]")).to_be_focused()


def removal(stage: Stage) -> None:
    """Before an account is deleted that has knowledge bases."""
    panel = _people(stage)
    name = PEOPLE[stage.language][0]
    panel.locator("[data-person]", has_text=name).locator("[data-person-menu]").click()
    stage.page.locator("[data-person-delete]").click()
    expect(stage.page.locator("[data-remove-bases]")).to_be_visible()


def people_away(stage: Stage) -> None:
    """The accounts could not be loaded."""
    stage.faults.expect("ERR_FAILED")
    stage.page.route("**/api/users", lambda route: route.abort())
    _open(stage, "people")
    expect(stage.page.locator("[data-people-fault]")).to_be_visible()


def invitation_page(stage: Stage) -> None:
    """What an invited person sees first."""
    stage.page.context.clear_cookies()
    stage.page.goto("/healthz")
    stage.page.goto(_invite(stage.service)["path"])
    expect(stage.page.locator("[data-link-go]")).to_be_visible()


def first_name(stage: Stage) -> None:
    """An invited person chooses name and password."""
    invitation_page(stage)
    stage.page.locator("[data-link-go]").click()
    expect(stage.page.locator("[data-first-name]")).to_be_focused()


def _invite(service: Service, **body: Any) -> dict[str, Any]:
    made = service.post("/api/users", body)
    assert made.status == 201, made.body
    return dict(made.json)


def _sign_in(service: Service, path: str) -> dict[str, str]:
    """Follow a link; return the headers of its browser."""
    secret = path.partition("#")[2]
    login = service.post("/api/auth/login", {"link": secret}, token=None)
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    return {"Cookie": cookie, "Origin": service.url}


def remove_people(service: Service) -> None:
    """Leave the administrator alone."""
    for user in service.get("/api/users").json["items"][1:]:
        service.request("DELETE", f"/api/users/{user['id']}{OTHERS}")


def _with_people(stage: Stage) -> None:
    service = stage.service
    remove_people(service)
    first, second, third = PEOPLE[stage.language]
    ada = _sign_in(service, _invite(service, name=first, role="admin")["path"])
    service.post("/api/knowledge", {"name": "Engines"}, token=None, **ada)
    grace = _invite(service, name=second)
    _sign_in(service, grace["path"])
    disabled = {"disabled": True}
    service.request("PATCH", f"/api/users/{grace['user']['id']}", disabled)
    _invite(service, name=third)
    _invite(service)


def _open(stage: Stage, tab: str) -> Locator:
    stage.side("[data-account]").click()
    stage.page.locator("[data-open-settings]").click()
    stage.page.locator(f"[data-settings-tabs] [data-tab={tab}]").click()
    panel = stage.page.locator(f"[data-settings-panel={tab}]")
    expect(panel).to_be_visible()
    return panel


def _people(stage: Stage) -> Locator:
    _with_people(stage)
    panel = _open(stage, "people")
    expect(panel.locator("[data-person]").nth(4)).to_be_visible()
    return panel


def _account(stage: Stage) -> Locator:
    for item in stage.service.get("/api/auth/tokens").json["items"]:
        if item["kind"] == "personal":
            stage.service.request("DELETE", f"/api/auth/tokens/{item['id']}")
    first, second = TOKENS[stage.language]
    stage.service.post("/api/auth/tokens", {"name": first, "scopes": ["write"]})
    stage.service.post("/api/auth/tokens", {"name": second})
    panel = _open(stage, "account")
    expect(panel.locator("[data-login]").first).to_be_visible()
    return panel


STATES = {
    "account": account,
    "tokens": tokens,
    "people": people,
    "person-menu": person_menu,
    "invitation": invitation,
    "invited": invited,
    "removal": removal,
    "people-away": people_away,
    "invitation-page": invitation_page,
    "first-name": first_name,
}
