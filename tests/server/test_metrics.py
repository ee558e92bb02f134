"""Figures and log lines of the real service with two web workers."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.modelserver import ModelServer
from tests.support.service import TOKEN, Service, wait_for

pytestmark = pytest.mark.server

METRICS_TOKEN = "the-token-of-prometheus"
CANARY = "canary-question-4711"
KEY = "sk-canary-key-4711"
ANSWERS, FAILED = 12, 5


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, model_server: ModelServer) -> Iterator[Service]:
    """The product with two web workers, JSON lines, and a line for each request and statement."""
    with Service(
        tmp_path_factory.mktemp("home"),
        workers=2,
        OPENAI_BASE_URL=model_server.base_url,
        OPENAI_API_KEY=KEY,
        CHATAPP_ANSWERS_PER_USER="0",
        CHATAPP_METRICS_TOKEN=METRICS_TOKEN,
        CHATAPP_LOG_FORMAT="json",
        CHATAPP_ACCESS_LOG="on",
        CHATAPP_SLOW_STATEMENT_MS="1",
    ) as running:
        wait_for(lambda: len(running.workers()) == 2, what="two workers")
        yield running


def scraped(service: Service) -> dict[str, float]:
    """Return the samples that Prometheus reads."""
    reply = service.get("/metrics", token=METRICS_TOKEN)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


def ask(service: Service, model: str) -> str:
    turn = {"supplier": "openai", "model": model}
    streamed = service.stream(
        {"question": CANARY, "llm_config": turn}, X_Request_Id=f"trace/{model}"
    )
    return str(streamed.last["type"])


def test_answers_and_errors_of_two_workers_are_counted_exactly(two: Service) -> None:
    models = ["typewriter-20-200"] * ANSWERS + ["refuse-500"] * FAILED
    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda model: ask(two, model), models))
    assert (ends.count("done"), ends.count("error")) == (ANSWERS, FAILED)

    def all_counted() -> dict[str, float] | None:
        found = scraped(two)
        total = found.get("chatapp_answers_total complete", 0)
        total += found.get("chatapp_answers_total failed", 0)
        return found if total == ANSWERS + FAILED else None

    found = wait_for(all_counted, what="all answers are counted")
    assert found["chatapp_answers_total complete"] == ANSWERS
    assert found["chatapp_answers_total failed"] == FAILED
    assert found["chatapp_supplier_errors_total upstream_error"] == FAILED
    assert found["chatapp_first_token_seconds_count"] == ANSWERS
    assert found["chatapp_answer_seconds_count"] == ANSWERS + FAILED
    assert found["chatapp_live_answers"] == 0
    assert found["chatapp_processes web"] == 2
    assert found["chatapp_documents_waiting queued"] >= 0
    assert found["chatapp_database_wait_seconds_count write"] > 0
    assert found["chatapp_database_connections_limit"] > 0

    shown = two.get("/api/metrics").json
    assert shown["now"]["live_answers"] == 0
    assert shown["supplier_errors"] == {"upstream_error": FAILED}
    assert len(shown["minutes"]) == 60
    assert sum(minute["answers"] for minute in shown["minutes"]) == ANSWERS + FAILED

    killed = set(two.workers())
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    files = two.home / "metrics"
    wait_for(lambda: len(set(two.workers()) - killed) == 2, what="new workers")
    wait_for(lambda: answers(two), what="a new worker answers")
    found = wait_for(all_counted, what="what dead workers counted")
    assert found["chatapp_supplier_errors_total upstream_error"] == FAILED
    wait_for(lambda: not dead_files(files), what="files of dead workers are removed")
    assert wait_for(all_counted)["chatapp_answers_total complete"] == ANSWERS


def answers(service: Service) -> bool:
    """Return whether a worker answers; it may still be loading."""
    try:
        return service.get("/healthz").status == 200
    except OSError:
        return False


def dead_files(folder: Path) -> list[str]:
    """Return the files of processes that have ended."""
    return [
        file.name
        for file in folder.glob("[0-9]*.json")
        if not Path(f"/proc/{file.name.partition('-')[0]}").exists()
    ]


def test_figures_need_their_own_token(two: Service, service: Service) -> None:
    assert two.get("/metrics", token=None).status == 401
    assert two.get("/metrics", token=TOKEN).status == 401
    assert two.get("/api/metrics", token=METRICS_TOKEN).status == 401
    assert service.get("/metrics", token=TOKEN).status == 404


def test_lines_are_json_and_name_the_request_and_hold_no_text(two: Service) -> None:
    model = "typewriter-5-200"
    assert ask(two, model) == "done"
    assert two.get("/api/sessions?limit=1", X_Request_Id="a b\tc").status == 200
    me = two.get("/api/auth/me").json["user"]["id"]

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in two.output().splitlines() if line.startswith("{")]

    def of_answer() -> dict[str, dict[str, Any]]:
        found = [line for line in lines() if line.get("request_id") == f"trace/{model}"]
        return {line["message"].partition(" session")[0].partition(" status")[0]: line
                for line in found}  # fmt: skip

    access = "POST /chat/stream"
    named = {"answer starts", "answer ends", access}
    found = wait_for(lambda: named <= (lines := of_answer()).keys() and lines)
    for line in (found[name] for name in named):
        assert (line["user_id"], line["address"]) == (me, "127.0.0.1"), line
        assert {"time", "level", "logger", "message"} <= line.keys()
    assert of_answer()[access]["logger"] == "chatapp.access"
    ids = {line["request_id"] for line in lines() if "/api/sessions" in line["message"]}
    assert ids and "a b\tc" not in ids
    slow = [line["message"] for line in lines() if line["message"].startswith("slow statement")]
    assert slow and not any(me in line for line in slow)
    printed = two.output()
    for secret in (CANARY, KEY, TOKEN, METRICS_TOKEN):
        assert secret not in printed
