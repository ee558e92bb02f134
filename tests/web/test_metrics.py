"""Figures in-process: the token, the request's id, documents that wait, the page's minutes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp import create_app
from chatapp.identity.person import Person
from chatapp.knowledge.ingest.waiting import STATES
from chatapp.metrics import figures
from chatapp.settings import Settings
from chatapp.storage.models import File, KnowledgeBase, new_id, now
from chatapp.web.services import Services
from tests.support.administrator import TOKEN

METRICS_TOKEN = "the-token-of-prometheus"


@pytest.fixture
def measured(settings: Settings) -> Iterator[Flask]:
    """An app with a token for Prometheus."""
    made = create_app(replace(settings, metrics_token=METRICS_TOKEN))
    services: Services = made.extensions["chatapp"]
    services.accounts.ensure_admin("", TOKEN)
    yield made
    services.database.close()


def scrape(app: Flask, token: str = METRICS_TOKEN) -> tuple[int, str]:
    reply = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    return reply.status_code, reply.text


def test_without_the_setting_there_is_no_such_address(client: FlaskClient) -> None:
    reply = client.get("/metrics")
    assert (reply.status_code, reply.json["error"]["code"]) == (404, "not_found")


def test_only_their_own_token_reads_figures(measured: Flask) -> None:
    assert scrape(measured)[0] == 200
    for wrong in ("", TOKEN, f"{METRICS_TOKEN}x", "ü" * 20):
        assert scrape(measured, wrong)[0] == 401


def test_figures_are_read_while_the_database_is_away(measured: Flask) -> None:
    services: Services = measured.extensions["chatapp"]
    assert services.settings.sqlite_file is not None
    services.database.close()
    services.settings.sqlite_file.rename(services.settings.home / "away.db")
    services.settings.sqlite_file.mkdir()
    status, text = scrape(measured)
    assert status == 200
    assert figures.LIVE_ANSWERS.name in text and figures.WAITING.name not in text


def test_documents_that_wait_are_counted_with_the_age_of_the_oldest(
    client: FlaskClient, services: Services, admin: Person
) -> None:
    created = now() - timedelta(seconds=100)

    def add(t) -> None:  # type: ignore[no-untyped-def]
        base = KnowledgeBase(id=new_id(), user_id=admin.id, name="Waiting")
        t.add(base)
        t.flush()
        for number, state in enumerate(("queued", "queued", "embedding", "ready", "failed")):
            t.add(
                File(
                    id=new_id(),
                    knowledge_base_id=base.id,
                    name="a.txt",
                    md5=f"{number}",
                    sha256=f"{number}",
                    size=1,
                    media_type="text/plain",
                    status=state,
                    created_at=created if state != "queued" or number else now(),
                )
            )

    services.database.write(add)
    shown = client.get("/api/metrics").json["now"]
    assert shown["documents_waiting"] == 3
    assert 100 <= shown["documents_oldest_seconds"] < 1000
    assert {"queued", "embedding"} <= set(STATES)


def test_every_answer_names_its_request(client: FlaskClient) -> None:
    for kept in ("0af7651916cd43dd8448eb211c80319c", "trace/1:2"):
        assert (
            client.get("/healthz", headers={"X-Request-Id": kept}).headers["X-Request-Id"] == kept
        )
    for replaced in ("", "a b", 'a"b', "x" * 101, "ü"):
        found = client.get("/healthz", headers={"X-Request-Id": replaced}).headers["X-Request-Id"]
        assert found != replaced and len(found) == 12
