"""The audit log: which endpoints it records, what it holds, and who reads it."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from chatapp.errors import DatabaseBusy
from chatapp.identity.audit import Audit, Entry
from chatapp.identity.person import Person
from chatapp.settings import Settings
from chatapp.storage.audit_models import AuditEntry
from chatapp.storage.models import User, new_id, now
from chatapp.web.audited import AUDITED, CONTENT, NOT_AUDITED
from chatapp.web.services import Services

KEY = "sk-very-secret-0123456789"
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


class Lines(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[list[str]]:
    log, handler = logging.getLogger("chatapp.audit"), Lines()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler.said
    log.removeHandler(handler)
    log.setLevel(level)


@pytest.fixture
def member_client(app: Flask, services: Services) -> FlaskClient:
    user = User(id=new_id(), name="mia", role="user")
    services.database.write(lambda t: t.add(user))
    made = app.test_client()
    person = Person(user.id, "mia", "user", False)
    token = services.accounts.tokens.create(person, "test")["token"]
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return made


def entries(client: FlaskClient, **query: Any) -> list[dict[str, Any]]:
    reply = client.get("/api/audit", query_string=query)
    assert reply.status_code == 200, reply.json
    return reply.json["items"]


def test_every_endpoint_that_changes_something_is_audited_or_listed_with_a_reason(
    app: Flask,
) -> None:
    changing = {
        str(rule.endpoint)
        for rule in app.url_map.iter_rules()
        if (rule.methods or set()) & CHANGING
        and str(rule.endpoint).partition(".")[0] not in CONTENT
    }
    changing.add("provider.callback")  # the only GET that signs in
    assert changing == AUDITED.keys() | NOT_AUDITED.keys()
    assert not AUDITED.keys() & NOT_AUDITED.keys()
    for rule in app.url_map.iter_rules():
        if audited := AUDITED.get(str(rule.endpoint)):
            assert audited.argument is None or audited.argument in rule.arguments, rule


def test_an_entry_names_who_what_when_and_from_where(
    client: FlaskClient, admin: Person, lines: list[str]
) -> None:
    body = {"name": "local", "base_url": "http://127.0.0.1:9/v1", "models": ["m"], "api_key": KEY}
    made = client.post("/api/suppliers", json=body)
    [entry] = entries(client)
    assert (entry["actor"], entry["actor_id"]) == ("admin", admin.id)
    assert (entry["action"], entry["kind"]) == ("supplier.create", "supplier")
    assert (entry["target_id"], entry["target"]) == (made.json["id"], "local")
    assert entry["address"] == "127.0.0.1"
    assert entry["request_id"] == made.headers["X-Request-Id"]
    assert entry["details"] == {"models": ["m"], "fields": ["api_key", "base_url", "name"]}
    [line] = lines
    assert json.loads(line)["action"] == "supplier.create"
    assert KEY not in line + json.dumps(entry)


def test_what_is_deleted_keeps_its_name(client: FlaskClient) -> None:
    base_id = client.post("/api/knowledge", json={"name": "Handbook"}).json["id"]
    assert client.delete(f"/api/knowledge/{base_id}").status_code == 204
    token = client.post("/api/auth/tokens", json={"name": "script"}).json
    assert client.delete(f"/api/auth/tokens/{token['id']}").status_code == 204
    found = [(each["action"], each["target"]) for each in entries(client)]
    assert found == [
        ("token.delete", "script"),
        ("token.create", "script"),
        ("base.delete", "Handbook"),
        ("base.create", "Handbook"),
    ]
    assert token["token"] not in json.dumps(entries(client))


def test_a_link_to_a_chat_is_recorded_without_the_chat_s_title(client: FlaskClient) -> None:
    body = {"question": "Am I being let go?", "llm_config": {"supplier": "builtin"}}
    session_id = client.post("/chat", json=body).json["session_id"]
    share = client.post(f"/api/sessions/{session_id}/shares", json={"days": 3}).json
    client.delete(f"/api/shares/{share['id']}")
    found = entries(client, action="link")
    assert [each["action"] for each in found] == ["link.delete", "link.create"]
    assert {each["target_id"] for each in found} == {share["id"]}
    assert "let go" not in json.dumps(found) and found[1]["details"] == {"days": 3}


def test_sign_ins_are_recorded_and_failed_ones_are_logged_only(
    anonymous: FlaskClient, client: FlaskClient, services: Services, lines: list[str]
) -> None:
    link = services.accounts.new_link()
    assert anonymous.post("/api/auth/login", json={"link": link}).status_code == 200
    reply = anonymous.post("/api/auth/login", json={"name": "hunter2", "password": "hunter2"})
    assert reply.status_code == 401
    [entry] = entries(client)
    assert (entry["action"], entry["actor"], entry["details"]) == (
        "account.sign_in",
        "admin",
        {"fields": ["link"]},
    )
    refused = json.loads(lines[1])
    assert (refused["action"], refused["refused"]) == ("account.sign_in", 401)
    assert refused["address"] and refused["request_id"] == reply.headers["X-Request-Id"]
    assert "hunter2" not in lines[1] and link not in "".join(lines)


def test_only_administrators_read_it_and_what_members_are_refused_is_logged(
    client: FlaskClient, member_client: FlaskClient, lines: list[str]
) -> None:
    assert member_client.get("/api/audit").status_code == 403
    assert member_client.delete("/api/suppliers/none").status_code == 403
    refused = json.loads(lines[-1])
    assert (refused["actor"], refused["target_id"], refused["refused"]) == ("mia", "none", 403)
    assert entries(client) == []


def test_a_request_that_fails_is_not_recorded(client: FlaskClient) -> None:
    assert client.delete("/api/suppliers/none").status_code == 404
    assert client.post("/api/knowledge", json={}).status_code == 422
    assert entries(client) == []


def test_entries_are_filtered_and_paged(client: FlaskClient, services: Services) -> None:
    for number in range(5):
        services.audit.record(Entry("supplier.create", "ann", new_id(), target=str(number)))
    who = new_id()
    services.audit.record(Entry("base_of.nobody", "bob", who))
    services.audit.record(Entry("base.delete", "bob", who))
    yesterday = now() - timedelta(days=1)
    services.database.write(
        lambda t: (
            t.execute(update(AuditEntry).where(AuditEntry.target == "0").values(at=yesterday))
            and None
        )
    )
    assert [each["target"] for each in entries(client, action="supplier")] == list("43210")
    assert [each["action"] for each in entries(client, action="base")] == ["base.delete"]
    assert len(entries(client, actor_id=who)) == 2
    days = {"from": yesterday.date().isoformat(), "to": yesterday.date().isoformat()}
    assert [each["target"] for each in entries(client, **days)] == ["0"]
    seen, after = [], None
    while True:
        page = client.get("/api/audit", query_string={"limit": 3, "after": after}).json
        seen += [each["action"] for each in page["items"]]
        if (after := page["next"]) is None:
            break
    assert seen == ["base.delete", "base_of.nobody", *["supplier.create"] * 5]


def test_old_entries_are_deleted(services: Services, settings: Settings) -> None:
    services.audit.record(Entry("base.delete", target="old"))
    services.audit.record(Entry("base.delete", target="new"))
    old = update(AuditEntry).where(AuditEntry.target == "old")
    services.database.write(lambda t: t.execute(old.values(at=now() - timedelta(days=31))) and None)
    log = Audit(services.database, replace(settings, audit_days=0))
    log.sweep()
    assert len(log.page(None, None, None, None, None, 9)[0]) == 2, "0 keeps all"
    Audit(services.database, replace(settings, audit_days=30)).sweep()
    assert [each["target"] for each in log.page(None, None, None, None, None, 9)[0]] == ["new"]


def test_an_entry_that_cannot_be_stored_does_not_fail_the_action(
    app: Flask, client: FlaskClient, services: Services, settings: Settings, lines: list[str]
) -> None:
    class Locked:
        def write_deletion(self, _: object) -> None:
            raise DatabaseBusy

    locked = replace(services, audit=Audit(Locked(), settings))  # type: ignore[arg-type]
    app.extensions["chatapp"] = locked
    assert client.post("/api/knowledge", json={"name": "b"}).status_code == 201
    app.extensions["chatapp"] = services
    assert json.loads(lines[0])["action"] == "base.create", "the line in the log is there"
    assert entries(client) == []


def test_what_is_done_to_accounts_is_recorded(client: FlaskClient) -> None:
    invited = client.post("/api/users", json={"name": "Zoe"}).json["user"]["id"]
    client.patch(f"/api/users/{invited}", json={"disabled": True})
    client.post(f"/api/users/{invited}/reset", json={})
    client.delete(f"/api/users/{invited}?knowledge_bases=delete")
    done = [(one["action"], one["target"]) for one in entries(client, action="account")[:3]]
    assert done[0] == ("account.delete", "Zoe")
    assert ("account.change", "Zoe") in done[1:]
    made = [one for one in entries(client, action="account.create") if one["target"] == "Zoe"]
    assert made and made[0]["actor"] == "admin"
