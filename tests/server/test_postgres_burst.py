"""Bursts and exhausted connections on PostgreSQL: running answers are saved, stopped, not lost."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from chatapp.core.sse import Decoder
from tests.support.modelserver import ModelServer
from tests.support.postgres import NEEDS_POSTGRES, postgres_server
from tests.support.service import PATIENCE_SECONDS, TOKEN, Service, wait_for

pytestmark = [pytest.mark.server, NEEDS_POSTGRES]

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
BURST = 100
CONNECTIONS = 5  # the fewest; two of them are for requests


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server() as made:
        yield made


@pytest.fixture(scope="module")
def narrow(
    tmp_path_factory: pytest.TempPathFactory, url: str, model_server: ModelServer
) -> Iterator[Service]:
    variables = {
        "DATABASE_URL": url,
        "CHATAPP_DATABASE_CONNECTIONS": str(CONNECTIONS),
        "CHATAPP_ANSWERS_PER_USER": "0",
        "CHATAPP_HELPERS": "off",
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
    }
    service = Service(tmp_path_factory.mktemp("home"), **variables)
    service.ready_path = "/healthz"
    with service as running:
        yield running


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = create_engine(url)
    yield made
    made.dispose()


def question(model: str, text: str = "q", **more: Any) -> dict[str, Any]:
    return {"question": text, "llm_config": {"supplier": "openai", "model": model}, **more}


def test_a_burst_of_questions_loses_no_answer(narrow: Service, engine: Engine) -> None:
    def ask(n: int) -> str:
        body = json.dumps(question("typewriter-40-20", f"number {n}"))
        with narrow.connection(PATIENCE_SECONDS) as connection:
            connection.request("POST", "/chat/stream", body, HEADERS)
            [*_, last] = Decoder().feed(connection.getresponse().read())
        return str(json.loads(last.data)["type"])

    with ThreadPoolExecutor(BURST) as pool:
        assert list(pool.map(ask, range(BURST))) == ["done"] * BURST
    with engine.connect() as connection:
        query = "SELECT count(*) FROM messages WHERE role = 'assistant' AND status = 'complete'"
        assert connection.execute(text(query)).scalar() == BURST
        opened = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        assert connection.execute(text(opened)).scalar_one() <= CONNECTIONS + 1
    assert "Traceback" not in narrow.output()


def test_running_answers_are_saved_and_stopped_while_all_connections_are_in_use(
    narrow: Service, engine: Engine, model_server: ModelServer
) -> None:
    started = narrow.stream(question("typewriter-4000-20"), until=lambda s: len(s.text()) > 10)
    asked = model_server.requests[-1]

    def saved() -> int:
        query = "SELECT coalesce(max(start), 0) FROM segments WHERE message_id = :id"
        with engine.connect() as connection:
            found = connection.execute(text(query), {"id": started.message_id})
            return int(found.scalar_one())

    with engine.connect() as holder, ThreadPoolExecutor(4) as pool:
        holder.execute(text("LOCK TABLE prompts IN ACCESS EXCLUSIVE MODE"))
        blocked = [pool.submit(prompts, narrow) for _ in range(CONNECTIONS - 3)]
        wait_for(lambda: waits_for_prompts(engine) == len(blocked), what="requests hold all")
        refused = narrow.get("/api/sessions", Accept_Language="zh-CN")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json["error"]["code"] == "database_busy"
        assert refused.json["error"]["retryable"] is True
        assert refused.json["error"]["message"] == "数据库繁忙，请稍后重试。"
        before = saved()
        wait_for(lambda: saved() > before, what="the answer is saved further")
        assert narrow.request("DELETE", f"/chat/stream/{started.message_id}").status == 204
        wait_for(lambda: asked.closed_by_client, what="the model server sees the close")
        wait_for(lambda: saved() == 0, what="the end is saved")
        assert waits_for_prompts(engine) == len(blocked)
        holder.rollback()
        assert [each.result() for each in blocked] == [200] * len(blocked)
    assert narrow.get(f"/api/messages/{started.message_id}").json["status"] == "stopped"
    assert "all connections to the database are in use" in narrow.output()


def prompts(service: Service) -> int:
    with service.connection(PATIENCE_SECONDS) as connection:
        connection.request("GET", "/api/prompts", headers=HEADERS)
        return connection.getresponse().status


def waits_for_prompts(engine: Engine) -> int:
    query = "SELECT count(*) FROM pg_locks WHERE relation = 'prompts'::regclass AND NOT granted"
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())
