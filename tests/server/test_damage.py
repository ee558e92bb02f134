"""Damage that appears while the service runs: what it says, what it keeps, and how it goes on."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.modelserver import ModelServer
from tests.support.service import PATIENCE_SECONDS, Reply, Service, Streamed, wait_for

pytestmark = pytest.mark.server
BUILTIN = {"llm_config": {"supplier": "builtin"}, "knowledge_config": None}
WORDS = 100


@pytest.fixture
def service(tmp_path: Path, model_server: ModelServer) -> Iterator[Service]:
    with Service(
        tmp_path / "home",
        OPENAI_BASE_URL=model_server.base_url,
        OPENAI_API_KEY="sk-test",
    ) as running:
        yield running


def is_unusable(reply: Reply, words: str) -> bool:
    if reply.status != 503 or reply.json["error"]["code"] != "database_unusable":
        return False
    return words in reply.json["error"]["message"]


def test_a_database_that_is_removed_and_put_back(service: Service) -> None:
    ended: list[Streamed] = []
    seen = threading.Event()
    model = {"supplier": "openai", "model": f"typewriter-{WORDS}-10"}

    def note(streamed: Streamed) -> bool:
        if streamed.text():
            seen.set()
        return False

    def ask() -> None:
        ended.append(service.stream({"question": "tell me", "llm_config": model}, until=note))

    reader = threading.Thread(target=ask, daemon=True)
    reader.start()
    assert seen.wait(PATIENCE_SECONDS)
    away = service.home / "away"
    away.mkdir()
    for file in service.home.glob("chatapp.db*"):
        file.rename(away / file.name)

    wait_for(lambda: is_unusable(service.get("/api/sessions"), "removed or replaced"))
    assert is_unusable(service.post("/chat", {"question": "now?", **BUILTIN}), "removed")
    ready = service.get("/readyz", token=None)
    assert (ready.status, ready.json["status"]) == (503, "database_unusable")
    assert not (service.home / "chatapp.db").exists(), "no empty one is made"

    for file in away.iterdir():
        file.rename(service.home / file.name)
    wait_for(lambda: service.get("/readyz").status == 200, what="it is usable again")
    reader.join(PATIENCE_SECONDS)
    assert len(ended[0].text().split()) == WORDS, "the reader got everything"
    path = f"/api/messages/{ended[0].message_id}"
    wait_for(lambda: service.get(path).json["status"] == "complete", what="it is saved")
    assert service.get(path).json["content"] == ended[0].text()
    said = service.output()
    assert said.count("is gone") <= 2 and "Traceback" not in said, said  # web and worker


def test_pages_that_are_overwritten(service: Service) -> None:
    for n in range(3):
        assert service.post("/chat", {"question": f"q {n}", **BUILTIN}).status == 200
    service.end()
    service.start()
    with open(service.home / "chatapp.db", "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for page in range(4096, size, 4096):
            file.seek(page)
            file.write(os.urandom(4096))
    paths = ("/api/sessions", "/api/prompts", "/api/presets", "/api/sessions/search?q=q")
    wait_for(lambda: any(is_unusable(service.get(path), "damaged") for path in paths))
    assert "is damaged" in service.output() and service.get("/healthz").status == 200
