"""Faults of a model server: each has its code and message, and received text is kept."""

import pytest

from tests.support.modelserver import ModelServer
from tests.support.service import Service, free_port

pytestmark = pytest.mark.server

# model (which selects the fault), code, whether text was received before it
FAULTS = [
    ("refuse-401", "upstream_auth", False),
    ("refuse-403", "upstream_auth", False),
    ("refuse-402", "upstream_quota", False),
    ("refuse-404", "upstream_refused", False),
    ("refuse-429-3600", "upstream_rate_limit", False),
    ("refuse-500", "upstream_error", False),
    ("refuse-503", "upstream_error", False),
    ("html", "upstream_protocol", False),
    ("empty", "upstream_empty", False),
    ("broken-json", "upstream_protocol", True),
    ("cut", "upstream_error", True),
    ("reset", "upstream_error", True),
    ("no-finish", "upstream_error", True),
    ("error-event", "upstream_error", True),
]


@pytest.mark.parametrize(("model", "code", "partial"), FAULTS)
def test_each_fault_has_its_code_and_keeps_the_received_text(
    service: Service, model: str, code: str, partial: bool
) -> None:
    streamed = service.stream(
        {"question": "q", "llm_config": {"supplier": "openai", "model": model}}
    )
    assert streamed.status == 200
    assert streamed.last["type"] == "error"
    assert streamed.last["code"] == code
    assert len(streamed.last["data"]) > 10 and "{" not in streamed.last["data"]
    assert bool(streamed.text()) is partial
    stored = service.get(f"/api/messages/{streamed.message_id}").json
    assert stored["status"] == "failed"
    assert stored["error"]["code"] == code
    assert stored["error"]["message"] == streamed.last["data"]
    assert stored["content"] == streamed.text()
    again = service.stream(path=f"/chat/stream/{streamed.message_id}")
    assert again.last == streamed.last


def test_retry_after_is_passed_on(service: Service) -> None:
    config = {"supplier": "openai", "model": "refuse-429-3600"}
    assert service.stream({"question": "q", "llm_config": config}).last["retry_after"] == 3600
    reply = service.post("/chat", {"question": "q", "llm_config": config})
    assert reply.status == 429
    assert reply.headers["Retry-After"] == "3600"


def test_an_address_without_a_server_is_unreachable(service: Service) -> None:
    made = service.post(
        "/api/suppliers",
        {"name": "away", "base_url": f"http://127.0.0.1:{free_port()}/v1", "models": ["m"]},
    )
    assert made.status == 201
    streamed = service.stream({"question": "q", "llm_config": {"supplier": "away", "model": "m"}})
    assert streamed.last["code"] == "upstream_unreachable"
    assert "away" in streamed.last["data"]


@pytest.mark.parametrize("model", ["length", "content-filter"])
def test_an_answer_that_ends_early_has_its_finish_reason(service: Service, model: str) -> None:
    streamed = service.stream(
        {"question": "q", "llm_config": {"supplier": "openai", "model": model}}
    )
    assert streamed.last["data"]["finish_reason"] == model.replace("-", "_")


@pytest.mark.parametrize(
    "model",
    ["split-utf8", "bad-utf8", "null-deltas", "crlf", "json-whole", "huge-delta", "flood-20000"],
)
def test_unusual_but_valid_responses_arrive_complete(service: Service, model: str) -> None:
    streamed = service.stream(
        {"question": "q", "llm_config": {"supplier": "openai", "model": model}}
    )
    stored = service.get(f"/api/messages/{streamed.message_id}").json
    assert streamed.text() == stored["content"] != ""
    assert streamed.last["type"] in ("done", "error")
    if streamed.last["type"] == "error":
        assert streamed.last["code"] == "answer_too_long"


def test_a_redirect_is_not_followed(service: Service, model_server: ModelServer) -> None:
    streamed = service.stream(
        {"question": "q", "llm_config": {"supplier": "openai", "model": "redirect"}}
    )
    assert streamed.last["type"] == "error"
    assert model_server.requests[-1].body["model"] == "redirect"
