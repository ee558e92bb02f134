"""Answers that end without a word: each is an error that says why."""

import pytest

from tests.support.modelthinking import THOUGHT
from tests.support.service import Service, Streamed

pytestmark = pytest.mark.server


def ask(service: Service, model: str, question: str = "Hello", **more: object) -> Streamed:
    config = {"supplier": "openai", "model": model}
    return service.stream({"question": question, "llm_config": config, **more})


SILENCES = [
    ("done", "upstream_empty", ""),
    ("stop", "upstream_empty", ""),
    ("length", "upstream_empty", "max_tokens"),
    ("filter", "upstream_refused", ""),
    ("blank", "upstream_empty", ""),
    ("thinking", "upstream_empty", "thinking"),
    ("cut-thinking", "upstream_empty", "max_tokens"),
    ("tool", "upstream_empty", "tool"),
    ("whole", "upstream_empty", ""),
    ("body", "upstream_empty", ""),
]


@pytest.mark.parametrize(("how", "code", "word"), SILENCES, ids=[row[0] for row in SILENCES])
def test_an_answer_without_a_word_is_an_error(
    service: Service, how: str, code: str, word: str
) -> None:
    streamed = ask(service, f"says-nothing-{how}")
    assert (streamed.last["type"], streamed.last["code"]) == ("error", code)
    assert streamed.last["retryable"] is (code == "upstream_empty")
    assert word in streamed.last["data"]
    stored = service.get(f"/api/messages/{streamed.message_id}").json
    assert (stored["status"], stored["content"]) == ("failed", "")
    assert stored["reasoning"] == (THOUGHT if "thinking" in how else "")
    config = {"supplier": "openai", "model": f"says-nothing-{how}"}
    reply = service.post("/chat", {"question": "Hello", "llm_config": config})
    assert reply.status == (502 if code == "upstream_empty" else 422)
    assert reply.json["error"]["code"] == code


def test_a_continued_answer_keeps_its_text_where_nothing_follows(service: Service) -> None:
    streamed = ask(service, "length")
    config = {"supplier": "openai", "model": "says-nothing-stop"}
    again = service.stream({"continue_id": streamed.message_id, "llm_config": config})
    assert again.last["code"] == "upstream_empty"
    assert again.text() == streamed.text() == "Too long "


def test_a_tool_call_alone_is_an_answer_where_tools_were_offered(service: Service) -> None:
    supplier = service.get("/api/suppliers").json["items"][0]
    body = {"tools": [{"type": "function", "function": {"name": "search", "parameters": {}}}]}
    made = service.post(
        "/api/suppliers",
        {"name": "tools", "base_url": supplier["base_url"], "models": ["says-nothing-tool"],
         "api_key": "sk-test", "options": {"body": body}},
    )  # fmt: skip
    assert made.status == 201
    streamed = service.stream({"question": "q", "llm_config": {"supplier": "tools"}})
    assert (streamed.last["type"], streamed.text()) == ("done", "")
    assert service.request("DELETE", f"/api/suppliers/{made.json['id']}").status == 204
