"""Turns on PostgreSQL with two workers: the same guarantees as on SQLite."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.modelserver import ModelServer
from tests.support.postgres import NEEDS_POSTGRES, new_database
from tests.support.service import Service, Streamed, wait_for

pytestmark = [pytest.mark.server, NEEDS_POSTGRES]


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory, postgres: str, model_server: ModelServer
) -> Iterator[Service]:
    # psycopg may look up the socket's folder in another process, so it is part of the URL.
    variables = {
        "DATABASE_URL": new_database(postgres, "turns"),
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
    }
    with Service(
        tmp_path_factory.mktemp("home"), workers=2, CHATAPP_ANSWERS_PER_USER="0", **variables
    ) as running:
        wait_for(lambda: len(running.workers()) == 2, what="two workers")
        yield running


def question(model: str, text: str = "q", **more: Any) -> dict[str, Any]:
    return {"question": text, "llm_config": {"supplier": "openai", "model": model}, **more}


def stored(service: Service, message_id: str) -> Any:
    row = service.get(f"/api/messages/{message_id}").json
    return row if row["status"] not in ("queued", "running") else None


def test_all_clients_receive_the_answer_that_is_stored(two: Service) -> None:
    started = two.stream(question("typewriter-120-60"), until=lambda s: len(s.text()) > 40)
    readers = [two.stream(path=f"/chat/stream/{started.message_id}") for _ in range(4)]
    row = wait_for(lambda: stored(two, started.message_id))
    assert row["status"] == "complete"
    assert {reader.text() for reader in readers} == {row["content"]}
    following = two.stream(question("echo", "and then?", session_id=row["session_id"]))
    assert following.last["type"] == "done"


def test_a_question_sent_twice_concurrently_is_stored_once(two: Service) -> None:
    def ask(n: int) -> Streamed:
        return two.stream(
            question("typewriter-40-40", f"once {n % 4}", client_message_id=f"once-{n % 4}")
        )

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))
    assert {answer.last["type"] for answer in answers} == {"done"}
    assert len({answer.message_id for answer in answers}) == 4


def test_a_burst_of_questions_is_answered(two: Service) -> None:
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: two.stream(question("echo", f"number {n}")), range(60)))
    assert [answer.last["type"] for answer in answers] == ["done"] * 60


def test_stop_reaches_the_worker_that_writes_the_answer(
    two: Service, model_server: ModelServer
) -> None:
    for _ in range(4):
        started = two.stream(question("typewriter-4000-40"), until=lambda s: len(s.text()) > 10)
        request = model_server.requests[-1]
        assert two.request("DELETE", f"/chat/stream/{started.message_id}").status == 204
        wait_for(lambda: request.closed_by_client, what="the model server sees the close")  # noqa: B023
        assert wait_for(lambda: stored(two, started.message_id))["status"] == "stopped"  # noqa: B023


def test_deleting_all_data_includes_answers_of_other_workers(
    two: Service, model_server: ModelServer, tmp_path: Path
) -> None:
    leave = tmp_path / "leave.txt"
    leave.write_text("Employees get 25 days of leave.")
    two.add_documents("Handbook", leave)
    assert (
        two.request("PATCH", "/api/auth/me", {"defaults": {"max_length": 3}}).json["defaults"][
            "max_length"
        ]
        == 3
    )
    before = len(model_server.requests)
    for _ in range(4):
        two.stream(question("typewriter-4000-40"), until=lambda s: len(s.text()) > 10)
    assert two.get("/api/auth/me/stored").json["database"] == "postgresql"
    assert two.request("DELETE", "/api/auth/me/data").status == 204
    asked = model_server.requests[before:]
    assert [each.model for each in asked] == ["typewriter-4000-40"] * 4
    wait_for(
        lambda: all(each.closed_by_client for each in asked), what="all connections are closed"
    )
    left = two.get("/api/auth/me/stored").json
    assert {left[name] for name in ("chats", "messages", "knowledge_bases", "files")} == {0}
    kept = [path.read_bytes() for path in (two.home / "originals").rglob("*") if path.is_file()]
    assert kept and leave.read_bytes() not in kept
    wait_for(
        lambda: two.get("/api/auth/me").json["defaults"]["max_length"] == 20,
        what="the other worker knows too",
    )
    assert "Traceback" not in two.output()
