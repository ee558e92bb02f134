"""States of use, limits, figures and the audit log, with people and a month of use in the
database."""

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.states.stage import MODEL, Stage
from tests.support.service import Service

PEOPLE = {
    "en": ("Ada Lovelace", "Grace Hopper", "Edsger Dijkstra"),
    "zh-CN": ("林晓雯", "陈志远", "王思齐"),
}
BASE = {"en": "Travel rules", "zh-CN": "差旅制度"}
DAYS = 30
LIMIT = 60_000
SECRET = "the-login-of-a-member-in-pictures"


def usage(stage: Stage) -> None:
    """The use of all people, for administrators."""
    with_people(stage.service, stage.language)
    dialog = _opened(stage, "usage")
    expect(dialog.locator("[data-usage-people-rows] li")).to_have_count(4)


def usage_own(stage: Stage) -> None:
    """A member's own use, with the tokens of the day used up."""
    with_people(stage.service, stage.language)
    stage.page.context.add_cookies([{**_login(stage), "value": SECRET}])
    stage.chat.open()
    dialog = _opened(stage, "usage")
    expect(dialog.locator("[data-full]")).to_be_visible()


def limits(stage: Stage) -> None:
    """The limits of one person."""
    usage(stage)
    stage.page.locator("[data-usage-people-rows] [data-usage-limits]").first.click()
    expect(stage.page.locator("[data-limits-save]")).to_be_visible()


def audit(stage: Stage) -> None:
    """Who did what."""
    with_people(stage.service, stage.language)
    dialog = _opened(stage, "audit")
    expect(dialog.locator(".audit-entry").nth(5)).to_be_attached()


def metrics(stage: Stage) -> None:
    """Figures for administrators."""
    dialog = _opened(stage, "metrics")
    expect(dialog.locator(".metric-chart")).to_have_count(6)


def _login(stage: Stage) -> dict[str, Any]:
    return next(each for each in stage.cookies if "session" in each["name"])


def _opened(stage: Stage, name: str) -> Locator:
    stage.side("[data-account]").click()
    stage.page.locator("[data-open-settings]").click()
    stage.page.locator(f"[data-open-{name}]").click()
    dialog = stage.page.locator(f"[data-dialog={name}]")
    expect(dialog).to_be_visible()
    return dialog


def with_people(service: Service, language: str) -> None:
    """Replace people other than the administrator, what was used, and the audit log."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with closing(sqlite3.connect(service.home / "chatapp.db", timeout=60)) as file, file:
        file.execute("PRAGMA foreign_keys=ON")
        file.execute("DELETE FROM users WHERE name != 'admin'")
        for table in ("usage", "audit"):
            file.execute(f"DELETE FROM {table}")
        [(admin,)] = file.execute("SELECT id FROM users")
        people = [(f"person-{n}", name) for n, name in enumerate(PEOPLE[language])]
        file.executemany(
            "INSERT INTO users (id, name, role, disabled, defaults, created_at)"
            f" VALUES (?, ?, 'user', 0, '{{}}', '{now.isoformat(' ')}')",
            people,
        )
        first, name = people[0]
        file.execute("INSERT INTO limits VALUES (?, 2, ?, 500)", (first, LIMIT))
        secret = hashlib.sha256(SECRET.encode()).hexdigest()
        file.execute(
            "INSERT INTO tokens (id, user_id, kind, hash, name, created_at)"
            " VALUES ('login-of-member', ?, 'login', ?, '', ?)",
            (first, secret, now.isoformat(" ")),
        )
        rows = [
            (user, (now - timedelta(days=day)).date().isoformat(), questions, tokens)
            for n, user in enumerate([first, "person-1", admin])
            for day in range(DAYS)
            if (questions := (day * 7 + n * 5 + 11) % 13)
            for tokens in [LIMIT if day == 0 and n == 0 else questions * (2100 - 600 * n)]
        ]
        file.executemany(
            f"INSERT INTO usage VALUES (?, ?, 'Atlas', '{MODEL}', ?, ?, 900)",
            rows,
        )
        entries = [
            ("account.sign_in", first, name, "", {"fields": ["password"]}),
            ("supplier.change", admin, "admin", "Atlas", {"fields": ["api_key"]}),
            ("limits.change", admin, "admin", name, {"daily_tokens": LIMIT}),
            ("base.create", first, name, BASE[language], {}),
            ("link.create", first, name, "", {"days": 30}),
            ("token.create", "person-1", people[1][1], "backup", {}),
            ("account.create", None, "terminal", people[2][1], {}),
        ]
        file.executemany(
            "INSERT INTO audit (at, actor_id, actor, action, kind, target, address, request_id,"
            " details) VALUES (?, ?, ?, ?, '', ?, '192.168.1.20', '', ?)",
            [
                (
                    (now - timedelta(minutes=47 * n)).isoformat(" "),
                    actor_id,
                    actor,
                    action,
                    target,
                    json.dumps(details),
                )
                for n, (action, actor_id, actor, target, details) in reversed(
                    list(enumerate(entries))
                )
            ],
        )


STATES = {
    "usage": usage,
    "usage-own": usage_own,
    "limits": limits,
    "audit": audit,
    "metrics": metrics,
}
