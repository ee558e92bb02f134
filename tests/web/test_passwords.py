"""Passwords: which are accepted, and how attempts at them are throttled."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

from chatapp.identity import throttle
from chatapp.identity.refusals import TooManyAttempts
from chatapp.identity.throttle import ACCOUNT, ADDRESS, Throttle
from chatapp.identity.users import Users
from chatapp.storage.sign_in_models import Attempts
from chatapp.web.services import Services
from tests.support.administrator import TOKEN

GOOD = "correct horse battery"


@pytest.fixture(autouse=True)
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pause end while a busy machine checks a password."""
    monkeypatch.setattr(throttle, "FIRST_PAUSE_SECONDS", ACCOUNT.longest_seconds)


@pytest.fixture
def browser(app: Flask, services: Services) -> FlaskClient:
    """The administrator's browser, which knows the password."""
    made = app.test_client()
    made.post("/api/auth/login", json={"link": services.accounts.new_link()})
    assert made.put("/api/auth/password", json={"password": GOOD}).status_code == 204
    return made


@pytest.fixture
def sign_in(app: Flask) -> Callable[..., Any]:
    """Sign in from a browser that is not known, at an address."""

    def call(name: str, password: str, address: str = "192.0.2.1") -> Any:
        stranger = app.test_client()
        stranger.environ_base["REMOTE_ADDR"] = address
        return stranger.post("/api/auth/login", json={"name": name, "password": password})

    return call


@pytest.fixture
def fail(services: Services) -> Callable[..., None]:
    """Count an attempt that fails, without the second that checking a password takes."""
    return lambda name, address: services.accounts.throttle.count_sign_in(name, address, "")


def pass_time(services: Services, **time: int) -> None:
    """Let all pauses and rows grow older."""
    gone = timedelta(**time)

    def save(t: Any) -> None:
        for row in t.scalars(select(Attempts)):
            row.blocked_until, row.expires_at = row.blocked_until - gone, row.expires_at - gone

    services.database.write(save)


def rows(services: Services) -> int:
    return services.database.read(lambda t: t.scalar(select(func.count()).select_from(Attempts)))


@pytest.mark.parametrize("password", ["Password1", "        ", "aaaaaaaa", "12345678901", "short"])
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(
    browser: FlaskClient, password: str
) -> None:
    reply = browser.put("/api/auth/password", json={"current": GOOD, "password": password})
    assert reply.status_code == 422
    reason = reply.json["error"]["fields"]["password"]
    assert reason.startswith(("is one of", "repeats", "must have at least 8"))


def test_the_name_is_no_password(app: Flask, services: Services) -> None:
    people = Users(services.database)
    people.add("Ada Lovelace")
    ada = app.test_client()
    ada.post("/api/auth/login", json={"link": people.new_link("Ada Lovelace")})
    reply = ada.put("/api/auth/password", json={"password": "ada lovelace"})
    assert "name of the account" in reply.json["error"]["fields"]["password"]


def test_a_weak_password_of_an_earlier_version_keeps_working(
    services: Services, sign_in: Callable[..., Any]
) -> None:
    services.accounts.ensure_admin("password1", TOKEN)
    assert sign_in("admin", "password1").status_code == 200


def test_attempts_for_a_name_count_over_all_addresses(
    browser: FlaskClient, services: Services, sign_in: Callable[..., Any]
) -> None:
    for number in range(ACCOUNT.free):
        assert sign_in("admin", "wrong", f"192.0.2.{number}").status_code == 401
    refused = sign_in("admin", GOOD, "192.0.2.99")
    assert refused.status_code == 429
    assert refused.json["error"]["code"] == "too_many_attempts"
    assert 0 < int(refused.headers["Retry-After"]) <= throttle.FIRST_PAUSE_SECONDS
    pass_time(services, seconds=throttle.FIRST_PAUSE_SECONDS)
    assert sign_in("admin", GOOD, "192.0.2.99").status_code == 200
    assert sign_in("admin", "wrong", "192.0.2.99").status_code == 401


def test_an_unknown_name_is_answered_alike(
    browser: FlaskClient, sign_in: Callable[..., Any]
) -> None:
    def replies(name: str) -> list[tuple[int, str]]:
        found = [sign_in(name, "wrong", f"192.0.2.{number}") for number in range(7)]
        errors = [(reply.status_code, reply.json["error"]["message"]) for reply in found]
        return [(status, re.sub(r"\d+ s", "a while", message)) for status, message in errors]

    assert replies("admin") == replies("nobody")


