"""A supplier with a protocol other than OpenAI's, through the real service and a real server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import ROOT, Service

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def ollama_url() -> Iterator[str]:
    """A server process that speaks Ollama's native protocol only."""
    command = [sys.executable, str(Path("tests", "support", "ollamaserver.py")), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def supplier(service: Service, ollama_url: str) -> Iterator[str]:
    """A supplier that was created by the API with the option `provider`."""
    body = {
        "name": "native",
        "base_url": ollama_url,
        "models": ["echo"],
        "options": {"provider": "ollama", "first_token_seconds": 10},
    }
    reply = service.post("/api/suppliers", body)
    assert reply.status == 201, reply.body
    yield "native"
    assert service.request("DELETE", f"/api/suppliers/{reply.json['id']}").status == 204


def test_it_streams_an_answer(service: Service, supplier: str) -> None:
    body = {"question": "Hello native protocol", "llm_config": {"supplier": supplier}}
    streamed = service.stream(body)
    assert streamed.text().strip() == "Hello native protocol"
    assert streamed.last["type"] == "done"
    assert streamed.last["data"]["finish_reason"] == "stop"
    stored = service.get(f"/api/messages/{streamed.message_id}").json
    assert (stored["status"], stored["supplier"], stored["model"]) == ("complete", supplier, "echo")


def test_it_answers_from_documents(service: Service, supplier: str, tmp_path: Path) -> None:
    handbook = tmp_path / "leave.txt"
    handbook.write_text("Employees get 27 days of paid leave in a year.")
    base_id = service.add_documents("leave", handbook)
    body = {
        "question": "How many days of leave do employees get?",
        "llm_config": {"supplier": supplier},
        "knowledge_config": {"knowledge_base_id": base_id},
    }
    streamed = service.stream(body)
    assert streamed.last["type"] == "done"
    assert "27 days" in streamed.first("sources")["data"][0]["text"]
    assert "27 days" in streamed.text(), "the model was given the passage"


def test_it_is_offered_and_its_test_succeeds(service: Service, supplier: str) -> None:
    offered = service.get("/api/models").json["items"]
    assert {"supplier": supplier, "model": "echo"}.items() <= next(
        row for row in offered if row["supplier"] == supplier
    ).items()
    [row] = [row for row in service.get("/api/suppliers").json["items"] if row["name"] == supplier]
    assert service.post(f"/api/suppliers/{row['id']}/test", {}).json["ok"] is True


def test_an_answer_without_a_word_is_an_error(service: Service, ollama_url: str) -> None:
    options = {"provider": "ollama", "provider_options": {"reasoning": True}}
    body = {"name": "quiet", "base_url": ollama_url, "models": ["silent"], "options": options}
    made = service.post("/api/suppliers", body)
    assert made.status == 201
    for model, word in (("silent", "empty answer"), ("only-thinks", "thinking is kept")):
        config = {"supplier": "quiet", "model": model}
        streamed = service.stream({"question": "q", "llm_config": config})
        assert streamed.last["code"] == "upstream_empty" and word in streamed.last["data"]
    assert service.request("DELETE", f"/api/suppliers/{made.json['id']}").status == 204


def test_a_model_that_it_does_not_have_is_an_error(service: Service, supplier: str) -> None:
    streamed = service.stream(
        {"question": "q", "llm_config": {"supplier": supplier, "model": "none"}}
    )
    assert streamed.last["type"] == "error" and streamed.last["code"].startswith("upstream_")
