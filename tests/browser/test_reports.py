"""Use, limits, the audit log and figures for operators on the page."""

import csv
import io

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.states.reports import PEOPLE, SECRET, with_people
from tests.support.axe import violations
from tests.support.browser import Chat, Faults, filled, words
from tests.support.service import Service

LANGUAGES = ["en-US", "zh-CN"]


@pytest.fixture
def people(service: Service, language: str) -> tuple[str, ...]:
    known = language.removesuffix("-US")
    with_people(service, known)
    return PEOPLE[known]


def opened(chat: Chat, name: str) -> Locator:
    chat.page.locator("[data-account]").click()
    chat.page.locator("[data-open-settings]").click()
    chat.page.locator(f"[data-open-{name}]").click()
    dialog = chat.page.locator(f"[data-dialog={name}]")
    expect(dialog).to_be_visible()
    expect(chat.page.locator("[data-dialog=settings]")).to_be_hidden()
    return dialog


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_administrator_limits_a_person_who_is_then_told_when_to_ask_again(
    chat: Chat, people: tuple[str, ...], language: str, faults: Faults
) -> None:
    page = chat.page
    usage = opened(chat, "usage")
    row = usage.locator("[data-usage-people-rows] li", has_text=people[0])
    expect(row).to_contain_text("60,000")
    assert violations(page) == []
    row.locator("[data-usage-limits]").click()
    limits = page.locator("[data-dialog=limits]")
    expect(limits.locator("h2")).to_contain_text(people[0])
    limits.locator("[data-limit=daily_tokens]").fill("-1")
    faults.expect("422")
    limits.locator("[data-limits-save]").click()
    expect(limits.locator("[data-limits-fault]")).to_be_visible()
    limits.locator("[data-limit=daily_tokens]").fill("50000")
    limits.locator("[data-limits-save]").click()
    expect(limits).to_be_hidden()
    expect(row).to_contain_text("50,000")
    usage.locator("[data-usage-person]").select_option(label=people[1])
    expect(usage.locator("[data-usage-people-rows] li")).to_have_count(1)
    expect(usage.locator("[data-usage-of-limits] li")).to_have_count(3)
    with page.expect_download() as started:
        usage.locator("[data-usage-csv]").click()
    rows = list(csv.DictReader(io.StringIO(started.value.path().read_text("utf-8-sig"))))
    assert {each["user"] for each in rows} == {people[1]}

    cookie = next(each for each in page.context.cookies() if "session" in each["name"])
    page.context.add_cookies([{**cookie, "value": SECRET}])
    chat.open()
    faults.expect("429")
    chat.ask("How many days?")
    expect(chat.questions.last.locator("[data-unsent]")).to_contain_text("50,000")
    own = opened(chat, "usage")
    expect(own.locator("[data-full]")).to_contain_text(words(language, "usage.today"))
    expect(own.locator("[data-usage-people]")).to_be_hidden()
    assert violations(page) == []
    page.context.add_cookies([cookie])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_audit_log_is_filtered(chat: Chat, people: tuple[str, ...], language: str) -> None:
    page = chat.page
    audit = opened(chat, "audit")
    entries = audit.locator(".audit-entry")
    expect(entries).to_have_count(7)
    signed_in = filled(language, "audit.do.account.sign_in", actor=people[0])
    expect(entries.first).to_contain_text(signed_in)
    assert violations(page) == []
    audit.locator("[data-audit-filter=action]").select_option("base")
    expect(entries).to_have_count(1)
    audit.locator("[data-audit-filter=action]").select_option("")
    audit.locator("[data-audit-person]").select_option(label=people[1])
    expect(entries).to_have_count(1)
    audit.locator("[data-audit-filter=from]").fill("2099-01-01")
    expect(audit.locator("[data-audit-empty]")).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_administrator_sees_what_the_service_does(
    chat: Chat, service: Service, language: str
) -> None:
    page = chat.page
    chat.expect_complete(chat.ask("How many days of leave are there?"))
    metrics = opened(chat, "metrics")
    charts = metrics.locator(".metric-chart")
    expect(charts).to_have_count(6)
    answers = service.get("/api/metrics").json["minutes"]
    total = sum(minute["answers"] for minute in answers)
    assert total >= 1
    said = filled(language, "metrics.sum", n=str(total))
    expect(charts.first.locator("figcaption")).to_contain_text(said)
    expect(charts.first.locator("[data-metric-bars] i")).to_have_count(60)
    assert charts.first.locator("[data-metric-bars] i:not([data-empty])").count() >= 1
    expect(metrics).to_contain_text(words(language, "metrics.now.live_answers"))
    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    metrics.locator("[data-close]").click()
    expect(metrics).to_be_hidden()