def test_one_address_cannot_try_many_names(
    browser: FlaskClient, fail: Callable[..., None], sign_in: Callable[..., Any]
) -> None:
    for number in range(ADDRESS.free):
        fail(f"name {number}", f"2001:db8::{number}")
    assert sign_in("admin", GOOD, "2001:db8::ffff").status_code == 429  # the same network
    assert sign_in("admin", GOOD, "2001:db8:0:1::1").status_code == 200


def test_a_right_password_does_not_free_the_address(
    browser: FlaskClient, fail: Callable[..., None], sign_in: Callable[..., Any]
) -> None:
    for number in range(ADDRESS.free - 1):
        fail(f"name {number}", "192.0.2.1")
    assert sign_in("admin", GOOD).status_code == 200
    assert sign_in("one more", "wrong").status_code == 401
    assert sign_in("admin", GOOD).status_code == 429


def test_strangers_cannot_lock_a_known_browser_out(
    browser: FlaskClient, fail: Callable[..., None], sign_in: Callable[..., Any]
) -> None:
    own = "127.0.0.1"  # they share the address
    for number in range(ADDRESS.free):
        fail("admin" if number < ACCOUNT.free else f"name {number}", own)
    assert sign_in("admin", GOOD, own).status_code == 429
    browser.post("/api/auth/logout")
    assert browser.post("/api/auth/login", json={"password": GOOD}).status_code == 200
    for _ in range(ACCOUNT.free):
        assert browser.post("/api/auth/login", json={"password": "wrong"}).status_code == 401
    assert browser.post("/api/auth/login", json={"password": GOOD}).status_code == 429


def test_a_browser_is_known_for_its_own_account_only(
    browser: FlaskClient, fail: Callable[..., None]
) -> None:
    for number in range(ACCOUNT.free):
        fail("Ada", f"192.0.2.{number}")
    reply = browser.post("/api/auth/login", json={"name": "Ada", "password": "wrong"})
    assert reply.status_code == 429


def test_the_current_password_cannot_be_tried_without_end(
    browser: FlaskClient, services: Services
) -> None:
    wrong, right = ({"current": each, "password": "another long one"} for each in ("wrong", GOOD))
    user = services.accounts.administrator().id
    for _ in range(ACCOUNT.free - 1):
        services.accounts.throttle.count_check(user)
    assert browser.put("/api/auth/password", json=wrong).status_code == 401
    assert browser.put("/api/auth/password", json=right).status_code == 429
    pass_time(services, seconds=throttle.FIRST_PAUSE_SECONDS)
    assert browser.put("/api/auth/password", json=right).status_code == 204


def test_a_refused_attempt_writes_nothing_and_checks_no_password(
    browser: FlaskClient,
    services: Services,
    fail: Callable[..., None],
    sign_in: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(ACCOUNT.free):
        fail("admin", "192.0.2.1")
    statements: list[str] = []
    note = lambda *seen: statements.append(seen[2])  # noqa: E731
    event.listen(services.database.engine, "before_cursor_execute", note)
    checks: list[str] = []
    monkeypatch.setattr(services.accounts, "_check", lambda *_: checks.append("checked"))
    assert sign_in("admin", GOOD).status_code == 429
    assert any("FROM attempts" in each for each in statements)
    event.remove(services.database.engine, "before_cursor_execute", note)
    assert all(each.startswith(("BEGIN", "SELECT")) for each in statements)
    assert not checks


def test_counts_are_shared_by_all_processes(services: Services) -> None:
    processes = [Throttle(services.database) for _ in range(2)]
    for number in range(ACCOUNT.free):
        processes[number % 2].count_sign_in("Ada", "192.0.2.1", "")
    with pytest.raises(TooManyAttempts):
        Throttle(services.database).count_sign_in("ADA", "192.0.2.2", "")


def test_rows_are_forgotten_and_bounded(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MOST_ROWS", 20)
    monkeypatch.setattr(throttle, "PRUNE_EVERY", 1)
    counted = Throttle(services.database)
    for number in range(40):
        counted.count_sign_in(f"name {number}", f"192.0.2.{number}", "")
    assert rows(services) <= 20
    pass_time(services, seconds=throttle.FORGET_SECONDS + 1)
    counted.count_sign_in("Ada", "192.0.2.1", "")
    assert rows(services) == 2


def test_a_failure_is_logged_with_its_address_and_never_with_the_name(
    fail: Callable[..., None], sign_in: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chatapp.web")
    for _ in range(ACCOUNT.free - 1):
        fail("my secret password", "192.0.2.7")
    for _ in range(2):
        reply = sign_in("my secret password", "wrong", "192.0.2.7")
    request_id = reply.headers["X-Request-Id"]
    assert f"request {request_id} failed to sign in from 192.0.2.7" in caplog.text
    assert "error.unauthorized.wrong" in caplog.text and "too_many_attempts" in caplog.text
    assert "secret" not in caplog.text
